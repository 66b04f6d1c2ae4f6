// Package operators tests what happens when operators use Temporal's own buttons on
// farmtrust's workflows: Cancel, Terminate, Reset, Pause, Start, signals and updates.
// After each, what is known of a farm must still be known, and nothing may be done
// that an operator has undone.
//
// docs/buttons.md says the same in a table, and a test compares the two.
package operators

import (
	"flag"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
)

var atOnce = flag.Int("at-once", 4, "run this `many` rows in parallel; they spend most of the time waiting")

// row is one button, pressed at one moment.
type row struct {
	workflow, button string
	// detail tells rows of the same button apart; it may be empty.
	detail string
	moment moment
	press  func(*testing.T, *testFarm)
	// want is what is found once the farm's controller knows of it.
	want want
	// then is what an operator does next, before they finish the renewal; it may be
	// nil.
	then func(*testing.T, *testFarm)
}

func (r row) name() string {
	parts := []string{r.workflow, r.button, r.detail, r.moment.name}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

func (r row) run(t *testing.T, server *testServer) {
	t.Helper()
	w := server.newFarm(t, r.moment.policy)
	r.moment.reach(t, w)
	before := w.know(t, r.moment.hasSnapshot)
	r.press(t, w)
	w.gate.open()
	w.lookAfterController(t)
	w.assertInvariants(t, before, r.want)
	if r.want.phase == controller.Suspended {
		w.assertNothingStarts(t)
	}
	if r.then != nil {
		r.then(t, w)
	}
	w.finish(t)
}

func TestButtons_KeepWhatIsKnown(t *testing.T) {
	rows := listRows()
	next := make(chan row, len(rows))
	for _, r := range rows {
		next <- r
	}
	close(next)
	var runners sync.WaitGroup
	for range min(*atOnce, len(rows)) {
		runners.Go(func() {
			server := startServer(t)
			defer server.stop(t)
			for r := range next {
				t.Run(r.name(), func(t *testing.T) { r.run(t, server) })
			}
		})
	}
	runners.Wait()
}
