package powershell_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The function of the prelude that no other test here can run: it needs
// SharePoint's object model.
func TestAppPermissionsAreReadFromSharePointsObjectModel(t *testing.T) {
	t.Parallel()
	w := with(frontEnd(editions["Subscription Edition"]), "sharePoint", "permissions", []permissionEntry{
		{Site: site, RegisteredName: sharePointIssuer, Right: "FullControl", AppOnly: true},
		{Site: site, RegisteredName: "none", Right: "None"},
	})
	e := newEngine(t, w)
	script := `[CmdletBinding()] param([string] $Folder, [string[]] $Names, [string] $Site)
Add-Type -Path "$Folder/Microsoft.SharePoint.cs"
` + textOf(t, "scripts/prelude/windows/sharepoint.ps1") + `
$web = [pscustomobject] @{ Url = $Site }
return , @(foreach ($name in $Names) { $found = Get-AppPermission -Web $web -RegisteredName $name; '{0} {1}' -f $found.Right, $found.AppOnly })`
	var got []string
	params := map[string]any{"Folder": e.standins, "Names": []string{sharePointIssuer, "none", sqlIssuer}, "Site": site}
	call := powershell.Call{Script: "Probe", Params: params}
	if err := e.runText(t.Context(), powershell.Target{Host: "sp-01"}, call, script, &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"FullControl True", " False", " False"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
