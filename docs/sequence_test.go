// Package docs tests the documents against the code.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryScriptAndRunbookLineOfTheSequenceExists(t *testing.T) {
	page := read(t, "sequence.md")
	runbook := read(t, "../workflows/rotate.go")
	for _, line := range unique(regexp.MustCompile("`(r\\.[a-zA-Z0-9]+)`"), page) {
		if !strings.Contains(runbook, line) {
			t.Errorf("sequence.md names %s, which is not in workflows/rotate.go", line)
		}
	}
	for _, line := range unique(regexp.MustCompile(`(?m)^\t\t(r\.[a-zA-Z0-9]+),(?: +//.*)?$`), runbook) {
		if !strings.Contains(page, "`"+line+"`") {
			t.Errorf("sequence.md leaves out %s of workflows/rotate.go", line)
		}
	}
	scripts, err := filepath.Glob("../internal/powershell/scripts/*.ps1")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("find scripts: %v, %d found", err, len(scripts))
	}
	for _, path := range scripts {
		name := strings.TrimSuffix(filepath.Base(path), ".ps1")
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("sequence.md leaves out the script %s", name)
		}
	}
}

func unique(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
