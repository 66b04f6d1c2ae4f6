package powershell_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recordings is the folder that holds the complete interfaces, as recorded on
// real servers, of which the check's tables are what our scripts use.
func recordings(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("FARMTRUST_RECORDINGS")
	if folder == "" {
		t.Skip("no recorded interfaces: FARMTRUST_RECORDINGS names their folder")
	}
	return folder
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

type commandTables struct {
	Windows  map[string][]string `json:"windows"`
	Products map[string][]string `json:"products"`
}

// every name in a table stands in the recording too; a table that says more
// than was recorded lets a script pass that no server runs.
func within(t *testing.T, what string, table []string, recorded map[string]bool) {
	t.Helper()
	for _, name := range table {
		if !recorded[name] {
			t.Errorf("%s: %s was not recorded", what, name)
		}
	}
}

func TestCommandsOfTheTablesWereRecordedOnWindows(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Modules map[string]map[string]string `json:"modules"`
	}
	readJSON(t, filepath.Join(recordings(t), "windows-powershell-5.1.json"), &recorded)
	var tables commandTables
	readJSON(t, "testdata/check/commands.json", &tables)
	parameter := regexp.MustCompile(`-(\w+)`)
	syntax := map[string]string{}
	for _, module := range recorded.Modules {
		maps.Copy(syntax, module)
	}
	for name, parameters := range tables.Windows {
		known := map[string]bool{}
		for _, match := range parameter.FindAllStringSubmatch(syntax[name], -1) {
			known[match[1]] = true
		}
		if _, ok := syntax[name]; !ok {
			t.Errorf("%s was not recorded", name)
		}
		// Parameters of all that may change something are left out there.
		known["WhatIf"], known["Confirm"] = true, true
		within(t, name, parameters, known)
	}
}

func TestCmdletsOfTheTablesWereRecordedForEveryVersion(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Products map[string]map[string]struct {
			Parameters map[string]json.RawMessage `json:"parameters"`
		} `json:"products"`
	}
	readJSON(t, filepath.Join(recordings(t), "cmdlets.json"), &recorded)
	var tables commandTables
	readJSON(t, "testdata/check/commands.json", &tables)
	for name, parameters := range tables.Products {
		for version, cmdlets := range recorded.Products {
			if strings.Contains(version, "SharePoint") != strings.Contains(name, "-SP") {
				continue
			}
			cmdlet, ok := cmdlets[name]
			if !ok {
				t.Errorf("%s: %s was not recorded", version, name)
			}
			known := map[string]bool{"WhatIf": true, "Confirm": true}
			for parameter := range cmdlet.Parameters {
				known[parameter] = true
			}
			within(t, version+": "+name, parameters, known)
		}
	}
}

func TestTypesOfTheTablesAreThoseOfTheFramework(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Types map[string][]string `json:"types"`
	}
	readJSON(t, filepath.Join(recordings(t), "dotnet-framework-4.6.2.json"), &recorded)
	var tables struct {
		Framework map[string][]string `json:"framework"`
	}
	readJSON(t, "testdata/check/types.json", &tables)
	member := regexp.MustCompile(`^(?:static )?(: .+|\w+)`)
	for name, members := range tables.Framework {
		signatures, ok := recorded.Types[name]
		if !ok {
			t.Errorf("%s was not recorded", name)
		}
		known := map[string]bool{}
		for _, signature := range signatures {
			if match := member.FindStringSubmatch(signature); match != nil {
				known[match[1]] = true
			}
		}
		within(t, name, members, known)
	}
	if len(tables.Framework) == 0 || slices.Contains(slices.Collect(maps.Keys(tables.Framework)), "") {
		t.Error("the table of types is empty, or names one that has no name")
	}
}
