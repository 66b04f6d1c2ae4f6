package powershell_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// requirePowerShell returns the path of a PowerShell, or skips the test.
func requirePowerShell(t *testing.T) string {
	t.Helper()
	path, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	return path
}

// checkScripts runs the check on scripts, by their paths, and returns what it
// finds.
func checkScripts(t *testing.T, files map[string]string) []string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), requirePowerShell(t), "-NoProfile", "-NonInteractive", "-File", "testdata/check/check.ps1") //nolint:gosec // the PowerShell that tests are run with
	cmd.Env = append(os.Environ(), "FARMTRUST_CHECK="+root)
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(out), "\r\n", "\n")), "\n")
	if last := lines[len(lines)-1]; err != nil || last != fmt.Sprintf("checked %d", len(files)) {
		t.Fatalf("the check failed: %v\n%s", err, out)
	}
	return lines[:len(lines)-1]
}

func TestCheck(t *testing.T) {
	t.Parallel()
	t.Run("the shipped scripts have no findings", func(t *testing.T) {
		t.Parallel()
		files := map[string]string{}
		read := func(path, name string) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(raw)
		}
		for _, pattern := range []string{"scripts/*.ps1", "scripts/prelude/*.ps1", "scripts/prelude/windows/*.ps1"} {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				read(path, strings.TrimPrefix(filepath.ToSlash(path), "scripts/"))
			}
		}
		read("bootstrap.ps1", "bootstrap/bootstrap.ps1")
		for _, name := range []string{"farmtrust-sharepoint.ps1", "Install-FarmtrustTask.ps1"} {
			read(filepath.Join(shipped, name), name)
		}
		if got := checkScripts(t, files); len(got) != 0 {
			t.Errorf("findings:\n%s", strings.Join(got, "\n"))
		}
	})
	t.Run("the scripts of the task need no other file", func(t *testing.T) {
		t.Parallel()
		for name, script := range map[string]string{"task": powershell.TaskScript(), "installer": powershell.TaskInstaller()} {
			if got := checkScripts(t, map[string]string{name + ".ps1": script}); len(got) != 0 {
				t.Errorf("findings:\n%s", strings.Join(got, "\n"))
			}
		}
	})
}

const goodScript = `<#
.SYNOPSIS
A script.
.DESCRIPTION
Source: none.
.PARAMETER Name
A name.
#>
[CmdletBinding()]
param([string] $Name = '')

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
[pscustomobject] @{ name = $Name }
`

func TestCheck_FindsEachMistake(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, script, finding string }{
		{"ternary", "$x = $true ? 1 : 2", "needs PowerShell 7: ternary operator"},
		{"null coalescing", "$x = $y ?? 1", "needs PowerShell 7: ??"},
		{"null coalescing assignment", "$x ??= 1", "needs PowerShell 7: ??"},
		{"null conditional member", "${x}?.Length", "needs PowerShell 7: ?."},
		{"null conditional index", "${x}?[0]", "needs PowerShell 7: ?["},
		{"and chain", "Get-Service && Get-Service", "needs PowerShell 7: && or ||"},
		{"or chain", "Get-Service || Get-Service", "needs PowerShell 7: && or ||"},
		{"syntax error", "if (", "Missing condition"},
		{"unknown command", "Get-Nothing", "unknown command or alias: Get-Nothing"},
		{"alias", "gci", "unknown command or alias: gci"},
		{"alias of one character", "1 | ? { $_ }", "unknown command or alias: ?"},
		{"command of PowerShell 7", "Get-Uptime", "unknown command or alias: Get-Uptime"},
		{"unknown parameter", "Get-Service -Nothing x", "unknown parameter: Get-Service -Nothing"},
		{"shortened parameter", "Get-Service -Na x", "unknown parameter: Get-Service -Na"},
		{"parameter of one product version", "Set-SPTrustedSecurityTokenIssuer -Identity x -Force", "unknown parameter: Set-SPTrustedSecurityTokenIssuer -Force"},
		{"parameter of a function of ours", "function Test-It { param($A) } Test-It -B 1", "unknown parameter: Test-It -B"},
		{"unknown type", "[System.Nothing]::X", "unknown type: System.Nothing"},
		{"type of .NET alone", "[System.Security.Cryptography.HKDF]::Extract(1)", "unknown type: System.Security.Cryptography.HKDF"},
		{"constructed type", "New-Object System.Nothing", "unknown type: System.Nothing"},
		{"type in a cast", "[System.Half] 1", "unknown type: System.Half"},
		{"type argument", "New-Object System.Collections.Generic.List[System.Half]", "unknown type: System.Half"},
		{"static member of .NET alone", "[Convert]::ToHexString(1)", "unknown member: [Convert] ToHexString"},
		{"member of a constructed variable", "$x = New-Object System.Text.StringBuilder; $x.AppendJoin(1)", "unknown member: [System.Text.StringBuilder] AppendJoin"},
		{"member of a typed parameter", "param([datetime] $T) $T.Nanosecond", "unknown member: [System.DateTime] Nanosecond"},
		{"type named at run time", "New-Object $x", "type named at run time"},
		{"member named at run time", "$x.$y", "member named at run time"},
		{"command named at run time", "& $x", "command named at run time: $x"},
		{"command in a string", "& \"Get-$x\"", "command named at run time"},
		{"Invoke-Expression", "Invoke-Expression 'x'", "unknown command or alias: Invoke-Expression"},
		{"text compiled", "[ScriptBlock]::Create('x')", "command built from text"},
		{"secret as a parameter", "New-Object System.String $FarmTrustSecrets[0]", "secret bound to a parameter of New-Object"},
		{"not ASCII", "'gr\u00fcn'", "not plain ASCII"},
		{"tabulator", "\t1", "not plain ASCII"},
	}
	files := map[string]string{}
	path := func(name string) string { return "samples/" + strings.ReplaceAll(name, " ", "-") + ".ps1" }
	for _, c := range cases {
		files[path(c.name)] = c.script
	}
	got := checkScripts(t, files)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			found := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return !strings.HasPrefix(line, path(c.name)) })
			if !slices.ContainsFunc(found, func(line string) bool {
				return strings.HasPrefix(line, path(c.name)+":1: ") && strings.Contains(line, c.finding)
			}) {
				t.Errorf("in %q it finds %q, want %q", c.script, found, c.finding)
			}
		})
	}
}

func TestCheck_FindsMissingParts(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, from, to, finding string }{
		{"binding", "[CmdletBinding()]\n", "", "script without [CmdletBinding()]"},
		{"source", "Source:", "Sauce:", "script without help that names its source"},
		{"parameter help", ".PARAMETER Name\nA name.\n", "", "parameter without help: Name"},
		{"type", "[string] $Name", "$Name", "parameter without type: Name"},
		{"strict mode", "Set-StrictMode", "#", "script without strict mode"},
		{"errors", "'Stop'", "'Continue'", "script that goes on after errors"},
	}
	files := map[string]string{"good.ps1": goodScript}
	for _, c := range cases {
		files[c.name+".ps1"] = strings.Replace(goodScript, c.from, c.to, 1)
	}
	var got, want []string
	for _, finding := range checkScripts(t, files) {
		file, rest, _ := strings.Cut(finding, ":")
		_, text, _ := strings.Cut(rest, ": ")
		got = append(got, file+" "+text)
	}
	for _, c := range cases {
		want = append(want, c.name+".ps1 "+c.finding)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
