package workflows_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// testController is the controller of a [testFarm].
type testController struct {
	*testRun

	// unconfigured reports whether no worker has the farm in its configuration any more,
	// and hash is that of the configuration.
	unconfigured atomic.Bool
	hash         atomic.Value
	// last is the state when the test stopped the controller; nil before.
	last *controller.State
}

func (f *testFarm) newController(t *testing.T) *testController {
	t.Helper()
	return f.controlIn(f.newRun(t))
}

// controlIn is a controller that runs in the environment of a run.
func (f *testFarm) controlIn(r *testRun) *testController {
	c := &testController{testRun: r}
	c.onStart = c.onRead
	c.runs.previous = cmp.Or(f.runs.previous, releasedBefore())
	f.runs.follow(c.env)
	c.env.RegisterActivityWithOptions(c.readConfiguration, activity.RegisterOptions{Name: "ReadConfiguration", DisableAlreadyRegisteredCheck: true})
	return c
}

// releasedBefore is what a controller finds on a farm that was released, and on which
// nothing has happened since.
func releasedBefore() *controller.State {
	return &controller.State{Farm: farmsim.FarmName, Format: controller.Format, Released: &controller.Release{By: "op", Reason: "for the test"}}
}

// stop ends the test of a controller, which never ends by itself, and keeps its state.
// It is cancelled for that, which has it continue as new.
func (c *testController) stop() {
	state := c.state()
	c.last = &state
	c.env.SetDetachedChildWait(false)
	c.env.CancelWorkflow()
}

func (c *testController) sendEvent(id string) {
	c.env.SignalWorkflow(workflows.EventSignal, controller.Event{ID: id, Summary: "event " + id})
}

// sendHint is a run that says that it has something to tell, or an operator who forges that.
func (c *testController) sendHint(hint any) { c.env.SignalWorkflow(workflows.RunSignal, hint) }

// endContinued has the controller continue as new; what it has started is left alone.
func (c *testController) endContinued() {
	c.env.SetDetachedChildWait(false)
	c.env.SetContinueAsNewSuggested(true)
	c.configureAs("")
}

// readConfiguration is the activity, of the worker that was started last.
func (c *testController) readConfiguration(ctx context.Context, name string) (activities.FarmConfiguration, error) {
	if c.unconfigured.Load() {
		name = "another"
	}
	read, err := c.activities.ReadConfiguration(ctx, name)
	read.Hash, _ = c.hash.Load().(string)
	return read, err
}

// configureAs is a worker that starts, and says why the farm is unmanaged.
func (c *testController) configureAs(unmanaged string) {
	c.unconfigured.Store(unmanaged != "")
	c.env.SignalWorkflow(workflows.ConfigurationSignal, controller.Configuration{Unmanaged: unmanaged})
}

// configureOther is a worker that starts with another configuration of the farm.
func (c *testController) configureOther() {
	c.hash.Store("other")
	c.configureAs("")
}

// request asks for something, which must start a rotation unless it resumes;
// its answer is returned once it is there.
func (c *testController) request(kind controller.RequestKind) *workflows.StartedRun {
	started := &workflows.StartedRun{}
	c.sendUpdate(workflows.RequestUpdate, controller.Request{Kind: kind, By: "op", Reason: "as asked"}, func(result any, err error) {
		if err != nil {
			c.t.Errorf("request to %s is refused: %v", kind, err)
			return
		}
		*started, _ = result.(workflows.StartedRun)
		if kind != controller.RequestResume && (started.WorkflowID != workflows.RotateID(farmsim.FarmName) || started.RunID == "") {
			c.t.Errorf("request to %s is answered with %#v, want the run of a rotation", kind, result)
		}
	})
	return started
}

// assertRequestRefused asks for something, which must be refused, at once or
// later, with these words.
func (c *testController) assertRequestRefused(r controller.Request, want string) {
	c.sendUpdate(workflows.RequestUpdate, r, func(_ any, err error) {
		if err == nil || !strings.Contains(err.Error(), want) {
			c.t.Errorf("request %+v is answered with %v, want it refused: %q", r, err, want)
		}
	})
}

// requestAs asks for something by an update with this ID.
func (c *testController) requestAs(id string, r controller.Request, answered func(error)) {
	c.sendUpdateAs(id, workflows.RequestUpdate, r, func(_ any, err error) { answered(err) })
}

// undoRequest asks for an undo.
var undoRequest = controller.Request{Kind: controller.RequestUndo, By: "op", Reason: "refreshes fail"}

// state asks the controller for its state.
func (c *testController) state() controller.State {
	c.t.Helper()
	answer, err := c.env.QueryWorkflow(workflows.StateQuery)
	if err != nil {
		c.t.Fatal(err)
	}
	var s controller.State
	if err := answer.Get(&s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// assertPhase asserts what the controller does.
func (c *testController) assertPhase(want controller.Phase) {
	c.t.Helper()
	s := c.state()
	if got := s.Phase(); got != want {
		c.t.Errorf("the controller is %s (%s), want %s", got, s.Next.Reason, want)
	}
}

// decideOn makes a decision about a child, which must be accepted; the digest is
// filled in.
func (c *testController) decideOn(workflowID string, choice farm.Choice) {
	c.t.Helper()
	answer, err := c.env.QueryWorkflowByID(workflowID, workflows.StatusQuery)
	if err != nil {
		c.t.Fatal(err)
	}
	var s farm.Status
	if err := answer.Get(&s); err != nil || s.Wait == nil {
		c.t.Fatalf("%s waits for %+v, %v; want a decision to be needed", workflowID, s.Wait, err)
	}
	if err := c.env.UpdateWorkflowByID(workflowID, workflows.DecideUpdate, string(choice), &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { c.t.Error(err) }, OnComplete: func(any, error) {},
	}, farm.Decision{Choice: choice, Digest: s.Wait.Digest, By: "op", Reason: "as planned"}); err != nil {
		c.t.Error(err)
	}
}

// runFrom runs the controller from a state until it is stopped or continues as
// new, and returns its state then. It was continued as new with a state that is not
// zero; otherwise it is the first.
func (c *testController) runFrom(from controller.State) (state controller.State, continued bool) {
	c.t.Helper()
	if from.Policy != (controller.Policy{}) || !from.Inspected.At.IsZero() {
		c.env.SetContinuedExecutionRunID("before")
		if from.Format == 0 {
			from.Format, from.Released = controller.Format, releasedBefore().Released
		}
	}
	from.Farm = farmsim.FarmName
	return c.runAs(workflows.ManageFarm, from)
}

func (c *testController) runAs(manage func(workflow.Context, controller.State) error, from controller.State) (state controller.State, continued bool) {
	c.t.Helper()
	c.startAs(workflows.ControllerID(farmsim.FarmName))
	c.env.ExecuteWorkflow(manage, from)
	c.requireAnswered()
	err := c.env.GetWorkflowError()
	again, ok := errors.AsType[*workflow.ContinueAsNewError](err)
	if !ok {
		c.t.Fatalf("the controller ended: %v", err)
	}
	if c.last != nil {
		return *c.last, false
	}
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &state); err != nil {
		c.t.Fatal(err)
	}
	return state, true
}

// runUntil runs a new controller for some time and returns its state then.
func (c *testController) runUntil(end time.Duration) controller.State {
	c.t.Helper()
	c.after(end, c.stop)
	state, _ := c.runFrom(controller.State{})
	return state
}

// requireContinued runs a controller until it continues as new and returns its
// state then.
func (c *testController) requireContinued(from controller.State) controller.State {
	c.t.Helper()
	state, continued := c.runFrom(from)
	if !continued {
		c.t.Fatalf("the controller did not continue as new: %+v", state)
	}
	return state
}

// run is how the last run of a controller ended, and what it led to.
type run struct {
	Outcome       farm.Outcome
	Active        string
	Suspended     bool
	HasSnapshot   bool
	Unfinished    int
	NeedsOperator bool
}

// requireRun asserts how a controller's last run ended and what it led to.
func requireRun(t *testing.T, s controller.State, want run) {
	t.Helper()
	got := run{Outcome: s.Last.Outcome, Suspended: s.Suspended != "", HasSnapshot: s.Retention.Snapshot != nil, Unfinished: len(s.Unfinished)}
	if s.Active != nil {
		got.Active = s.Active.WorkflowID
	}
	got.NeedsOperator = s.NeedsOperator(time.Now())
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("the controller's last run (-want +got):\n%s\nlast %+v, suspended %q, next %+v", diff, s.Last, s.Suspended, s.Next)
	}
}

// eventResult is what a test expects to come of an event.
type eventResult struct {
	// WorkflowID is empty when nothing was started; HasRunID is false also for
	// a run that was started by hand.
	WorkflowID string
	HasRunID   bool
	// Reason is part of the reason.
	Reason string
}

// assertEventResult asserts what came of an event.
func assertEventResult(t *testing.T, s controller.State, eventID string, want eventResult) {
	t.Helper()
	r, ok := s.Mailbox.ResultOf(eventID)
	if !ok {
		t.Errorf("nothing has come of event %s yet", eventID)
		return
	}
	got := eventResult{WorkflowID: r.WorkflowID, HasRunID: r.RunID != "", Reason: r.Reason}
	if strings.Contains(got.Reason, want.Reason) {
		got.Reason = want.Reason
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("what came of event %s (-want +got):\n%s", eventID, diff)
	}
}

// assertPending asserts which events wait.
func assertPending(t *testing.T, s controller.State, want ...string) {
	t.Helper()
	var got []string
	for _, e := range s.Mailbox.Pending {
		got = append(got, e.ID)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("pending events (-want +got):\n%s", diff)
	}
}

// replaceRotation has rotations end as told, without touching the farm.
func (r *testRun) replaceRotation(rotate func(workflow.Context, workflows.RotateInput) (farm.RotationResult, error)) {
	r.env.RegisterWorkflowWithOptions(rotate, workflow.RegisterOptions{Name: "RotateTrust", DisableAlreadyRegisteredCheck: true})
}

// replaceRetirement has retirements wait until they are cancelled, and end a
// minute later as told.
func (r *testRun) replaceRetirement(end farm.Report) {
	r.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.RetireInput) (farm.RotationResult, error) {
		ctx.Done().Receive(ctx, nil)
		ctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		end.Target = in.Old.Thumbprint
		return farm.RotationResult{Report: end}, workflow.Sleep(ctx, time.Minute)
	}, workflow.RegisterOptions{Name: "RetireCertificate", DisableAlreadyRegisteredCheck: true})
}
