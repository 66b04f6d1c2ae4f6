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
type operation string

const (
	opRotate   operation = "rotation"
	opRollback operation = "rollback"
	opRetire   operation = "retirement"
)

func operations() []operation { return []operation{opRotate, opRollback, opRetire} }

// cell is one cell of the table: one trouble, by its name, during one step.
type scenario struct {
	operation operation
	faultName string
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
func (c scenario) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%s, %s %s %s", c.operation, c.faultName, c.when, c.step), " ", "_")
}

func (c scenario) isNamed(part string) bool {
	return strings.Contains(c.String(), strings.ReplaceAll(part, " ", "_"))
}

// table is every cell. Its steps are the scripts that reach the servers in a
// rotation, an undo and a retirement that nothing happens to, so that it grows
// with them; a script that none of them runs fails the test.
func listScenarios(t *testing.T, s *testFarm) []scenario {
	t.Helper()
	found := map[operation]map[string][]call{}
	// The second rotation is from a certificate that a rotation brought, and
	// so is what its retirement takes away.
	for _, w := range []operation{opRotate, opRetire, opRotate, opRollback, opRotate, opRetire} {
		found[w] = groupCalls(s.rehearse(t, w))
	}
	var scenarios []scenario
	for _, script := range powershell.Scripts() {
		before := len(scenarios)
		for _, w := range operations() {
			scenarios = append(scenarios, scenariosOf(w, script, found[w][script])...)
		}
		if len(scenarios) == before {
			t.Errorf("%s is in no scenario: no rotation, undo or retirement of this test runs it", script)
		}
	}
	return scenarios
}

// calls are the calls of each script: those that changed something, if there
// are any, because a trouble matters most then.
func groupCalls(acts []callRecord) map[string][]call {
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
func scenariosOf(w operation, script string, calls []call) []scenario {
	if len(calls) == 0 {
		return nil
	}
	var scenarios []scenario
	for _, x := range faultCases() {
		scenarios = append(scenarios,
			scenario{w, x.name, script, calls[0], fault.Before},
			scenario{w, x.name, script, calls[len(calls)-1], fault.After})
	}
	return scenarios
}
