package cmdlets

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed standins
var standins embed.FS

// operations are all operations, by what their stand-ins are called.
func operations() map[string]operation {
	all := map[string]operation{}
	for _, some := range []map[string]operation{storeOperations(), keyOperations(), machineOperations(), officeOperations(), sharePointOperations(), taskOperations()} {
		maps.Copy(all, some)
	}
	return all
}

// Prelude are the stand-ins for what of a script's prelude needs Windows, and
// for Windows' own cmdlets.
func Prelude() string {
	var text strings.Builder
	for _, name := range []string{"door.ps1", "windows.ps1", "system.ps1", "task.ps1"} {
		text.WriteString(read(name) + "\n")
	}
	return text.String()
}

func read(name string) string {
	raw, err := standins.ReadFile("standins/" + name)
	if err != nil {
		panic(err) // It is embedded by name.
	}
	return string(raw)
}

// Install writes the products' modules and snap-in into a folder, for
// [Environment].
func Install(dir string) error {
	tree, err := fs.Sub(standins, "standins")
	if err != nil {
		return fmt.Errorf("install stand-ins: %w", err)
	}
	if err := os.CopyFS(dir, tree); err != nil {
		return fmt.Errorf("install stand-ins: %w", err)
	}
	return nil
}

// Product is what is installed on a server.
type Product string

// The products, by the name of the folder with their cmdlets.
const (
	Office       Product = "office"
	Classic      Product = "snapin"
	Subscription Product = "subscription"
)

// Environment are the variables by which a process finds the cmdlets of the
// products that are on its server, among those that [Install] wrote.
func Environment(dir string, products ...Product) []string {
	modules, snapIns := "", ""
	for _, p := range products {
		folder := filepath.Join(dir, string(p))
		if p == Classic {
			snapIns = folder
			continue
		}
		modules += string(filepath.ListSeparator) + folder
	}
	return []string{"PSModulePath=" + modules, "FARMTRUST_SNAPINS=" + snapIns, `ProgramData=C:\ProgramData`, `SystemRoot=C:\Windows`}
}

// Names lists what has an operation, sorted.
func Names() []string { return slices.Sorted(maps.Keys(operations())) }
