package pwsh

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// cmdletTable are the interfaces of the products' cmdlets as they were recorded
// operationOn real servers. Each is a stub; [forwardCmdlet] finds what stands behind it.
type cmdletTable struct {
	Source  string            `json:"source"`
	Cmdlets []cmdletInterface `json:"cmdlets"`
}

// cmdletInterface is the interface of one cmdlet, in the versions of the
// products where it is the same.
type cmdletInterface struct {
	Name                string   `json:"name"`
	In                  []string `json:"in"`
	ConfirmImpact       string   `json:"confirmImpact"`
	DefaultParameterSet string   `json:"defaultParameterSet"`
	// Parameters are types, then sets with what holds in them, then validation
	// and aliases: "Object, * mandatory 0 pipeline, ValidateNotNull, alias X".
	Parameters map[string]string `json:"parameters"`
}

// productCmdlets reads the table.
var productCmdlets = sync.OnceValue(func() []cmdletInterface {
	raw, err := stubs.ReadFile("stubs/cmdlets.json")
	var table cmdletTable
	if err == nil {
		err = json.Unmarshal(raw, &table)
	}
	if err != nil {
		panic(err) // It is embedded, and a test reads it too.
	}
	return table.Cmdlets
})

// stubModule is a module with the stubs of the cmdlets of one product.
func stubModule(version string) string {
	var text strings.Builder
	text.WriteString(". (Join-Path -Path $PSScriptRoot -ChildPath '../../model.ps1')\n")
	var names []string
	for _, c := range productCmdlets() {
		if slices.Contains(c.In, version) {
			text.WriteString(c.declareStub())
			names = append(names, c.Name)
		}
	}
	return text.String() + "\nExport-ModuleMember -Function " + strings.Join(names, ", ") + "\n"
}

// declareStub is a function with the interface of the cmdlet, which PowerShell binds
// and confirms as it would the cmdlet.
func (c cmdletInterface) declareStub() string {
	binding := []string{"PositionalBinding = $false"}
	if c.ConfirmImpact != "" {
		binding = append(binding, "SupportsShouldProcess = $true", "ConfirmImpact = "+quoteText(c.ConfirmImpact))
	}
	if c.DefaultParameterSet != "" {
		binding = append(binding, "DefaultParameterSetName = "+quoteText(c.DefaultParameterSet))
	}
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		parameters = append(parameters, "\n        "+declareParameter(name, c.Parameters[name]))
	}
	return fmt.Sprintf("\nfunction %s {\n    [CmdletBinding(%s)]\n    param(%s)\n"+
		"    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }\n}\n",
		c.Name, strings.Join(binding, ", "), strings.Join(parameters, ","))
}

// declareParameter declares a parameter that the table describes.
func declareParameter(name, description string) string {
	parts := strings.Split(description, ", ")
	typeName := strings.Replace(parts[0], "SwitchParameter", "switch", 1)
	var attributes []string
	for _, part := range parts[1:] {
		alias, isAlias := strings.CutPrefix(part, "alias ")
		switch {
		case isAlias:
			attributes = append(attributes, "[Alias("+quoteText(alias)+")]")
		case strings.HasPrefix(part, "Validate"):
			attributes = append(attributes, "["+part+"()]")
		default:
			attributes = append(attributes, parameterAttribute(part))
		}
	}
	return fmt.Sprintf("%s [%s] $%s", strings.Join(attributes, " "), typeName, name)
}

// parameterAttribute declares what holds in one parameter set, such as
// "* mandatory 0 pipeline".
func parameterAttribute(set string) string {
	words := strings.Fields(set)
	var properties []string
	if words[0] != "*" {
		properties = append(properties, "ParameterSetName = "+quoteText(words[0]))
	}
	for _, word := range words[1:] {
		switch _, err := strconv.Atoi(word); {
		case err == nil:
			properties = append(properties, "Position = "+word)
		case word == "mandatory":
			properties = append(properties, "Mandatory = $true")
		case word == "pipeline":
			properties = append(properties, "ValueFromPipeline = $true")
		case word == "pipelineByName":
			properties = append(properties, "ValueFromPipelineByPropertyName = $true")
		}
	}
	return "[Parameter(" + strings.Join(properties, ", ") + ")]"
}

func quoteText(text string) string { return "'" + text + "'" }
