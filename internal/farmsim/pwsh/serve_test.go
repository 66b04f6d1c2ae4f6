package pwsh_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
)

// TestServe_BothProducts checks that a PowerShell of its own uses both
// products.
func TestServe_BothProducts(t *testing.T) {
	t.Parallel()
	path, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	world := model.New(model.Policy{})
	for _, err := range []error{
		world.AddMachine(model.MachineSpec{Host: office, Build: 20348}),
		world.NewOfficeFarm(model.OfficeSettings{}, office),
		world.NewSharePointFarm(model.SharePointSpec{Name: "portal", Version: versions["SE"], Servers: []string{office}, Sites: []string{site}}, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	session, err := world.LogOn(office, administrator)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	served, err := pwsh.Serve(session, folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := served.Close(); err != nil {
			t.Error(err)
		}
	})
	modules := filepath.Join(folder, "office") + string(filepath.ListSeparator) + filepath.Join(folder, "subscription")
	cmd := exec.CommandContext(t.Context(), path, "-NoProfile", "-NonInteractive", "-Command",
		"Import-Module OfficeWebApps, SharePointServer -DisableNameChecking; (Get-OfficeWebAppsMachine).MachineName; [string] (Get-SPFarm).BuildVersion")
	cmd.Env = append(append(os.Environ(), served.Environment...), "PSModulePath="+modules)
	out, err := cmd.CombinedOutput()
	if diff := cmp.Diff([]string{"OOS-01", versions["SE"]}, strings.Fields(string(out))); err != nil || diff != "" {
		t.Errorf("error %v, want -, got +:\n%s", err, diff)
	}
}
