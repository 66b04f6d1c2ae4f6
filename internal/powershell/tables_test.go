package powershell_test

import (
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readRecording decodes one of the recorded interfaces in testdata/recordings:
// the complete commands of Windows PowerShell 5.1, cmdlets of the products, and
// types of .NET Framework. Each names its source. What the check allows is a
// small part of them, so that a wrong entry in its tables fails.
func readRecording(t *testing.T, name string, into any) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata/recordings", name+".json.gz"))
	requireNoError(t, err)
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	requireNoError(t, err)
	requireNoError(t, json.NewDecoder(unpacked).Decode(into))
}

// readTable decodes a table of the check.
func readTable(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/check", name))
	requireNoError(t, err)
	requireNoError(t, json.Unmarshal(raw, into))
}

type commandTables struct {
	Windows  map[string][]string `json:"windows"`
	Products map[string][]string `json:"products"`
}

// assertRecorded asserts that a recording has every name in a table. A table with
// more would let a script pass that no server runs.
func assertRecorded(t *testing.T, what string, table []string, recorded map[string]bool) {
	t.Helper()
	for _, name := range table {
		if !recorded[name] {
			t.Errorf("%s: %s was not recorded", what, name)
		}
	}
}

func TestTables_CommandsOfWindows(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Modules map[string]map[string]string `json:"modules"`
	}
	readRecording(t, "windows-powershell-5.1", &recorded)
	var tables commandTables
	readTable(t, "commands.json", &tables)
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
		assertRecorded(t, name, parameters, known)
	}
}

func TestTables_CmdletsOfEveryVersion(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Products map[string]map[string]struct {
			Parameters map[string]json.RawMessage `json:"parameters"`
		} `json:"products"`
	}
	readRecording(t, "cmdlets", &recorded)
	var tables commandTables
	readTable(t, "commands.json", &tables)
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
			assertRecorded(t, version+": "+name, parameters, known)
		}
	}
}

// TestTables_DocumentedTypes checks that what rests on documentation alone was not
// recorded, and that it says where it is documented.
func TestTables_DocumentedTypes(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Types map[string][]string `json:"types"`
	}
	readRecording(t, "dotnet-framework-4.6.2", &recorded)
	var tables struct {
		Framework  map[string][]string `json:"framework"`
		Documented map[string][]string `json:"documented"`
		Source     string              `json:"documented source"`
	}
	readTable(t, "types.json", &tables)
	if tables.Source == "" {
		t.Error("no source")
	}
	for name := range tables.Documented {
		if _, ok := recorded.Types[name]; ok {
			t.Errorf("%s was recorded", name)
		}
		if _, ok := tables.Framework[name]; ok {
			t.Errorf("%s is in two tables", name)
		}
		if !strings.HasPrefix(name, "System.Data.") {
			t.Errorf("%s: the source is that of System.Data", name)
		}
	}
}

func TestTables_TypesOfTheFramework(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Types map[string][]string `json:"types"`
	}
	readRecording(t, "dotnet-framework-4.6.2", &recorded)
	var tables struct {
		Framework map[string][]string `json:"framework"`
	}
	readTable(t, "types.json", &tables)
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
		assertRecorded(t, name, members, known)
	}
	if len(tables.Framework) == 0 || slices.Contains(slices.Collect(maps.Keys(tables.Framework)), "") {
		t.Error("the table of types is empty, or names one that has no name")
	}
}
