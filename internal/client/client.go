// Package client is a typed Temporal client of farms: it sends events and
// requests to their controllers, takes decisions to their runs, and reads
// states, statuses and reports.
//
// It decides nothing about a farm, and shows nothing. What a worker must answer
// for waits until one does, or until the context ends.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// pollInterval is the pause between two questions about what is waited for:
// live for an operator, and no load.
const pollInterval = 250 * time.Millisecond

// Client reaches the farms of a Temporal namespace. What it starts runs on the
// task queue of its site.
type Client struct {
	temporal client.Client
	site     string
	// data and failure read what Temporal describes, which the SDK does not decode.
	data    converter.DataConverter
	failure converter.FailureConverter
}

// New returns a client over a connection, which the caller closes. It has no site, and
// reads payloads in clear.
func New(c client.Client) Client {
	return Client{temporal: c, data: converter.GetDefaultDataConverter(), failure: temporal.GetDefaultFailureConverter()}
}

// Reading returns the client for payloads that converters read: those of the connection.
// One that is nil changes nothing.
func (c Client) Reading(data converter.DataConverter, failure converter.FailureConverter) Client {
	c.data, c.failure = cmp.Or(data, c.data), cmp.Or(failure, c.failure)
	return c
}

// At returns the client of a site; empty for none.
func (c Client) At(site string) Client {
	c.site = site
	return c
}

// Site is the site that the client starts controllers at; empty for none.
func (c Client) Site() string { return c.site }

// TaskQueue is the queue of the client's site.
func (c Client) TaskQueue() string { return workflows.TaskQueue(c.site) }

// Ping reports why Temporal does not answer; nil where it does.
func (c Client) Ping(ctx context.Context) error {
	_, err := c.temporal.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	return err
}

// Farm is the controller of a farm and its runs, whether or not they exist.
type Farm struct {
	Client

	name string
	// policy is the controller's, if it is started here.
	policy controller.Policy
	// expiry is how long a request may wait to be begun.
	expiry time.Duration
}

// Farm returns a farm by its name in the worker's configuration.
//
// A controller that is started here has this policy until its first inspection
// reads the farm's own: an inspection every six hours, and the old certificate
// kept for fourteen days. [Farm.Under] gives it another.
func (c Client) Farm(name string) Farm {
	return Farm{Client: c, name: name, policy: controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour}}
}

// Under returns the farm with its configured policy. A request is served before
// the first inspection: without the policy, the first rotation would keep the
// old certificate for another time than configured.
func (f Farm) Under(p farm.RotationPolicy) Farm {
	f.policy = controller.PolicyOf(p)
	return f
}

// Name is the farm's name in the worker's configuration.
func (f Farm) Name() string { return f.name }

// ControllerID is the workflow ID of the farm's controller.
func (f Farm) ControllerID() string { return workflows.ControllerID(f.name) }

// initialState is the state that the controller starts with, if it does not run.
func (f Farm) initialState() controller.State {
	return controller.State{Farm: f.name, Policy: f.policy}
}

// ErrNoController is returned when no controller runs for a farm: no worker
// that has the farm in its configuration has started yet.
var ErrNoController = errors.New("no controller runs for the farm: start a worker that has it in its configuration")

// State asks the controller for its state, which a worker must answer for.
func (f Farm) State(ctx context.Context) (state controller.State, err error) {
	state, err = f.askState(ctx)
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound), errors.Is(err, ErrNoController):
		return state, ErrNoController
	case err != nil:
		return state, fmt.Errorf("ask %s for its state: %w", f.ControllerID(), err)
	}
	return state, nil
}

func (f Farm) signalWithStart(ctx context.Context, signal string, value any) (runID string, err error) {
	run, err := f.temporal.SignalWithStartWorkflow(ctx, f.ControllerID(), signal, value,
		workflows.ControllerOptions(f.name, f.TaskQueue()), workflows.ManageFarm, f.initialState())
	if err != nil {
		return "", fmt.Errorf("signal %s with %s: %w", f.ControllerID(), signal, err)
	}
	return run.GetRunID(), nil
}

// RefusedError is returned for a request or a decision that makes no sense now.
// It left nothing behind.
type RefusedError struct {
	// Reason is the workflow's own: what is in the way, and what to do.
	Reason string
}

// Error returns the reason.
func (e *RefusedError) Error() string { return e.Reason }

// The types of what Temporal itself answers for a workflow.
//
// Source: Temporal server 1.32, service/history/workflow/update/errors_failures.go.
const (
	runEndedFirst = "AcceptedUpdateCompletedWorkflow"
	workerTooOld  = "UnprocessedUpdate"
)

// toRefusedError tells a workflow's own refusal from everything else that can
// go wrong with an update.
func toRefusedError(action string, err error) error {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		switch application.Type() {
		case runEndedFirst:
			return fmt.Errorf("%s: the run ended before it answered; see its history", action)
		case workerTooOld:
			return fmt.Errorf("%s: the worker does not know this: upgrade it", action)
		}
		return &RefusedError{Reason: application.Message()}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// waitInterval waits for the time between two questions.
func waitInterval(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollInterval):
		return nil
	}
}
