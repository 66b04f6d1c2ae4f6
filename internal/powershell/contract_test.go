package powershell_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// calls are all parameter structs, every field set, so that none is omitted.
func calls() []interface{ Script() string } {
	yes, now := true, time.Now()
	return []interface{ Script() string }{
		powershell.GetOfficeServer{},
		powershell.ImportS2SCertificate{},
		powershell.GrantS2SKey{},
		powershell.ExportS2SCertificate{},
		powershell.SetS2SCertificateName{},
		powershell.SetOfficeHTTPSwitch{AllowOutboundHTTP: &yes, AllowHTTPSecureStoreConnections: &yes},
		powershell.RestartOfficeServer{NotBefore: &now},
		powershell.GetSharePointFarm{},
		powershell.SetTrustedIssuer{},
		powershell.AddRootAuthority{},
		powershell.GetSharePointServer{},
		powershell.RestartSharePointServer{},
		powershell.InvokeSharePointTask{},
		powershell.RestoreTrustedIssuer{},
		powershell.RestoreS2SCertificateName{},
		powershell.RemoveRootAuthority{},
		powershell.RevokeS2SKey{},
		powershell.RemoveS2SCertificate{},
		powershell.GetCertificateUse{},
		powershell.HideS2SCertificate{},
	}
}

func TestEveryScriptHasItsCallAndEveryCallItsScript(t *testing.T) {
	t.Parallel()
	var named []string
	for _, call := range calls() {
		named = append(named, call.Script())
	}
	slices.Sort(named)
	if diff := cmp.Diff(named, powershell.Scripts()); diff != "" {
		t.Errorf("calls -, scripts +:\n%s", diff)
	}
}

// declared matches the name of a parameter in a script's param block.
var declared = regexp.MustCompile(`\[[\w\[\]]+\] \$(\w+)`)

func TestScriptParametersAreTheKeysOfTheirStructs(t *testing.T) {
	t.Parallel()
	for _, call := range calls() {
		raw, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(raw, &keys); err != nil {
			t.Fatal(err)
		}
		var want []string
		for key := range keys {
			want = append(want, key)
		}
		var got []string
		source, err := powershell.Source(call.Script())
		if err != nil {
			t.Fatal(err)
		}
		_, block, _ := strings.Cut(source, "\nparam(")
		block, _, _ = strings.Cut(block, "\nSet-StrictMode")
		for _, match := range declared.FindAllStringSubmatch(block, -1) {
			got = append(got, match[1])
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: parameters %v, struct %v", call.Script(), got, want)
		}
	}
}

func TestEveryRefusalOfAScriptHasARemedy(t *testing.T) {
	t.Parallel()
	stops := regexp.MustCompile(`Stop-Script -Id '(\w+)'`)
	used := map[string]bool{}
	text := powershell.Prelude() + powershell.TaskScript()
	for _, name := range powershell.Scripts() {
		source, err := powershell.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		text += source
	}
	for _, match := range stops.FindAllStringSubmatch(text, -1) {
		id := "farmtrust." + match[1]
		used[id] = true
		if powershell.Remedy(id) == "" {
			t.Errorf("%s has no remedy", id)
		}
	}
	codes, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`= "(farmtrust\.\w+)"`).FindAllStringSubmatch(string(codes), -1) {
		if !used[match[1]] {
			t.Errorf("no script refuses with %s", match[1])
		}
	}
}

func TestStandInsCoverWhatOnlyWindowsCanRun(t *testing.T) {
	t.Parallel()
	defined := regexp.MustCompile(`(?m)^function ([\w-]+)`)
	var standins []byte
	for _, name := range []string{"windows.ps1", "retire.ps1"} {
		text, err := os.ReadFile(filepath.Join("testdata/standins", name))
		if err != nil {
			t.Fatal(err)
		}
		standins = append(standins, text...)
	}
	files, err := filepath.Glob("scripts/prelude/windows/*.ps1")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	// Helpers that only the replaced functions call need no stand-in.
	inner := []string{"Get-LegacyKey", "Test-ReadEntry"}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range defined.FindAllStringSubmatch(string(source), -1) {
			if filepath.Base(file) != "task.ps1" && // It runs anywhere.
				!slices.Contains(inner, match[1]) && !strings.Contains(string(standins), "function "+match[1]+" {") {
				t.Errorf("%s of %s has no stand-in", match[1], filepath.Base(file))
			}
		}
	}
}
