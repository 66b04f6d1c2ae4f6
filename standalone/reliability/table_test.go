package reliability

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// operation is what a fault is injected into.
type operation string

const (
	opRotate   operation = "rotation"
	opRollback operation = "rollback"
	opRetire   operation = "retirement"
)

func operations() []operation { return []operation{opRotate, opRollback, opRetire} }

// scenario is one cell of the table: one fault case, by its name, during one step
// of an operation.
type scenario struct {
	operation operation
	faultName string
	// step is the name of a script, and call is the call of it that the fault is
	// injected into.
	step string
	call call
	when fault.When
}

// call is one call of a script, told apart by the server and by the number of calls
// of the same script that the server had before.
type call struct {
	server string
	before int
}

// String returns the scenario's name in the form that go test -run expects.
func (c scenario) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%s, %s %s %s", c.operation, c.faultName, c.when, c.step), " ", "_")
}

func (c scenario) isNamed(part string) bool {
	return strings.Contains(c.String(), strings.ReplaceAll(part, " ", "_"))
}

// listScenarios returns every scenario of the table. Its steps are the scripts that
// reach the servers when the operations run without faults, so a new step is in the
// table without further work. A script that no operation runs fails the test.
func listScenarios(t *testing.T, s *testFarm) []scenario {
	t.Helper()
	found := map[operation]map[string][]call{}
	// Later results replace earlier ones: the second retirement removes a
	// certificate that a rotation installed, which takes more steps.
	for _, op := range []operation{opRotate, opRetire, opRotate, opRollback, opRotate, opRetire} {
		found[op] = groupCalls(s.rehearse(t, op))
	}
	found[opRollback][startScript] = []call{{server: importedServer}}
	var scenarios []scenario
	for _, script := range powershell.Scripts() {
		before := len(scenarios)
		for _, op := range operations() {
			scenarios = append(scenarios, scenariosOf(op, script, found[op][script])...)
		}
		if len(scenarios) == before {
			t.Errorf("%s is in no scenario: no operation of this test runs it", script)
		}
	}
	return scenarios
}

// startScript runs only where a service is stopped: a rollback that it is in begins
// with one that is.
var startScript = powershell.ScriptOf(powershell.StartOfficeServer{})

// surelyInARow is how often a server is at least asked the same in a row after its
// restart, until it is healthy for long enough.
const surelyInARow = 3

// looks are the scripts that it is asked by.
var looks = []string{powershell.ScriptOf(powershell.GetOfficeServer{}), powershell.ScriptOf(powershell.GetSharePointServer{})}

// groupCalls returns the calls of each script. If any of them changed something, it
// leaves out the others, because a fault matters most during a change. It also leaves
// out what a server is asked in a row only because it takes long. Earlier calls are
// counted, and not in the result.
func groupCalls(calls, earlier []callRecord) map[string][]call {
	before, all, changing := map[string]int{}, map[string][]call{}, map[string][]call{}
	for _, a := range earlier {
		before[a.script+a.host]++
	}
	last, inARow, final := map[string]string{}, map[string]int{}, map[string]int{}
	for i, a := range calls {
		final[a.script+a.host] = i // it verifies the outcome
	}
	for i, a := range calls {
		if last[a.host] != a.script {
			last[a.host], inARow[a.host] = a.script, 0
		}
		inARow[a.host]++
		if slices.Contains(looks, a.script) && inARow[a.host] > surelyInARow && final[a.script+a.host] != i {
			continue
		}
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

// scenariosOf returns the scenarios of one script: every fault case, before the
// first of its calls and after the last one has acted, as far as it matters there.
func scenariosOf(op operation, script string, calls []call) []scenario {
	var scenarios []scenario
	for _, fc := range faultCases() {
		if len(calls) == 0 || !fc.matters(op, script, calls[0].server) {
			continue
		}
		after := calls[len(calls)-1]
		if fc.stopsService && strings.HasPrefix(script, "Get-") {
			after = calls[0] // nothing looks again after the last one
		}
		scenarios = append(scenarios, scenario{op, fc.name, script, calls[0], fault.Before}, scenario{op, fc.name, script, after, fault.After})
	}
	return scenarios
}
