package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// startedRun is what a workflow was started with.
type startedRun struct{ ID, Type, Queue, Input, Summary, Farm string }

// startedRuns lists the workflows that were started, in order.
func (f *fakeTemporal) startedRuns(t *testing.T) []startedRun {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []startedRun
	for _, e := range f.runs {
		s := startedRun{ID: e.request.WorkflowId, Type: e.request.WorkflowType.Name, Queue: e.request.TaskQueue.GetName()}
		if p := e.request.Input.GetPayloads(); len(p) == 1 {
			s.Input = string(p[0].Data)
		}
		data := converter.GetDefaultDataConverter()
		if p := e.request.GetUserMetadata().GetSummary(); p != nil {
			if err := data.FromPayload(p, &s.Summary); err != nil {
				t.Fatal(err)
			}
		}
		if p := e.request.GetSearchAttributes().GetIndexedFields()["Farm"]; p != nil {
			if err := data.FromPayload(p, &s.Farm); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s)
	}
	return all
}

// verified ends a rotation of contoso well.
var verified = ending{result: testReport("contoso", farm.Verified)}

// refused ends a rotation of a farm with a refusal.
func refused(farmName string) ending {
	return ending{err: temporal.NewNonRetryableApplicationError("refused", workflows.RefusedError, nil, testReport(farmName, farm.Refused))}
}

func TestRotate(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&verified)
	runProgram(t, "rotate", "contoso", "--reason", "change 4711", "--by", "ada@desk-1").assertExit(t, exitOK,
		"out:contoso: verified\n", "out:configured as desired, key usable on every server\n", "out:1 changed\n", "out:farmtrust report contoso\n")
	t.Run("asks the controller, and says who asks and why", func(t *testing.T) {
		assertEqual(t, f.requests, []string{`contoso {"kind":"rotate","by":"ada@desk-1","reason":"change 4711"}`})
	})
	t.Run("starts a controller that does not run", func(t *testing.T) {
		got := f.startedRuns(t)[0]
		var initial controller.State
		if err := decodePayloads(f.runs[0].request.Input, &initial); err != nil {
			t.Fatal(err)
		}
		got.Input = ""
		assertEqual(t, got, startedRun{ID: "farm/contoso", Type: "ManageFarm", Queue: "farmtrust", Summary: "manage the trust of contoso", Farm: "contoso"})
		assertEqual(t, initial, controller.State{Farm: "contoso", Policy: controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour}})
	})
}

func TestRotate_WithoutReason(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&ending{result: testReport("contoso", farm.NoChange)})
	f.addController(controller.State{Farm: "fabrikam", Inspected: controller.Inspected{Current: farm.StoreCertificate{
		Thumbprint: "99887766554433221100FFEEDDCCBBAA99887766", NotAfter: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
	}}})
	runProgram(t, "rotate", "contoso").assertExit(t, exitOK, "out:contoso: unchanged")
	runProgram(t, "rotate", "fabrikam").assertExit(t, exitOK)
	assertEqual(t, f.requests, []string{
		fmt.Sprintf(`contoso {"kind":"rotate","by":"%s","reason":"requested on the command line"}`, currentUser()),
		fmt.Sprintf(`fabrikam {"kind":"rotate","by":"%s","reason":"certificate 99887766 expired on 2020-01-02 00:00 UTC"}`, currentUser()),
	})
}

func TestRotate_Compromised(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&verified)
	t.Run("needs a reason", func(t *testing.T) {
		runProgram(t, "rotate", "contoso", "--compromised").assertExit(t, exitUsage, "give the reason, which the report shows: --reason WHY")
		assertEqual(t, f.requests, nil)
	})
	t.Run("is requested as such", func(t *testing.T) {
		runProgram(t, "rotate", "contoso", "--compromised", "--reason", "incident 12", "--by", "ada").assertExit(t, exitOK)
		assertEqual(t, f.requests, []string{`contoso {"kind":"rotate","compromised":true,"by":"ada","reason":"incident 12"}`})
	})
	t.Run("without servers", func(t *testing.T) {
		f.requests = nil
		args := []string{"rotate", "contoso", "--except", "oos-03", "--except", "oos-04", "--reason", "incident 12", "--by", "ada"}
		runProgram(t, args...).assertExit(t, exitUsage, `--except goes with --compromised; a server that blocks any other rotation is left out by "farmtrust skip"`)
		runProgram(t, "rotate", "contoso", "--compromised", "--except", "", "--reason", "incident 12").assertExit(t, exitUsage, "--except: name the host of an office server")
		assertEqual(t, f.requests, nil)
		runProgram(t, append(args, "--compromised")...).assertExit(t, exitOK)
		assertEqual(t, f.requests, []string{`contoso {"kind":"rotate","compromised":true,"except":["oos-03","oos-04"],"by":"ada","reason":"incident 12"}`})
	})
	t.Run("never attaches to a running rotation", func(t *testing.T) {
		f.addRotation("contoso")
		f.editController("contoso", func(s *controller.State) { s.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso"} })
		f.refuseRequests("rotate/contoso has been running")
		runProgram(t, "rotate", "contoso", "--compromised", "--reason", "incident 12").assertExit(t, exitFailed, "contoso: refused: rotate: rotate/contoso has been running")
	})
}

func TestRotate_Accept(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&verified)
	args := []string{"rotate", "contoso", "--accept", "pending-reboot@oos-02", "--accept", "dsc-auto-correct", "--reason", "patch day", "--by", "ada"}
	runProgram(t, args...).assertExit(t, exitOK)
	runProgram(t, append(args, "--compromised")...).assertExit(t, exitOK)
	assertEqual(t, f.requests, []string{
		`contoso {"kind":"rotate","accept":["pending-reboot@oos-02","dsc-auto-correct"],"by":"ada","reason":"patch day"}`,
		`contoso {"kind":"rotate","compromised":true,"accept":["pending-reboot@oos-02","dsc-auto-correct"],"by":"ada","reason":"patch day"}`,
	})
	t.Run("never attaches to a running rotation, which does not know of it", func(t *testing.T) {
		f.addRotation("contoso")
		f.editController("contoso", func(s *controller.State) { s.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso"} })
		f.refuseRequests("rotate/contoso has been running")
		runProgram(t, args...).assertExit(t, exitFailed, "contoso: refused: rotate: rotate/contoso has been running")
	})
}

func TestRotate_RolledBackIsNotWhatWasRequested(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&ending{result: testReport("contoso", farm.RolledBack)})
	runProgram(t, "rotate", "contoso").assertExit(t, exitFailed, "out:contoso: rolled back")
	runProgram(t, "status", "contoso", "--watch").assertExit(t, exitOK, "out:contoso: rolled back")
}

func TestRotate_ExitCode(t *testing.T) {
	failed := func(kind string, details ...any) error {
		return temporal.NewNonRetryableApplicationError("in its own words", kind, nil, details...)
	}
	for name, c := range map[string]struct {
		err  error
		code int
		want []string
	}{
		"refused":                 {failed(workflows.RefusedError, testReport("contoso", farm.Refused)), exitRefused, []string{"out:contoso: refused\n", "out:refused for a reason"}},
		"incomplete":              {failed(workflows.IncompleteError, testReport("contoso", farm.Incomplete)), exitFailed, []string{"out:contoso: incomplete\n"}},
		"unknown farm":            {failed(workflows.UnknownFarmError), exitUsage, []string{"farmtrust: in its own words"}},
		"anything else":           {failed("Surprise"), exitFailed, []string{"farmtrust: contoso: in its own words"}},
		"cancelled with a report": {temporal.NewCanceledError(testReport("contoso", farm.Incomplete)), exitFailed, []string{"out:contoso: incomplete\n"}},
		"cancelled without":       {temporal.NewCanceledError(), exitFailed, []string{"contoso: cancelled before anything was changed"}},
		"terminated":              {errTerminated, exitFailed, []string{"contoso: terminated in Temporal", "to see what is left: farmtrust plan contoso"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.acceptRequests(&ending{err: c.err})
			runProgram(t, "rotate", "contoso").assertExit(t, c.code, c.want...)
			got := runProgram(t, "rotate", "contoso", "-o", "json")
			got.assertExit(t, c.code)
			var object map[string]any
			got.readJSON(t, &object)
			if object["farm"] == nil && object["error"] == nil {
				t.Errorf("the JSON is neither report nor error: %v", object)
			}
		})
	}
}

// runsRotation is the state of a controller whose rotation runs.
func runsRotation(farmName string) controller.State {
	return controller.State{Farm: farmName, Active: &controller.ActiveRun{WorkflowID: workflows.RotateID(farmName)}}
}

func TestRotate_AttachesToARunningRotation(t *testing.T) {
	for name, state := range map[string]controller.State{
		"the controller's":          runsRotation("contoso"),
		"one that starts just now":  {Farm: "contoso", Mailbox: controller.Mailbox{Request: &controller.Request{Kind: controller.RequestRotate}}},
		"one the controller starts": {Farm: "contoso", Next: farm.Next{Action: farm.ActionRotate}},
		"one started by hand":       {Farm: "contoso", Next: farm.Next{Code: farm.CodeStartedElsewhere}},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.refuseRequests("rotate/contoso has been running")
			first := f.addRotation("contoso")
			f.addController(state)
			f.onState = func(n int) {
				if n == 2 {
					*f.controllers["contoso"] = runsRotation("contoso")
				}
			}
			var questions atomic.Int32
			f.onStatus = func(string) (farm.Status, error) {
				if questions.Add(1) == 2 {
					f.endRun(first, verified)
				}
				return farm.Status{Phase: farm.PhaseCutover, Report: testReport("contoso", "")}, nil
			}
			runProgram(t, "rotate", "contoso", "--reason", "again").assertExit(t, exitOK,
				"contoso is already being rotated: attached to that rotation; no second one was started for: again\n",
				"cutover\n", "oos-01.contoso.com  import certificate  changed\n", "out:contoso: verified")
		})
	}
}

func TestRotate_RefusedForAnotherReason(t *testing.T) {
	for name, state := range map[string]controller.State{
		"unmanaged":                  {Farm: "contoso", Unmanaged: "because", Next: farm.Next{Action: farm.ActionRotate}},
		"another request goes first": {Farm: "contoso", Mailbox: controller.Mailbox{Request: &controller.Request{Kind: controller.RequestRollback}}},
		"nothing runs":               {Farm: "contoso"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.addController(state)
			f.refuseRequests("not now")
			runProgram(t, "rotate", "contoso").assertExit(t, exitFailed, "contoso: refused: rotate: not now")
		})
	}
}

func TestWatch_UnansweredQuestionDoesNotEndIt(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(nil)
	var questions atomic.Int32
	f.onStatus = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.endRun(f.findRun("rotate/contoso", ""), verified)
		}
		return farm.Status{}, &serviceerror.QueryFailed{Message: "unknown queryType status"}
	}
	runProgram(t, "rotate", "contoso").assertExit(t, exitOK, "out:contoso: verified")
}

func TestWatch_InterruptLeavesTheRotation(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(nil)
	ctx, interrupt := context.WithCancel(t.Context())
	f.onStatus = func(string) (farm.Status, error) {
		interrupt()
		return farm.Status{}, errors.New("too late")
	}
	runProgramWith(t, ctx, "", "rotate", "contoso").assertExit(t, exitFailed, "stopped watching; rotate/contoso continues: farmtrust status contoso --watch")
	if f.findRun("rotate/contoso", "").last != nil {
		t.Error("the rotation was ended")
	}
}

func TestRotate_Detach(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(nil)
	t.Run("returns once the rotation is accepted", func(t *testing.T) {
		runProgram(t, "rotate", "contoso", "--detach").assertExit(t, exitOK,
			"out:contoso: accepted by workflow rotate/contoso, run run-2; to see what it does: farmtrust status contoso")
	})
	t.Run("says what it attached to", func(t *testing.T) {
		f.editController("contoso", func(s *controller.State) {
			s.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "run-2"}
		})
		f.refuseRequests("it runs already")
		got := runProgram(t, "rotate", "contoso", "--detach", "-o", "json")
		got.assertExit(t, exitOK)
		var accepted acceptance
		got.readJSON(t, &accepted)
		assertEqual(t, accepted, acceptance{Farm: "contoso", WorkflowID: "rotate/contoso", RunID: "run-2", Attached: true})
	})
}

func TestRequests_NeedAWorker(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{noWorker: true})
	f.addController(inOrderState("contoso"))
	before := f.startedRuns(t)
	for _, command := range []string{"rotate", "rollback", "resume", "abort"} {
		t.Run(command, func(t *testing.T) {
			runProgram(t, command, "contoso", "--reason", "r").assertExit(t, exitCannotTell, "no worker answers on task queue farmtrust; start one: farmtrust-worker -config FILE")
		})
	}
	assertEqual(t, f.startedRuns(t), before)
}

func TestRequests_RefusalIsTheControllersOwn(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.refuseRequests("not now, because")
	for _, command := range []string{"rollback", "resume", "rotate"} {
		t.Run(command, func(t *testing.T) {
			runProgram(t, command, "fabrikam", "--reason", "why not", "-o", "json").assertExit(t, exitFailed,
				"farmtrust: fabrikam: refused: "+command+": not now, because")
		})
	}
}

func TestRotate_JSONIsTheReportAlone(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.acceptRequests(&verified)
	got := runProgram(t, "rotate", "contoso", "-o", "json")
	got.assertExit(t, exitOK)
	var shown farm.Report
	got.readJSON(t, &shown)
	assertEqual(t, shown, testReport("contoso", farm.Verified))
	if strings.Count(got.out, "\n") != 1 {
		t.Errorf("more than one line: %s", got.out)
	}
}

func TestConnect_MissingSearchAttributesNameTheCommandThatAddsThem(t *testing.T) {
	startTemporal(t, &fakeTemporal{noFarmAttribute: true})
	runProgram(t, "rotate", "contoso").assertExit(t, exitFailed, "contoso: check search attributes",
		"temporal operator search-attribute create --namespace default --name Farm --type Keyword")
}

func TestConnect_TemporalThatIsNotThereIsNamed(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", writeFile(t, "none.toml", ""))
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, command := range []string{"rotate x", "plan x", "status", "status x", "check x", "report x", "abort x --reason r", "approve x", "rollback x --reason r"} {
		t.Run(command, func(t *testing.T) {
			got := runProgram(t, append(strings.Fields(command), "-o", "json")...)
			got.assertExit(t, exitCannotTell, "reach Temporal at 127.0.0.1:1: ", "set TEMPORAL_ADDRESS")
			var shown failure
			got.readJSON(t, &shown)
			assertEqual(t, shown.ExitCode, exitCannotTell)
		})
	}
}
