package deploy_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// part is a service that can be killed.
type part interface {
	String() string
	// kill ends it as a power failure would, and returns when its successor runs
	// and is healthy.
	kill(t *testing.T)
}

// rotateUntilApproval starts a rotation, and returns the digest of what then waits
// for approval.
func (o *operator) rotateUntilApproval(t *testing.T) (digest string) {
	t.Helper()
	o.run(t, "rotate", "contoso", "--detach")
	return o.awaitApproval(t)
}

// rotateWhileKilling kills each part while a rotation waits for the approval of a
// digest and again while it runs.
func rotateWhileKilling(t *testing.T, o *operator, digest string, parts ...part) {
	t.Helper()
	for _, p := range parts {
		p.kill(t)
		if again := o.awaitApproval(t); again != digest {
			t.Fatalf("%s was killed: the digest is %s, and was %s", p, again, digest)
		}
		t.Logf("%s was killed while the rotation waited", p)
	}
	o.run(t, "approve", "contoso", digest, "--reason", "tested")
	for _, p := range parts {
		o.awaitProgress(t)
		p.kill(t)
		t.Logf("%s was killed while the rotation ran", p)
	}
	o.awaitVerified(t)
	o.run(t, "report", "contoso")
}

// operator runs farmtrust.
type operator struct {
	// command is the program, and what it is run by.
	command []string
	env     []string
	// steps is how many of the rotation's steps have been seen.
	steps int
}

func (o *operator) run(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, o.env, slices.Concat(o.command, args)...)
}

// operatorIsNeeded is the exit code of a status that waits for an operator.
const operatorIsNeeded = 5

// status asks for the farm's status, which fails while a part is down.
func (o *operator) status(t *testing.T) (s farm.Status, ok bool) {
	t.Helper()
	args := slices.Concat(o.command, []string{"status", "contoso", "-o", "json"})
	command := exec.CommandContext(t.Context(), args[0], args[1:]...)
	command.Env = o.env
	out, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != operatorIsNeeded) {
		return s, false
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return s, true
}

// awaitApproval waits until the rotation waits for approval, and returns the digest
// of what waits.
func (o *operator) awaitApproval(t *testing.T) (digest string) {
	t.Helper()
	poll(t, "the rotation to wait for approval", func() bool {
		s, ok := o.status(t)
		if !ok || s.Wait == nil || s.Wait.For != farm.ForApproval {
			return false
		}
		digest, o.steps = s.Wait.Digest, countSteps(s.Report)
		return true
	})
	return digest
}

// awaitProgress waits until the rotation has done another step.
func (o *operator) awaitProgress(t *testing.T) {
	t.Helper()
	poll(t, "the rotation to do another step", func() bool {
		s, ok := o.status(t)
		if !ok || countSteps(s.Report) <= o.steps {
			return false
		}
		if s.Report.Outcome != "" {
			t.Fatalf("the rotation has ended already: %s", s.Report.Outcome)
		}
		o.steps = countSteps(s.Report)
		return true
	})
}

// awaitVerified waits until the rotation has ended.
func (o *operator) awaitVerified(t *testing.T) {
	t.Helper()
	poll(t, "the rotation to end", func() bool {
		s, ok := o.status(t)
		switch {
		case ok && s.Wait != nil && s.Wait.For == farm.ForDecision:
			t.Fatalf("the rotation waits for a decision: %s", s.Wait.Text)
		case ok && s.Report.Outcome != "" && s.Report.Outcome != farm.Verified:
			t.Fatalf("the rotation ended %s: %s", s.Report.Outcome, s.Report.Statement)
		}
		return ok && s.Report.Outcome == farm.Verified
	})
}

// countSteps counts the steps that are done.
func countSteps(r farm.Report) (done int) {
	for _, server := range r.Servers {
		for _, step := range server.Steps {
			if step.State != farm.StateRunning && step.State != farm.StateFailed {
				done++
			}
		}
	}
	return done
}

// assertOldDatabaseIsNoDanger fails the test unless a rotation that waited for the
// approval of a digest when the database was backed up, and has ended since, changes
// nothing once that database is restored, and docs/temporal-production.md says what
// to do.
func assertOldDatabaseIsNoDanger(t *testing.T, o *operator, digest string) {
	t.Helper()
	if again := o.awaitApproval(t); again != digest {
		t.Errorf("restored: the digest is %s, and was %s", again, digest)
	}
	o.run(t, "approve", "contoso", digest, "--reason", "restored")
	var text string
	poll(t, "the rotation to ask for a decision", func() bool {
		s, ok := o.status(t)
		if !ok || s.Wait == nil || s.Wait.For != farm.ForDecision {
			return false
		}
		text = s.Wait.Text
		return true
	})
	t.Logf("restored: %s", text)
	o.run(t, "abort", "contoso", "--reason", "restored")
	poll(t, "the rotation to end", func() bool { s, ok := o.status(t); return ok && s.Phase == farm.PhaseDone })
	o.run(t, "resume", "contoso", "--reason", "restored")
	// Its exit code is 0 only if nothing differs.
	o.run(t, "plan", "contoso")
	t.Log(o.run(t, "status", "contoso"))
}
