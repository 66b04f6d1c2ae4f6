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

	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// namedParams are the parameters of a script, with the script's name.
type namedParams struct {
	script string
	params any
}

func paramsOf[R any](params powershell.Params[R]) namedParams {
	return namedParams{script: powershell.ScriptOf(params), params: params}
}

// allParams returns every parameter struct, with all optional fields set, so
// that JSON omits none.
func allParams() []namedParams {
	yes, now := true, time.Now()
	return []namedParams{
		paramsOf(powershell.GetOfficeServer{}),
		paramsOf(powershell.ImportS2SCertificate{}),
		paramsOf(powershell.GrantS2SKey{}),
		paramsOf(powershell.ExportS2SCertificate{}),
		paramsOf(powershell.SetS2SCertificateName{}),
		paramsOf(powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &yes, AllowHTTPSecureStoreConnections: &yes}),
		paramsOf(powershell.RestartOfficeServer{NotBefore: &now, UnlessNoted: &now}),
		paramsOf(powershell.StartOfficeServer{}),
		paramsOf(powershell.GetSharePointFarm{}),
		paramsOf(powershell.SetTrustedIssuer{}),
		paramsOf(powershell.AddRootAuthority{}),
		paramsOf(powershell.GetSharePointServer{}),
		paramsOf(powershell.RestartSharePointServer{}),
		paramsOf(powershell.InvokeSharePointTask{}),
		paramsOf(powershell.RestoreTrustedIssuer{}),
		paramsOf(powershell.RestoreS2SCertificateName{}),
		paramsOf(powershell.RemoveRootAuthority{}),
		paramsOf(powershell.RevokeS2SKey{}),
		paramsOf(powershell.RemoveS2SCertificate{}),
		paramsOf(powershell.GetCertificateUse{}),
		paramsOf(powershell.SetS2SCertificateArchived{}),
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	t.Run("every script has parameters", func(t *testing.T) {
		t.Parallel()
		var named []string
		for _, call := range allParams() {
			named = append(named, call.script)
		}
		slices.Sort(named)
		if diff := cmp.Diff(named, powershell.Scripts()); diff != "" {
			t.Errorf("calls -, scripts +:\n%s", diff)
		}
	})
	t.Run("parameters are those of the script", func(t *testing.T) {
		t.Parallel()
		for _, call := range allParams() {
			raw, err := json.Marshal(call.params)
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
			source, err := powershell.Source(call.script)
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
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: struct -, script +:\n%s", call.script, diff)
			}
		}
	})
}

// declared matches the name of a parameter in a script's param block.
var declared = regexp.MustCompile(`\[[\w\[\]]+\] \$(\w+)`)

func TestRemedy_EveryErrorHasOne(t *testing.T) {
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

func TestStubs_CoverWindowsOnlyCode(t *testing.T) {
	t.Parallel()
	defined := regexp.MustCompile(`(?m)^function ([\w-]+)`)
	stubs := pwsh.InstallerStubs()
	files, err := filepath.Glob("scripts/prelude/windows/*.ps1")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	// Helpers that only the replaced functions call need no stub.
	inner := []string{"Find-MachineKeyFile", "Get-LegacyKey", "Open-KeyContainer", "Test-ReadEntry", "Get-ConfigurationString", "Get-DatabaseState"}
	for _, file := range append(files, "scripts/install/windows.ps1") {
		source, err := os.ReadFile(file)
		requireNoError(t, err)
		for _, match := range defined.FindAllStringSubmatch(string(source), -1) {
			if !slices.Contains(inner, match[1]) && !strings.Contains(stubs, "function "+match[1]+" {") {
				t.Errorf("%s of %s has no stub", match[1], filepath.Base(file))
			}
		}
	}
}
