package pwsh

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

//go:embed stubs
var stubs embed.FS

// Stubs are the stubs for what of a script's prelude needs Windows, and for
// Windows' own cmdlets, as text for [powershell.PreludeOn]. The SharePoint task
// keeps its files as on Windows.
func Stubs() string {
	return powershell.TaskFiles() + "\n" + readStubs("model.ps1", "windows.ps1", "system.ps1", "task.ps1")
}

// stubsWithTask are the stubs where the task's script is installed on the
// simulated server, and a copy with stubs in it runs.
func stubsWithTask() string { return Stubs() + readStubs("hash.ps1") }

// InstallerStubs are the stubs for [powershell.TaskInstallerOn]. What is behind
// them, [Overrides] say.
func InstallerStubs() string { return Stubs() + readStubs("install.ps1") }

func readStubs(names ...string) string {
	var text strings.Builder
	for _, name := range names {
		raw, err := stubs.ReadFile("stubs/" + name)
		if err != nil {
			panic(err) // It is embedded by name.
		}
		text.Write(raw)
		text.WriteString("\n")
	}
	return text.String()
}

// productModules are the products' modules and snap-in, by the files of their stubs,
// and a version that has their cmdlets.
func productModules() map[string]string {
	return map[string]string{
		"office/OfficeWebApps/OfficeWebApps.psm1":                                     "OOS",
		"snapin/Microsoft.SharePoint.PowerShell/Microsoft.SharePoint.PowerShell.psm1": "2016",
		"subscription/SharePointServer/SharePointServer.psm1":                         "SE",
	}
}

// installStubs writes the products' modules and snap-in into a folder, for
// [environmentOf].
func installStubs(dir string) error {
	files := map[string]string{"model.ps1": readStubs("model.ps1")}
	for file, version := range productModules() {
		files[file] = stubModule(version)
	}
	for file, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(file))
		const private = 0o700
		err := os.MkdirAll(filepath.Dir(path), private)
		if err == nil {
			err = os.WriteFile(path, []byte(text), private)
		}
		if err != nil {
			return fmt.Errorf("install stubs: %w", err)
		}
	}
	return nil
}

// product is what is installed on a server.
type product string

// The products, by the name of the folder with their cmdlets.
const (
	officeModule     product = "office"
	sharePointSnapIn product = "snapin"
	sharePointModule product = "subscription"
)

// installedProducts lists the products on a session's machine.
func installedProducts(session *model.Session) (products []product, err error) {
	office, err := session.OfficeInstalled()
	if err != nil {
		return nil, err
	}
	if office {
		products = append(products, officeModule)
	}
	edition, err := session.SharePointEdition()
	switch edition {
	case model.SnapIn:
		products = append(products, sharePointSnapIn)
	case model.Module:
		products = append(products, sharePointModule)
	}
	return products, err
}

// environmentOf are the variables by which a process finds the cmdlets of the
// products that are on its server, among the stubs in dir.
func environmentOf(dir string, products []product) []string {
	modules, snapIns := "", ""
	for _, p := range products {
		folder := filepath.Join(dir, string(p))
		if p == sharePointSnapIn {
			snapIns = folder
			continue
		}
		modules += string(filepath.ListSeparator) + folder
	}
	return []string{"PSModulePath=" + modules, "FARMTRUST_SNAPINS=" + snapIns, `ProgramData=C:\ProgramData`, `SystemRoot=C:\Windows`}
}

// ObjectModel is the stub, in C#, for the part of SharePoint's object model that
// the prelude uses. The stubs of [Stubs] take the place of that part.
func ObjectModel() string { return readStubs("Microsoft.SharePoint.cs") }
