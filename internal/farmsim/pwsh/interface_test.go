package pwsh_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cmdlet is the interface of a cmdlet as the table has it.
type cmdlet struct {
	Name                string            `json:"name"`
	In                  []string          `json:"in,omitempty"`
	ConfirmImpact       string            `json:"confirmImpact,omitempty"`
	DefaultParameterSet string            `json:"defaultParameterSet,omitempty"`
	Parameters          map[string]string `json:"parameters"`
}

// recorded reads the table.
func recorded(t *testing.T) []cmdlet {
	t.Helper()
	raw, err := os.ReadFile("stubs/cmdlets.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Source  string   `json:"source"`
		Cmdlets []cmdlet `json:"cmdlets"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	return table.Cmdlets
}

// interfaces reads what the cmdlets of a product are, as PowerShell binds them.
const interfaces = `
[CmdletBinding()]
param([string] $Module)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

if ($null -ne (Get-SharePointFileVersion)) { Import-SharePoint }
else { Import-OfficeModule }
$common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters

function Get-SetText {
    param([string] $Name, [object] $Set)
    $words = @($(if ($Name -eq '__AllParameterSets') { '*' } else { $Name }))
    if ($Set.IsMandatory) { $words += 'mandatory' }
    if ($Set.Position -ge 0) { $words += [string] $Set.Position }
    if ($Set.ValueFromPipeline) { $words += 'pipeline' }
    if ($Set.ValueFromPipelineByPropertyName) { $words += 'pipelineByName' }
    return $words -join ' '
}

function Get-ParameterText {
    param([object] $Parameter)
    $parts = @($Parameter.ParameterType.Name)
    foreach ($name in $Parameter.ParameterSets.Keys | Sort-Object) { $parts += Get-SetText $name $Parameter.ParameterSets[$name] }
    $parts += @(foreach ($attribute in $Parameter.Attributes) {
        $name = $attribute.GetType().Name
        if ($name.StartsWith('Validate')) { $name -replace 'Attribute$', '' }
    }) | Sort-Object
    foreach ($alias in $Parameter.Aliases | Sort-Object) { $parts += "alias $alias" }
    return $parts -join ', '
}

$found = @(foreach ($command in Get-Command -Module $Module) {
    $metadata = New-Object System.Management.Automation.CommandMetadata $command
    $parameters = @{}
    foreach ($parameter in $command.Parameters.Values) {
        if ($parameter.Name -notin $common) { $parameters[$parameter.Name] = Get-ParameterText $parameter }
    }
    $impact = ''
    if ($metadata.SupportsShouldProcess) { $impact = [string] $metadata.ConfirmImpact }
    [pscustomobject] @{
        name = $command.Name; confirmImpact = $impact; defaultParameterSet = [string] $metadata.DefaultParameterSetName
        parameters = $parameters
    }
})
[pscustomobject] @{ cmdlets = $found }
`

// TestStubs_Interfaces checks that stubs have the interfaces of each product
// version.
func TestStubs_Interfaces(t *testing.T) {
	t.Parallel()
	table := recorded(t)
	for product, where := range map[string]struct{ host, version, module string }{
		"2016": {front, "2016", "Microsoft.SharePoint.PowerShell"}, "2019": {front, "2019", "Microsoft.SharePoint.PowerShell"}, "SE": {front, "SE", "SharePointServer"},
		"OOS": {office, "2016", "OfficeWebApps"},
	} {
		t.Run(product, func(t *testing.T) {
			t.Parallel()
			var got struct {
				Cmdlets []cmdlet `json:"cmdlets"`
			}
			newTestFarm(t, where.version).run(where.host, interfaces, map[string]string{"Module": where.module}, &got)
			var want []cmdlet
			for _, c := range table {
				if slices.Contains(c.In, product) {
					c.In = nil
					want = append(want, c)
				}
			}
			byName := func(a, b cmdlet) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(got.Cmdlets, byName)
			slices.SortFunc(want, byName)
			if diff := cmp.Diff(want, got.Cmdlets); diff != "" {
				t.Errorf("recorded -, stubs +:\n%s", diff)
			}
		})
	}
}
