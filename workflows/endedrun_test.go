package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// endedRun is how a rotation or a retirement ended.
type endedRun struct {
	farm.RotationResult

	t   *testing.T
	err error
}

// failures are how runs that end so look in Temporal: completed, or failed with
// an application error of that type.
var failures = map[farm.Outcome]string{farm.Refused: workflows.RefusedError, farm.Incomplete: workflows.IncompleteError}

// requireOutcome asserts how the run ended, in its report and in Temporal.
func (e endedRun) requireOutcome(want farm.Outcome) endedRun {
	e.t.Helper()
	return e.requireEnd(want, failures[want])
}

const cancelled = "cancelled"

// requireCancelled asserts that the run ended as cancelled, and its outcome.
func (e endedRun) requireCancelled(want farm.Outcome) endedRun {
	e.t.Helper()
	e.assertStatement(cancelled)
	return e.requireEnd(want, cancelled)
}

func (e endedRun) requireEnd(outcome farm.Outcome, failure string) endedRun {
	e.t.Helper()
	got := ""
	if application, ok := errors.AsType[*temporal.ApplicationError](e.err); ok {
		got = application.Type()
	}
	if temporal.IsCanceledError(e.err) {
		got = cancelled
	}
	if e.Outcome != outcome || got != failure {
		e.t.Fatalf("ended %q (%s), failure %q: %v; want %q, failure %q", e.Outcome, e.Statement, got, e.err, outcome, failure)
	}
	return e
}

// assertStatement asserts that the final statement has these words.
func (e endedRun) assertStatement(parts ...string) {
	e.t.Helper()
	assertMentions(e.t, e.Statement, parts...)
}

// assertAccepted asserts what the report says was accepted, by whom and why.
func (e endedRun) assertAccepted(want ...string) {
	e.t.Helper()
	var got []string
	for _, f := range farm.AcceptedFindings(e.Findings) {
		got = append(got, f.Ref()+" by "+f.Accepted.By+": "+f.Accepted.Reason)
	}
	if !slices.Equal(got, want) {
		e.t.Errorf("the report says that %q was accepted, want %q", got, want)
	}
}

// assertDiffersOnlyOn asserts that the report lists differences, all on one
// server.
func (e endedRun) assertDiffersOnlyOn(server string) {
	e.t.Helper()
	var servers []string
	for _, d := range e.Differences {
		servers = append(servers, d.Server)
	}
	slices.Sort(servers)
	if servers = slices.Compact(servers); !slices.Equal(servers, []string{server}) {
		e.t.Errorf("the report lists differences on %v, want on %s alone", servers, server)
	}
}

// requireStep returns a step of a server's report, which must be there.
func (e endedRun) requireStep(host string, step farm.Step) farm.StepReport {
	e.t.Helper()
	for _, s := range e.Servers {
		for _, row := range s.Steps {
			if s.Host == host && row.Step == step {
				return row
			}
		}
	}
	e.t.Fatalf("the report has no step %q on %s", step, host)
	return farm.StepReport{}
}

// assertStep asserts how a step ended on a server.
func (e endedRun) assertStep(host string, step farm.Step, want farm.State) {
	e.t.Helper()
	if row := e.requireStep(host, step); row.State != want {
		e.t.Errorf("%s on %s ended as %q (%s), want %q", step, host, row.State, row.Detail, want)
	}
}

// assertMentions asserts that a text has all of these parts.
func assertMentions(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}
