package reliability

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
)

const tableHead = `# Every scenario of the reliability table

Written by make reliability. docs/reliability.md explains what is tested and what is
checked in every scenario. A cell shows the outcome, the duration in seconds, and
the number of restarts of services and of IIS; "asked" means that an operator had
to decide.

`

// writeTable writes every result to the file at path, and makes its folder.
func writeTable(t *testing.T, path string, results []result, took time.Duration) {
	t.Helper()
	slices.SortStableFunc(results, func(a, b result) int { return strings.Compare(a.step, b.step) })
	var w strings.Builder
	w.WriteString(tableHead)
	outcomes, failed := map[string]int{}, 0
	for _, r := range results {
		outcomes[string(r.outcome)]++
		if r.failed {
			failed++
		}
	}
	fmt.Fprintf(&w, "%d scenarios in %s on %d processors, %d at a time:", len(results), took.Round(time.Second), runtime.NumCPU(), *atOnce)
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&w, " %d %s,", outcomes[outcome], outcome)
	}
	fmt.Fprintf(&w, " %d failed.\n", failed)
	for _, side := range operations() {
		for _, fc := range faultCases() {
			fmt.Fprintf(&w, "\n## %s: %s\n\n| step | before it acts | after it acted |\n| --- | --- | --- |\n", side, fc.name)
			for _, r := range results {
				if r.operation == side && r.faultName == fc.name && r.when == fault.Before {
					fmt.Fprintf(&w, "| %s | %s | %s |\n", r.step, r.cellText(), afterActing(results, r).cellText())
				}
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(w.String()), 0o644); err != nil {
		t.Error(err)
	}
}

// afterActing returns the result of the same scenario with the fault after the step
// has acted.
func afterActing(results []result, r result) result {
	i := slices.IndexFunc(results, func(other result) bool {
		return other.operation == r.operation && other.faultName == r.faultName && other.step == r.step && other.when == fault.After
	})
	return results[i]
}

func (r result) cellText() string {
	s := fmt.Sprintf("%s, %d s, %d", r.outcome, int(r.took.Round(time.Second).Seconds()), r.restarts)
	if r.asked > 0 {
		s += ", asked"
	}
	if r.failed {
		s += ", FAILED"
	}
	return s
}
