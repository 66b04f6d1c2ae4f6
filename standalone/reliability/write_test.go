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

const tableHead = `# What goes wrong, and how it ends

Written by ` + "`go test -C standalone ./reliability -full -timeout 120m`" + `; do not edit.

Each thing that can go wrong happens during each step of a rotation (the farm
trusts a certificate that ends soon, and is to trust a new one), of the undo of
that rotation, and of the retirement of the certificate that it replaced: before
the step acts, and after it acted but before its answer arrived. The worker is
its own program, Temporal a server on its file, the farm a simulated one behind
HTTPS: two office servers and two SharePoint farms, one of them reached by a
scheduled task (Invoke-SharePointTask). A step is a script that runs on a server;
of its calls the first that changes something is met before it acts, and the last
after. Nothing here was tried on Windows.

In every cell this was checked against the state of the farm, not against the
report:

- *verified*: every process of every office server has loaded the new
  certificate, both issuers hold it, and a data refresh works between every
  office server and every SharePoint server. After a retirement the old
  certificate and its key are gone as well.
- *undone* and *refused*: stores, keys, settings, issuers, permissions and root
  authorities are as they were before, but for the time in an issuer's
  description, and a data refresh works as before.
- Nothing that was done was done again. Restarts are counted by themselves.
- *asked*: the rotation was parked on the right server and said what had
  happened, and a person decided: to retry, or, where the trouble does not pass
  by itself, to roll back. Nobody was asked about a trouble that passes. With
  "rights taken for good" the farm's policy rolls a rotation back without
  asking, and the first office server that is restarted does so by itself.

A cell says how it ended, how long it took in seconds, and how many restarts of
services and of IIS there were. "no answer" takes 35 seconds until the worker
gives up waiting; that a worker was killed is noticed after 30 seconds without a
heartbeat.

`

// writeTable writes docs/reliability.md.
func writeTable(t *testing.T, results []result, took time.Duration) {
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
	fmt.Fprintf(&w, "%d cells in %s on %d processors, %d at a time:", len(results), took.Round(time.Second), runtime.NumCPU(), *atOnce)
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&w, " %d %s,", outcomes[outcome], outcome)
	}
	fmt.Fprintf(&w, " %d failed.\n", failed)
	for _, side := range ways() {
		for _, x := range troubles() {
			fmt.Fprintf(&w, "\n## %s: %s\n\n| step | before it acts | after it acted |\n| --- | --- | --- |\n", side, x.name)
			for _, r := range results {
				if r.way == side && r.trouble == x.name && r.when == fault.Before {
					fmt.Fprintf(&w, "| %s | %s | %s |\n", r.step, r.text(), twin(results, r).text())
				}
			}
		}
	}
	if err := os.WriteFile(filepath.Join("..", "..", "docs", "reliability.md"), []byte(w.String()), 0o644); err != nil {
		t.Error(err)
	}
}

// twin is the same cell after the step acted.
func twin(results []result, r result) result {
	i := slices.IndexFunc(results, func(other result) bool {
		return other.way == r.way && other.trouble == r.trouble && other.step == r.step && other.when == fault.After
	})
	return results[i]
}

func (r result) text() string {
	s := fmt.Sprintf("%s, %d s, %d", r.outcome, int(r.took.Round(time.Second).Seconds()), r.restarts)
	if r.asked > 0 {
		s += ", asked"
	}
	if r.failed {
		s += ", FAILED"
	}
	return s
}
