package reliability

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// way is what meets the trouble.
type way string

const (
	forth way = "rotation"
	back  way = "rollback"
	away  way = "retirement"
)

func ways() []way { return []way{forth, back, away} }

// cell is one cell of the table: one trouble, by its name, during one step.
type cell struct {
	way     way
	trouble string
	// step is a script, call the one of its calls that meets the trouble.
	step string
	call call
	when fault.When
}

// call is one call of a script: its server, and how many calls of the script
// that server had before.
type call struct {
	server string
	before int
}

// String is the cell's name, as go test -run writes it.
func (c cell) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%s, %s %s %s", c.way, c.trouble, c.when, c.step), " ", "_")
}

func (c cell) named(part string) bool {
	return strings.Contains(c.String(), strings.ReplaceAll(part, " ", "_"))
}

// table is every cell. Its steps are the scripts that reach the servers in a
// rotation, an undo and a retirement that nothing happens to, so that it grows
// with them; a script that none of them runs fails the test.
func table(t *testing.T, s *site) []cell {
	t.Helper()
	found := map[way]map[string][]call{}
	// The second rotation is from a certificate that a rotation brought, and
	// so is what its retirement takes away.
	for _, w := range []way{forth, away, forth, back, forth, away} {
		found[w] = calls(s.pass(t, w))
	}
	var cells []cell
	for _, script := range powershell.Scripts() {
		before := len(cells)
		for _, w := range ways() {
			cells = append(cells, cellsOf(w, script, found[w][script])...)
		}
		if len(cells) == before {
			t.Errorf("%s is in no cell: no rotation, undo or retirement of this test runs it", script)
		}
	}
	return cells
}

// calls are the calls of each script: those that changed something, if there
// are any, because a trouble matters most then.
func calls(acts []act) map[string][]call {
	before, all, changing := map[string]int{}, map[string][]call{}, map[string][]call{}
	for _, a := range acts {
		one := call{a.host, before[a.script+a.host]}
		before[a.script+a.host]++
		all[a.script] = append(all[a.script], one)
		if a.changed {
			changing[a.script] = append(changing[a.script], one)
		}
	}
	maps.Copy(all, changing)
	return all
}

// cellsOf is every trouble during a script, at the first of its calls before it
// acts and at the last after.
func cellsOf(w way, script string, calls []call) []cell {
	if len(calls) == 0 {
		return nil
	}
	var cells []cell
	for _, x := range troubles() {
		cells = append(cells,
			cell{w, x.name, script, calls[0], fault.Before},
			cell{w, x.name, script, calls[len(calls)-1], fault.After})
	}
	return cells
}
