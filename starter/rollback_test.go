package main

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestRollback_OfTheLastRotation(t *testing.T) {
	rolledBack := ending{result: testReport("contoso", farm.RolledBack)}
	for name, retires := range map[string]bool{"nothing runs": false, "its retirement runs": true} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.acceptRequests(&rolledBack)
			f.endRun(f.addRotation("contoso"), verified)
			if retires {
				f.addRunOf("RetireCertificate", "retire/contoso")
			}
			runProgram(t, "rollback", "contoso", "--reason", "refresh fails", "--by", "ada").assertExit(t, exitOK,
				"contoso: no rotation was running; rotate/contoso rolls back the last one, which was not finished\n", "out:contoso: rolled back")
			assertEqual(t, f.requests, []string{`contoso {"kind":"rollback","by":"ada","reason":"refresh fails"}`})
			assertEqual(t, f.decisions, nil)
		})
	}
}

func TestRollback_OfTheRunningRotation(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	rotation := f.addRotation("contoso")
	var questions atomic.Int32
	f.onStatus = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.endRun(rotation, ending{result: testReport("contoso", farm.RolledBack)})
		}
		return farm.Status{Phase: farm.PhaseRollingBack, Report: testReport("contoso", "")}, nil
	}
	runProgram(t, "rollback", "contoso", "--reason", "not tonight", "--by", "ada").assertExit(t, exitOK,
		"contoso: the running rotation rotate/contoso rolls back what it has changed\n", "rolling back\n", "out:contoso: rolled back")
	assertEqual(t, f.decisions, []string{"rotate/contoso {Choice:rollback Server: Digest: Accept:[] Force:false By:ada Reason:not tonight}"})
	assertEqual(t, f.requests, nil)
}

func TestRollback_RefusedByTheRunningRotation(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{refuseDecision: errors.New("rollback: the rotation waits for nothing now; cancel it")})
	f.addRotation("contoso")
	runProgram(t, "rollback", "contoso", "--reason", "r").assertExit(t, exitFailed, "contoso: refused: rollback: the rotation waits for nothing now; cancel it")
	assertEqual(t, f.requests, nil)
}

func TestRollback_Detach(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(nil)
	runProgram(t, "rollback", "contoso", "--reason", "r", "--detach").assertExit(t, exitOK, "out:contoso: accepted by workflow rotate/contoso")
}

func TestRollback_NeedsAReason(t *testing.T) {
	runProgram(t, "rollback", "contoso").assertExit(t, exitUsage, "give the reason, which the report shows: --reason WHY")
}

func TestResume(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(nil)
	f.addController(controller.State{Farm: "contoso", Suspended: "the rotation was rolled back"})
	runProgram(t, "resume", "contoso").assertExit(t, exitUsage, "--reason WHY")
	runProgram(t, "resume", "contoso", "--reason", "repaired", "--by", "ada").assertExit(t, exitOK,
		"out:contoso: resumed; it is inspected now, and rotated if that is due and it is released: farmtrust status contoso\n")
	assertEqual(t, f.requests, []string{`contoso {"kind":"resume","by":"ada","reason":"repaired"}`})
}
