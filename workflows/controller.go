package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// ManageFarm is the controller of a farm. It receives expiry events and
// requests of operators, inspects the farm periodically, decides what to do, and
// runs one child workflow at a time that does it. It runs indefinitely,
// continuing as new with everything that it knows.
func ManageFarm(ctx workflow.Context, state controller.State) error {
	c := &farmController{State: state}
	if err := c.registerHandlers(ctx); err != nil {
		return err
	}
	for !c.shouldContinueAsNew(ctx) {
		if err := c.step(ctx); err != nil {
			return err
		}
	}
	c.receiveSignals(ctx)
	return workflow.NewContinueAsNewError(ctx, ManageFarm, c.State)
}

// farmController is a running controller: its state, and what it waits on.
type farmController struct {
	controller.State

	events        workflow.ReceiveChannel
	configuration workflow.ReceiveChannel
	// child resolves when the active run ends; nil while none is active.
	child workflow.ChildWorkflowFuture
	// found is what an ended rotation observed last, if it observed everything:
	// it may serve as the next inspection.
	found *farm.Inspection
	// starting is the reason of a rotation that the controller is starting by
	// itself; empty otherwise.
	starting string
	// started is what the last request started; zero when it started nothing.
	started StartedRun
	// reconfigured reports whether a worker has started since the active run
	// did: what the run found may be about a configuration of the past.
	reconfigured bool
}

// registerHandlers registers the state query and the request update, and opens
// the signal channels.
func (c *farmController) registerHandlers(ctx workflow.Context) error {
	c.events = workflow.GetSignalChannel(ctx, EventSignal)
	c.configuration = workflow.GetSignalChannel(ctx, ConfigurationSignal)
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (controller.State, error) { return c.State, nil }); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, RequestUpdate, c.handleRequest, workflow.UpdateHandlerOptions{
		Validator: c.validateRequest, Description: "A request of an operator: rotate, rollback or resume",
	}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, AdmitUpdate, c.handleAdmission, workflow.UpdateHandlerOptions{
		Description: "A run of the farm asks whether it may change servers",
	}); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(c.Farm))
}

// shouldContinueAsNew reports whether Temporal suggests it and nothing is lost by
// it: the controller learns of its child's end from the child alone, and an
// operator may be waiting for what was asked for to start.
func (c *farmController) shouldContinueAsNew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && c.Active == nil && workflow.AllHandlersFinished(ctx)
}

// step does the first thing that is due, or waits until something is.
func (c *farmController) step(ctx workflow.Context) error {
	c.receiveSignals(ctx)
	c.endChild(ctx)
	now := workflow.Now(ctx)
	switch {
	case c.Active != nil && workflow.GetInfo(ctx).GetContinueAsNewSuggested() && c.RunsRetirement():
		// A retirement that nobody approves must not grow this history without
		// bound. It starts again after its retention.
		return c.cancelRetirement(ctx)
	case c.Unmanaged != "", c.Active != nil && !c.RunsRetirement():
		return c.wait(ctx)
	case c.Mailbox.Request != nil:
		return c.startRequested(ctx)
	case len(c.Mailbox.Pending) > 0 || c.InspectionDue(now):
		return c.inspect(ctx)
	case c.Active == nil && c.RetirementDue(now):
		return c.startRetirement(ctx)
	}
	return c.wait(ctx)
}

// wait waits for a signal, a request, the end of the child or the time of the
// next inspection or retirement.
func (c *farmController) wait(ctx workflow.Context) error {
	c.showPage(ctx)
	request, due := c.Mailbox.Request, c.Inspected.Due
	woken := func() bool {
		return c.events.Len() > 0 || c.configuration.Len() > 0 || c.childEnded() ||
			c.Mailbox.Request != request || c.Inspected.Due != due || c.shouldContinueAsNew(ctx)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: c.UntilNext(workflow.Now(ctx)), TimerOptions: workflow.TimerOptions{Summary: "next inspection"},
	}, woken)
	return err
}

// receiveSignals takes what has arrived. Events stay pending while a rotation
// runs.
func (c *farmController) receiveSignals(ctx workflow.Context) {
	for {
		var e controller.Event
		if !c.events.ReceiveAsync(&e) {
			break
		}
		c.ReceiveEvent(workflow.Now(ctx), e)
	}
	for {
		var configuration controller.Configuration
		if !c.configuration.ReceiveAsync(&configuration) {
			break
		}
		c.ApplyConfiguration(configuration)
		c.found, c.reconfigured = nil, true
	}
}

// inspect inspects the farm, or takes what the rotation before observed, and
// starts a rotation if one is needed. The inspection is a child workflow and not
// a row of activities, so that a farm of a hundred servers adds a few events to
// this history and not thousands.
func (c *farmController) inspect(ctx workflow.Context) error {
	found, unobserved, err := c.findState(ctx)
	if err != nil {
		return err
	}
	now := workflow.Now(ctx)
	next, err := c.decide(ctx, c.DecisionInput(now, found, unobserved))
	if err != nil {
		return err
	}
	c.ApplyInspection(now, found, unobserved, next)
	switch {
	case next.Action != farm.ActionRotate:
		c.AnswerEvents(controller.EventResult{At: now, Reason: next.Reason, NeedsOperator: next.NeedsOperator})
		return nil
	case c.Mailbox.Request != nil:
		return nil // a request that arrived meanwhile goes first, and answers the events
	}
	return c.startDecided(ctx, found)
}

// findState returns what is found on the farm, and why it could not be observed;
// empty when it was.
func (c *farmController) findState(ctx workflow.Context) (farm.Inspection, string, error) {
	c.BeginInspection()
	if found := c.takeFound(ctx); found != nil {
		return *found, "", nil
	}
	c.showPage(ctx)
	var found farm.Inspection
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: InspectionID(c.Farm), StaticSummary: shorten("inspect "+c.Farm, maxSummary),
	})
	err := workflow.ExecuteChildWorkflow(child, InspectTrust, InspectInput{Farm: c.Farm}).Get(ctx, &found)
	switch {
	case ctx.Err() != nil:
		return found, "", ctx.Err() // the controller is cancelled, and not only its inspection
	case c.Inspected.At.IsZero() && isUnknownFarm(err):
		// No worker was ever configured for it: the name was mistyped.
		return found, "", temporal.NewNonRetryableApplicationError(explain(err), UnknownFarmError, nil)
	case err != nil:
		return found, explain(err), nil
	}
	return found, found.Unobserved(), nil
}

// takeFound returns what the rotation that has just ended observed. It is nil
// when that was some time ago, as after the worker was away, and when events have
// arrived: they may be about a certificate that was not there yet when the
// rotation chose its own.
func (c *farmController) takeFound(ctx workflow.Context) *farm.Inspection {
	found := c.found
	c.found = nil
	if found == nil || len(c.Mailbox.Pending) > 0 || workflow.Now(ctx).Sub(found.At) > maxInspectionAge {
		return nil
	}
	return found
}

// decide decides what to do next. A controller never ends for a reason of its
// own: when the decision fails, the next inspection decides.
func (c *farmController) decide(ctx workflow.Context, in farm.DecisionInput) (farm.Next, error) {
	var next farm.Next
	err := workflow.ExecuteActivity(localOptions(ctx, "decide what to do"), a.Decide, in).Get(ctx, &next)
	if temporal.IsCanceledError(err) {
		return next, err
	}
	if err != nil {
		return farm.Next{NeedsOperator: true, Code: farm.CodeUndecided, Reason: "cannot decide: " + explain(err)}, nil
	}
	return next, nil
}

// showPage writes the farm's page in the Temporal UI, and marks for searches
// whether an operator is needed. The mark is for show only, so a failure to set
// it, which the worker checks for at its start, must not stop the controller.
func (c *farmController) showPage(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, report.Farm(c.State, workflow.Now(ctx)).Markdown())
	now := workflow.Now(ctx)
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		PhaseAttribute.ValueSet(string(c.Phase())), NeedsOperatorAttribute.ValueSet(c.NeedsOperator(now)),
		ThumbprintAttribute.ValueSet(string(c.Inspected.Current.Thumbprint))); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}
