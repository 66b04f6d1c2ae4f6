package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// ManageFarm is the controller of a farm. It receives expiry events and
// requests of operators, inspects the farm periodically, decides what to do, and
// runs one child workflow at a time that does it. It runs until an operator has it
// forget a farm that is gone, continuing as new with everything that it knows.
//
// What it knows is worth nothing if Temporal knows better: a controller that was
// started by anything but itself, or that was reset, first recalls what ran before.
// It runs under the farm's own workflow ID only, see [ControllerID], so that there is
// one. Cancelled, it suspends the farm and goes on: a farm that nobody manages lets
// its certificate expire.
func ManageFarm(ctx workflow.Context, input controller.State) error {
	c, err := newController(ctx, input)
	if err != nil {
		return err
	}
	if !c.legacy {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	c.upgrade()
	if err := c.registerHandlers(ctx); err != nil {
		return err
	}
	for !c.forgotten && !c.shouldContinueAsNew(ctx) {
		if err := c.step(ctx); err != nil {
			return err
		}
	}
	if c.forgotten {
		return c.close(ctx)
	}
	c.receiveSignals(ctx)
	c.distrustLegacyReset(ctx)
	return workflow.NewContinueAsNewErrorWithOptions(ctx, workflow.ContinueAsNewErrorOptions{
		// Without deployment versions this says nothing.
		InitialVersioningBehavior: workflow.ContinueAsNewVersioningBehaviorAutoUpgrade,
	}, ManageFarm, sealState(ctx, c.State))
}

// farmController is a running controller: its state, and what it waits on.
type farmController struct {
	controller.State

	// root is the workflow's own context, which ends when it is cancelled.
	root workflow.Context
	// legacy reports whether this run began before controllers recalled; see
	// controller_v1.go.
	legacy bool
	// releases reports whether this run began since there are releases.
	releases bool
	// notifies reports whether this run began since operators are told.
	notifies bool
	// verifies reports whether this run began since states are sealed, configurations
	// read, and foreign trust looked for.
	verifies bool
	// rests counts how often a legacy run could have ended.
	rests int
	// runID is of this run: a reset changes it.
	runID string

	events        workflow.ReceiveChannel
	configuration workflow.ReceiveChannel
	hints         workflow.ReceiveChannel
	withdrawals   workflow.ReceiveChannel
	// child resolves when the active run ends. It is nil while none is active, and for
	// a run that was started before this controller was: that is watched by reading it.
	child workflow.ChildWorkflowFuture
	// hinted reports whether the active run has something to tell, and ending whether
	// that may be its end.
	hinted, ending bool
	// found is what an ended rotation observed last, if it observed everything:
	// it may serve as the next inspection.
	found *farm.Inspection
	// starting is the reason of a rotation that the controller is starting by
	// itself, and launching the workflow ID of the child that is just being started;
	// empty otherwise.
	starting, launching string
	// checking counts the requests of which it is being found out who makes them.
	checking int
	// started is what the last request started; zero when it started nothing.
	started StartedRun
	// reconfigured reports whether a worker has started since the active run
	// did: what the run found may be about a configuration of the past.
	reconfigured bool
	// policyDue reports whether the farm's configuration is to be read: a worker has
	// started. SaidUnmanaged reports whether that says that it does not have the farm.
	policyDue, saidUnmanaged bool
	// updated reports whether an update has changed the state.
	updated bool
	// suspendedByCancel reports whether a cancellation was taken.
	suspendedByCancel bool
	// forgotten reports whether the farm is gone, and the controller ends.
	forgotten bool
	shown     shown
	// shownInterest is the interest that the memo shows, as JSON. InterestShown reports
	// whether this run shows it, and interestAsked counts how often that was asked.
	shownInterest string
	interestShown bool
	interestAsked int
	// told, toldUnobserved and toldFindings are what the worker's log was last told.
	told           []toldFact
	toldUnobserved string
	toldFindings   []string
}

// registerHandlers registers the state query and the updates, and opens the signal
// channels.
func (c *farmController) registerHandlers(ctx workflow.Context) error {
	c.events = workflow.GetSignalChannel(ctx, EventSignal)
	c.configuration = workflow.GetSignalChannel(ctx, ConfigurationSignal)
	c.hints = workflow.GetSignalChannel(ctx, RunSignal)
	c.withdrawals = workflow.GetSignalChannel(ctx, WithdrawSignal)
	c.watchWithdrawals(ctx)
	c.deliverNotices(ctx)
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (controller.State, error) { return sealState(ctx, c.State), nil }); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, RequestUpdate, c.handleRequest, workflow.UpdateHandlerOptions{
		Validator: c.validateRequest, Description: "A request of an operator: rotate, rollback, undo, resume, release, observe, postpone, withdraw, accept or forget",
	}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, AdmitUpdate, c.handleAdmission, workflow.UpdateHandlerOptions{
		Validator: c.validateAdmission, Description: "A run of the farm asks whether it may change servers",
	}); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(c.Farm))
}

// shouldContinueAsNew reports whether this run should end.
func (c *farmController) shouldContinueAsNew(ctx workflow.Context) bool {
	return c.mayContinueAsNew(ctx) || c.movesOn(ctx)
}

// longHistory is from how many events on a run ends although a rotation is at work, as
// one does whose activity is paused for weeks. Temporal ends runs at 51,200.
const longHistory = 10_000

// mayContinueAsNew reports whether there is a reason to continue as new, and nothing is
// lost by it: an operator may be waiting for what was asked for to start, and a run for
// its admission. The next run watches what is active by reading it, so the end of a
// rotation that is at work is awaited first.
func (c *farmController) mayContinueAsNew(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	suggested := info.GetContinueAsNewSuggested() && (c.MayInspect() || info.GetCurrentHistoryLength() >= longHistory)
	switch {
	case !workflow.AllHandlersFinished(ctx):
		return false
	case c.legacy:
		return suggested && c.Active == nil
	}
	return suggested || c.suspendedByCancel || c.Active == nil && info.GetTargetWorkerDeploymentVersionChanged()
}

// upgrade makes the state one of the version with which this run began.
func (c *farmController) upgrade() {
	switch {
	case c.notifies:
		c.Upgrade()
	case c.releases:
		c.UpgradeToReleases()
	}
}

// step does the first thing that is due, or waits until something is.
func (c *farmController) step(ctx workflow.Context) error {
	if c.noticeReset(ctx); c.Recalling {
		return c.recall(ctx)
	}
	c.noticeCancel()
	c.receiveSignals(ctx)
	c.dropExpired(ctx)
	if c.policyDue {
		c.readPolicy(ctx)
	}
	if err := c.endChild(ctx); err != nil {
		return err
	}
	if c.shouldWatch(workflow.Now(ctx)) {
		return c.watchRun(ctx)
	}
	if c.verifies && c.WatchDue(workflow.Now(ctx)) {
		return c.lookForForeignTrust(ctx)
	}
	return c.act(ctx)
}

// act does the first thing that is due of what the controller knows, or waits.
func (c *farmController) act(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	switch {
	case c.legacy && c.RunsRetirement() && workflow.GetInfo(ctx).GetContinueAsNewSuggested():
		return c.cancelRetirement(ctx)
	case c.Mailbox.Request != nil && (c.Active == nil || c.RunsRetirement()):
		return c.startRequested(ctx)
	case c.Unmanaged != "":
		return c.wait(ctx)
	case c.Active != nil && !c.RunsRetirement():
		return c.attend(ctx)
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
	c.skipRead(ctx)
	request, due := c.Mailbox.Request, c.Inspected.Due
	c.updated = false
	woken := func() bool {
		return c.events.Len() > 0 || c.configuration.Len() > 0 || c.hints.Len() > 0 || c.childEnded() || c.updated ||
			c.Mailbox.Request != request || c.Inspected.Due != due || c.Recalling || c.isCancelled() || c.mayContinueAsNew(ctx)
	}
	now := workflow.Now(ctx)
	timeout := c.UntilNext(now)
	if c.verifies {
		timeout = c.UntilWatch(now, timeout)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: timeout, TimerOptions: workflow.TimerOptions{Summary: summarize(c.summarizeWait(now))},
	}, woken)
	return err
}

// outliveCancel returns a context for the handler of an update that a cancellation of the
// controller does not end: it goes on, and what was asked for is answered.
func (c *farmController) outliveCancel(ctx workflow.Context) workflow.Context {
	if !c.releases {
		return ctx // as this run began
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	return ctx
}

// isCancelled reports whether a cancellation is to be taken.
func (c *farmController) isCancelled() bool {
	return !c.legacy && c.root.Err() != nil && !c.suspendedByCancel
}

// noticeCancel takes a cancellation. An operator who cancels a controller wants nothing to
// happen by itself, and gets that; the run itself continues as new, because what it
// starts after a cancellation would be cancelled too.
func (c *farmController) noticeCancel() {
	if c.isCancelled() {
		c.suspendedByCancel = true
		c.Suspend(ControllerID(c.Farm) + " was cancelled in Temporal")
	}
}

// receiveSignals takes what has arrived, and reads the configuration where somebody says
// that it has changed.
func (c *farmController) receiveSignals(ctx workflow.Context) {
	for c.takeSignals(ctx); c.verifies && c.policyDue; c.takeSignals(ctx) {
		c.readConfiguration(ctx)
	}
}

// takeSignals takes what has arrived. Events stay pending while a rotation runs.
func (c *farmController) takeSignals(ctx workflow.Context) {
	for {
		var e controller.Event
		if !c.events.ReceiveAsync(&e) {
			break
		}
		c.ReceiveEvent(workflow.Now(ctx), e)
		c.log(ctx, eventReceived).Info("event received: "+e.Summary, "id", e.ID)
	}
	for {
		var configuration controller.Configuration
		if !c.configuration.ReceiveAsync(&configuration) {
			break
		}
		c.found, c.reconfigured = nil, true
		if c.verifies {
			c.policyDue, c.saidUnmanaged = true, configuration.Unmanaged != ""
			continue
		}
		c.ApplyConfiguration(workflow.Now(ctx), configuration)
		c.policyDue = c.releases && c.Unmanaged == ""
	}
	c.receiveHints()
	c.receiveWithdrawals()
}

// close ends the controller of a farm that is gone, once its operator is answered.
func (c *farmController) close(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	workflow.SetCurrentDetails(ctx, "The farm is forgotten: no worker's configuration names it any more.")
	return workflow.UpsertTypedSearchAttributes(ctx, NeedsOperatorAttribute.ValueSet(false))
}
