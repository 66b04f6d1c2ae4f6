package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Author is who asks or decides, and why. Reports name both; Temporal proves
// neither.
type Author struct {
	By, Reason string
	// Prove returns what proves that the author makes a statement; nil proves nothing,
	// which does where no approvers are configured.
	Prove func(context.Context, farm.Statement) (*farm.Proof, error)
}

// Rotate asks the controller to rotate, and returns the rotation once it has
// started. A controller that is inspecting its farm finishes that first. Accept
// names findings that must not stop the rotation; see [farm.ParseAcceptance].
//
// A farm has one rotation at a time: a second request gets the running one,
// which then is [Run.Attached], unless it accepts something, which the running
// one does not know of. A request that makes no sense now ends with a
// [*RefusedError]. The controller is started if it does not run.
func (f Farm) Rotate(ctx context.Context, by Author, accept ...string) (*Run, error) {
	run, err := f.startRun(ctx, by, controller.Request{Kind: controller.RequestRotate, Accept: accept})
	if refused, ok := errors.AsType[*RefusedError](err); ok && len(accept) == 0 {
		return f.attachToRotation(ctx, refused)
	}
	return run, err
}

// ReplaceCompromised is [Farm.Rotate] for a certificate that must not be trusted
// any longer; see [farm.ReplaceCompromised]. It never attaches to a rotation
// that runs already, but is refused. Except are office servers that are left out from the
// start: nothing is read there and nothing is changed.
func (f Farm) ReplaceCompromised(ctx context.Context, by Author, except []string, accept ...string) (*Run, error) {
	return f.startRun(ctx, by, controller.Request{Kind: controller.RequestRotate, Compromised: true, Except: except, Accept: accept})
}

// Rollback asks the controller to roll back the last rotation, which must have
// ended unfinished, and returns the run that does it once it has started. One that is not
// possible now ends with a [*RefusedError].
func (f Farm) Rollback(ctx context.Context, by Author) (*Run, error) {
	return f.startRun(ctx, by, controller.Request{Kind: controller.RequestRollback})
}

// Undo asks the controller to go back behind the last renewal that was verified, and
// returns the run that does it once it has started. Now has it not wait for the
// maintenance window. One that is not possible now ends with a [*RefusedError].
func (f Farm) Undo(ctx context.Context, by Author, now bool) (*Run, error) {
	return f.startRun(ctx, by, controller.Request{Kind: controller.RequestUndo, Now: now})
}

// Resume ends the suspension of the farm: the controller inspects it at once,
// and rotates automatically again. It ends with a [*RefusedError] where the farm
// is not suspended.
func (f Farm) Resume(ctx context.Context, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestResume})
}

// Release lets the farm be rotated without being asked each time, and Observe takes
// that back. Both end with a [*RefusedError] where it is so already.
func (f Farm) Release(ctx context.Context, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestRelease})
}

// Observe takes a release back: see [Farm.Release].
func (f Farm) Observe(ctx context.Context, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestObserve})
}

// Postpone has nothing start by itself on the farm until a time. It ends with a
// [*RefusedError] while a rotation runs.
func (f Farm) Postpone(ctx context.Context, until time.Time, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestPostpone, Until: until})
}

// Accept accepts that SharePoint trusts a certificate that is none of the farm's. It ends
// with a [*RefusedError] where there is no incident about it.
func (f Farm) Accept(ctx context.Context, thumbprint farm.Thumbprint, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestAccept, Thumbprint: thumbprint})
}

// Withdraw takes back the request that waits to be begun. It ends with a
// [*RefusedError] where none does, and where it is just being begun.
func (f Farm) Withdraw(ctx context.Context, by Author) error {
	return f.ask(ctx, by, controller.Request{Kind: controller.RequestWithdraw})
}

// ask asks for what starts no run.
func (f Farm) ask(ctx context.Context, by Author, r controller.Request) error {
	_, err := f.sendRequest(ctx, by, r)
	return err
}

// Forget ends the controller of a farm that is gone. It ends with a [*RefusedError]
// while a worker has the farm in its configuration, and with [ErrNoController] where
// there is nothing to forget.
func (f Farm) Forget(ctx context.Context, by Author) error {
	running, err := f.describeWorkflow(ctx, f.ControllerID())
	switch {
	case err != nil:
		return err
	case !isRunning(running):
		return ErrNoController
	}
	_, err = f.sendRequest(ctx, by, controller.Request{Kind: controller.RequestForget})
	return err
}

// startRun asks for a run, and returns it.
func (f Farm) startRun(ctx context.Context, by Author, r controller.Request) (*Run, error) {
	started, err := f.sendRequest(ctx, by, r)
	if err != nil {
		return nil, err
	}
	return f.Run(ctx, started.WorkflowID, started.RunID), nil
}

// refusalTimeout is how much later than its operator a controller may learn that a
// rotation has ended: it may be inspecting its farm.
const refusalTimeout = time.Minute

// sendRequest sends a request, which the controller refuses or answers once what was
// asked for has started. A refusal that is outdated is not believed: the controller
// learns a moment later than its operator that a rotation has ended.
//
// What proves who asks is good once, and is made again for each time.
func (f Farm) sendRequest(ctx context.Context, by Author, r controller.Request) (started workflows.StartedRun, err error) {
	r.By, r.Reason = by.By, by.Reason
	if r.Expires.IsZero() {
		r.Expires = time.Now().Add(cmp.Or(f.expiry, DefaultExpiry))
	}
	for end := time.Now().Add(refusalTimeout); ; {
		if by.Prove != nil {
			if r.Proof, err = by.Prove(ctx, r.State(f.name, f.ControllerID())); err != nil {
				return started, err
			}
		}
		started, err = f.updateController(ctx, r)
		if _, refused := errors.AsType[*RefusedError](err); !refused || time.Now().After(end) || !f.isOutdated(ctx, r) || waitInterval(ctx) != nil {
			return started, err
		}
	}
}

// isOutdated reports whether what was in the way of a request is not any more: nothing
// is, or a run that has ended. A controller that refuses has a worker, so one whose
// state cannot be read has too many questions at once, and is asked again.
func (f Farm) isOutdated(ctx context.Context, r controller.Request) bool {
	state, err := f.State(ctx)
	switch {
	case err != nil:
		return !errors.Is(err, ErrNoController)
	case state.Active != nil:
		run, err := f.Records().describeRun(ctx, state.Active.WorkflowID, state.Active.RunID)
		return err == nil && run != nil && !isRunning(run.WorkflowExecutionInfo)
	}
	return !isStarting(state) && state.CheckRequest(time.Now(), r, "") == nil
}

// updateController updates the controller with a request.
func (f Farm) updateController(ctx context.Context, r controller.Request) (started workflows.StartedRun, err error) {
	updateID := rand.Text()
	defer func() {
		if err != nil && isGivenUp(ctx, err) {
			started, err = f.abandon(ctx, updateID, r)
		}
	}()
	err = retryContinuing(ctx, isUnprocessed, func() error {
		handle, err := f.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: f.temporal.NewWithStartWorkflowOperation(workflows.ControllerOptions(f.name, f.TaskQueue()), workflows.ManageFarm, f.initialState()),
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateID: updateID, WorkflowID: f.ControllerID(),
				UpdateName: workflows.RequestUpdate, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		if err == nil {
			err = handle.Get(ctx, &started)
		}
		return err
	})
	return started, toRefusedError(fmt.Sprintf("request %s of %s", r.Kind, f.ControllerID()), err)
}

// attachToRotation returns the rotation because of which a request was refused. When the
// cause is something else, the refusal stands.
func (f Farm) attachToRotation(ctx context.Context, refused *RefusedError) (*Run, error) {
	for {
		state, err := f.State(ctx)
		switch {
		case err != nil:
			return nil, err
		case state.Unmanaged != "":
			return nil, refused
		case state.Active != nil && !state.RunsRetirement():
			return f.attachedRotation(ctx, state.Active.RunID), nil
		case state.Next.Code == farm.CodeStartedElsewhere:
			return f.attachedRotation(ctx, ""), nil
		case !isStarting(state):
			return nil, refused
		}
		if err := waitInterval(ctx); err != nil {
			return nil, err
		}
	}
}

// isStarting reports whether a rotation is about to start, because an operator
// has just asked for one or because the controller decided so.
func isStarting(s controller.State) bool {
	if s.Mailbox.Request != nil {
		return s.Mailbox.Request.Kind == controller.RequestRotate
	}
	return s.Next.Action == farm.ActionRotate
}

func (f Farm) attachedRotation(ctx context.Context, runID string) *Run {
	run := f.Run(ctx, workflows.RotateID(f.name), runID)
	run.Attached = true
	return run
}

// DecideAs is [Run.Decide] by an author, who proves it.
func (r *Run) DecideAs(ctx context.Context, farmName string, by Author, d farm.Decision) (err error) {
	d.By, d.Reason = by.By, by.Reason
	if by.Prove != nil {
		retires := r.ID() == workflows.RetireID(farmName)
		if d.Proof, err = by.Prove(ctx, d.State(farmName, r.ID(), r.RunID(), retires)); err != nil {
			return err
		}
	}
	return r.Decide(ctx, d)
}

// Decide takes an operator's decision to the run, and returns once the run has
// accepted it. One that comes at the wrong moment ends with a [*RefusedError].
func (r *Run) Decide(ctx context.Context, d farm.Decision) error {
	updateID := rand.Text()
	err := retryContinuing(ctx, isTaskFailure, func() error {
		handle, err := r.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			UpdateID: updateID, WorkflowID: r.ID(), RunID: r.RunID(),
			UpdateName: workflows.DecideUpdate, Args: []any{d}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(ctx, nil)
		}
		return err
	})
	return toRefusedError(fmt.Sprintf("%s %s", d.Choice, r.ID()), err)
}
