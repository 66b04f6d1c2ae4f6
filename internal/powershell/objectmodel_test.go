package powershell_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// This function of the prelude needs SharePoint's object model, for which there
// is a stub in C#.
func TestGetAppPermission(t *testing.T) {
	t.Parallel()
	spec := newFrontEnd(editions["Subscription Edition"])
	spec.sharePoint.Permissions = map[string]model.AppPermission{
		sharePointIssuer: {Right: "FullControl", AppOnly: true}, "none": {Right: "None"},
	}
	source, err := os.ReadFile("scripts/prelude/windows/sharepoint.ps1")
	requireNoError(t, err)
	script := `[CmdletBinding()] param([string] $Code, [string[]] $Names, [string] $Site)
Add-Type -TypeDefinition $Code
` + string(source) + `
$web = [pscustomobject] @{ Url = $Site }
return , @(foreach ($name in $Names) { $found = Get-AppPermission -Web $web -RegisteredName $name; '{0} {1}' -f $found.Right, $found.AppOnly })`
	var got []string
	params := map[string]any{"Code": pwsh.ObjectModel(), "Names": []string{sharePointIssuer, "none", sqlIssuer}, "Site": site}
	// In a process of its own, which loads the types.
	s := newServerOn(t, processEngine, spec)
	requireNoError(t, s.RunText(t.Context(), target, powershell.Call{Script: "Probe", Params: params}, script, &got))
	if diff := cmp.Diff([]string{"FullControl True", " False", " False"}, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
