package internal_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/farmtrust/farmtrust/"

// mayImport is policy, not a description: it says which of our packages each
// package may import. Do not change it to make a build pass.
//
// Package workflows stands above activities, and both reach servers only
// through powershell.Runner, which internal/host fills in.
var mayImport = map[string][]string{
	"workflows":               {"activities", "internal/farm", "internal/controller", "internal/report"},
	"activities":              {"internal/audit", "internal/controller", "internal/farm", "internal/cert", "internal/powershell", "internal/seal"},
	"worker":                  {"workflows", "internal/config", "internal/connect", "internal/console", "internal/deployment", "internal/farm", "internal/codecserver", "internal/host", "internal/keyring", "internal/logging", "internal/namespace", "internal/payload", "internal/token", "internal/powershell", "internal/preflight", "internal/replay", "internal/report", "internal/version", "internal/guard", "internal/mtls", "internal/secret"},
	"starter":                 {"workflows", "internal/audit", "internal/client", "internal/config", "internal/connect", "internal/console", "internal/controller", "internal/delivery", "internal/event", "internal/farm", "internal/ingest", "internal/keyring", "internal/logging", "internal/payload", "internal/preflight", "internal/report", "internal/version"},
	"internal/audit":          {"internal/farm", "internal/keyring"},
	"internal/farm":           {},
	"internal/secret":         {},
	"internal/seal":           {"internal/keyring"},
	"internal/version":        {},
	"internal/powershell":     {},
	"internal/config":         {"internal/event", "internal/farm", "internal/secret", "internal/sshsig"},
	"internal/intake":         {"internal/config", "internal/delivery", "internal/event", "internal/preflight", "internal/secret", "internal/token"},
	"internal/ingest":         {"internal/client", "internal/config", "internal/delivery", "internal/farm", "internal/intake", "internal/pull"},
	"internal/sshsig":         {},
	"internal/token":          {},
	"internal/notify":         {"internal/controller", "internal/secret"},
	"internal/authority":      {"internal/config", "internal/farm", "internal/sshsig", "internal/token"},
	"internal/cert":           {"internal/farm"},
	"internal/source":         {"internal/cert", "internal/secret", "internal/farm"},
	"internal/preflight":      {"internal/config", "internal/secret", "internal/source", "internal/cert", "internal/farm"},
	"internal/event":          {"internal/farm"},
	"internal/pull":           {"internal/config", "internal/delivery", "internal/event", "internal/version"},
	"internal/delivery":       {"internal/client", "internal/controller", "internal/event", "internal/farm"},
	"internal/console":        {"internal/farm", "internal/report"},
	"internal/ntlm":           {},
	"internal/winrm":          {"internal/ntlm", "internal/powershell", "internal/secret"},
	"internal/connect":        {"internal/secret"},
	"internal/keyring":        {"internal/secret"},
	"internal/payload":        {"internal/keyring"},
	"internal/codecserver":    {"internal/payload", "internal/secret"},
	"internal/logging":        {"internal/farm", "internal/report"},
	"internal/deployment":     {},
	"internal/guard":          {},
	"internal/mtls":           {},
	"internal/namespace":      {"internal/connect"},
	"internal/replay":         {"internal/connect", "internal/payload"},
	"internal/controller":     {"internal/farm"},
	"internal/report":         {"internal/controller", "internal/farm"},
	"internal/client":         {"workflows", "activities", "internal/controller", "internal/farm"},
	"internal/scriptcoverage": {},
	"internal/host": {
		"workflows", "activities", "internal/audit", "internal/farm", "internal/config", "internal/secret", "internal/cert", "internal/source",
		"internal/winrm", "internal/authority", "internal/client", "internal/deployment", "internal/ingest", "internal/preflight", "internal/version", "internal/keyring", "internal/notify", "internal/seal",
	},
	"internal/farmsim": {
		"internal/farm", "internal/powershell", "internal/farmsim/model", "internal/farmsim/scripts", "internal/farmsim/pwsh",
		"internal/farmsim/wsman", "internal/farmsim/fault",
	},
	"internal/farmsim/model":       {"internal/farm"},
	"internal/farmsim/scripts":     {"internal/farm", "internal/powershell", "internal/farmsim/model"},
	"internal/farmsim/pwsh":        {"internal/farm", "internal/powershell", "internal/farmsim/model"},
	"internal/farmsim/wsman":       {},
	"internal/farmsim/fault":       {"internal/farmsim/wsman", "internal/farmsim/model"},
	"internal/farmsim/admin":       {"internal/farmsim/model", "internal/farmsim/fault"},
	"internal/farmsim/testfarm":    {"internal/farmsim", "internal/farm", "internal/cert", "internal/farmsim/model"},
	"internal/farmsim/cmd/stubs":   {"internal/farmsim/model", "internal/farmsim/pwsh"},
	"internal/temporaltest":        {"internal/connect"},
	"internal/token/tokentest":     {},
	"internal/farmsim/cmd/farmsim": {"internal/farm", "internal/farmsim", "internal/farmsim/model", "internal/farmsim/admin"},
}

// mustNotReach are packages that must not be linked in, even indirectly.
var mustNotReach = map[string]string{
	"workflows":  "internal/winrm",
	"activities": "internal/winrm",
	"starter":    "internal/winrm",
	"worker":     "internal/farmsim",
}

func TestPackagesImportOnlyWhatTheHousePlanAllows(t *testing.T) {
	seen := map[string]bool{}
	// Folders that hold nothing but tests are no packages of the house.
	for _, line := range list(t, "{{if .GoFiles}}{{.ImportPath}}|{{join .Imports \",\"}}{{end}}", "./...") {
		if line == "" {
			continue
		}
		path, imports, _ := strings.Cut(line, "|")
		name := strings.TrimPrefix(path, module)
		allowed, listed := mayImport[name]
		if !listed {
			t.Errorf("package %s is not in the house plan: add it with what it may import", name)
			continue
		}
		seen[name] = true
		for i := range strings.SplitSeq(imports, ",") {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("package %s must not import %s", name, ours)
			}
		}
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("package %s is in the house plan but does not exist", name)
		}
	}
}

func TestTheTransportAndTheSimulationStayOutOfReach(t *testing.T) {
	for from, banned := range mustNotReach {
		for _, dep := range list(t, "{{join .Deps \"\\n\"}}", "./"+from) {
			if ours, ok := strings.CutPrefix(dep, module); ok && (ours == banned || strings.HasPrefix(ours, banned+"/")) {
				t.Errorf("package %s reaches %s", from, ours)
			}
		}
	}
}

func list(t *testing.T, format string, pattern string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", format, pattern)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Temporal Cloud does not offer the OperatorService, and managed clusters do not
// permit it to workers.
func TestOnlyNamespaceUsesTheOperatorService(t *testing.T) {
	for _, line := range list(t, "{{range .GoFiles}}{{$.ImportPath}}|{{$.Dir}}/{{.}}\n{{end}}", "./...") {
		name, file, ok := strings.Cut(line, "|")
		if !ok || name == module+"internal/namespace" {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "OperatorService()") {
			t.Errorf("%s uses the OperatorService", file)
		}
	}
}
