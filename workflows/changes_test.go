package workflows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// changeID matches the identity of a change in the source.
var changeID = regexp.MustCompile(`(?m)^\s*(?:const )?(?:change\w+ change|recallsRuns|inspectsInOneActivity) = "([^"]+)"`)

// TestRecordedHistories_HaveBothSidesOfEachChange asserts that a history was recorded
// before and after each change. Those named v1 were recorded before all of them.
func TestRecordedHistories_HaveBothSidesOfEachChange(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range changeID.FindAllStringSubmatch(string(text), -1) {
			changes = append(changes, m[1])
		}
	}
	if len(changes) < 9 {
		t.Fatalf("found the changes %q alone", changes)
	}
	recorded := recordedChanges(t, "testdata/histories/v*.json")
	for _, c := range append(changes, "the controller recalls its runs: rest 1", "a controller shows its interest: 1") {
		if !recorded[c] {
			t.Errorf("no history was recorded after the change %q", c)
		}
	}
	if before := recordedChanges(t, "testdata/histories/v1-0*.json"); len(before) > 0 {
		t.Errorf("histories from before have the changes %v", before)
	}
}

// recordedChanges returns the changes that histories have.
func recordedChanges(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories %s: %v", pattern, err)
	}
	recorded := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		history, err := client.HistoryFromJSON(strings.NewReader(string(text)), client.HistoryJSONOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, e := range history.Events {
			marker := e.GetMarkerRecordedEventAttributes()
			if marker.GetMarkerName() != "Version" {
				continue
			}
			var id string
			if err := converter.GetDefaultDataConverter().FromPayloads(marker.Details["change-id"], &id); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			recorded[id] = true
		}
	}
	return recorded
}
