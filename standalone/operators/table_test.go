package operators

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTable_SaysWhatTheRowsProve compares the tables of docs/buttons.md with the rows.
func TestTable_SaysWhatTheRowsProve(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/buttons.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, workflow := range []string{manageFarm, rotateTrust, retireCertificate, inspectTrust} {
		t.Run(workflow, func(t *testing.T) {
			_, section, _ := strings.Cut(string(text), "\n## "+workflow)
			section, _, _ = strings.Cut(section, "\n## ")
			var got []string
			for line := range strings.Lines(section) {
				if strings.HasPrefix(line, "| **") {
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			want := tableOf(workflow)
			if !slices.Equal(got, want) {
				t.Errorf("docs/buttons.md has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// tableOf returns the table of a workflow: one line for each button, or variant of it,
// and what follows, with the moments at which it follows.
func tableOf(workflow string) (lines []string) {
	var keys []string
	moments := map[string][]string{}
	for _, r := range listRows() {
		if r.workflow != workflow {
			continue
		}
		button := "**" + r.button + "**"
		if r.detail != "" {
			button += " " + r.detail
		}
		key := button + "\x00" + r.want.says
		if _, ok := moments[key]; !ok {
			keys = append(keys, key)
		}
		moments[key] = append(moments[key], r.moment.name)
	}
	for _, key := range keys {
		button, says, _ := strings.Cut(key, "\x00")
		lines = append(lines, fmt.Sprintf("| %s | %s | %s |", button, strings.Join(slices.Compact(moments[key]), "; "), says))
	}
	return lines
}
