package workflows

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// a names activities by function, so that calls are type-checked; it is never
// called.
var a *activities.Activities

// operation is what rotations and retirements are made of: a farm, a
// certificate, steps on servers that block when their retries run out, the
// progress that is shown, and the decisions of operators.
type operation struct {
	farm   farm.Farm
	target farm.Certificate
	// mandate is the worker's word on what the run may do with the target; every step shows
	// it.
	mandate activities.Mandate
	// observed is the last observation of the farm, empty before the first.
	observed farm.Observed
	// knownMasters are the masters as they were last observed with their settings,
	// by office farm.
	knownMasters map[string]farm.OfficeServer
	progress     *progress
	decisions    *decisions
	// asked is what a worker found about who asked for the run; nil where nobody did.
	asked *farm.Authorization

	// steps is the context of the steps, which cancelSteps ends when an operator cancels
	// the run.
	steps       workflow.Context
	cancelSteps workflow.CancelFunc
	// closing reports whether it is settled how the run ends.
	closing bool
	// reconfigured counts how often the farm's policy was read again.
	reconfigured int

	// tries reports whether a step whose retries run out returns a [stepFailure] instead of
	// blocking.
	tries bool
	// waiting is what the run waits for; nil while it goes on. reminds reports whether
	// operators are reminded of it.
	waiting *waiting
	reminds bool
	// inUse returns the certificate that the farm uses, and its end; it is nil, as are
	// the next two, where the run knows of none.
	inUse func() (farm.Thumbprint, time.Time)
	// previousEnds returns when the certificate ends that a rollback would restore, and
	// expired says so once that is over.
	previousEnds func() time.Time
	expired      func(now time.Time) string
	// optionsOf returns what an operator can decide while the run waits, and what follows
	// if nobody does.
	optionsOf func(w farm.Wait) ([]farm.Option, string)
	// changesUse reports whether the run's way back would change what users notice,
	// goesBack whether it is on its way back, and doubtRefresh why data refreshes may fail
	// now, empty if they work; they are nil for a retirement.
	changesUse, goesBack func() bool
	doubtRefresh         func(workflow.Context) string
}

// ending is how the steps of an operation ended. The cause is nil for a good end.
type ending struct {
	outcome farm.Outcome
	cause   error
}

// newOperation loads the farm's configuration, and says how long it waits for a
// worker that has it.
func newOperation(ctx workflow.Context, farmName, reason string, intent farm.Intent, attempts int32) (*operation, error) {
	o := &operation{knownMasters: map[string]farm.OfficeServer{}, decisions: &decisions{retries: map[hostStep]int{}}}
	if err := workflow.ExecuteActivity(workflow.WithRetryPolicy(localOptions(ctx, "load configuration of "+farmName), *retryPolicy(attempts)), a.LoadFarm, farmName).Get(ctx, &o.farm); err != nil {
		return nil, err
	}
	if o.farm.Rotation.Mode == farm.ModeObserve {
		return nil, temporal.NewNonRetryableApplicationError("nothing was changed: "+farm.ObservesOnly, RefusedError, nil)
	}
	o.steps, o.cancelSteps = workflow.WithCancel(ctx)
	o.progress = newProgress(ctx, o.farm, reason, intent)
	if err := o.progress.registerQuery(ctx); err != nil {
		return nil, err
	}
	o.watchConfiguration(ctx)
	return o, o.registerDecisions(ctx)
}

// runPhase runs the steps of a phase, one after the other.
func (o *operation) runPhase(ctx workflow.Context, phase farm.Phase, steps ...func(workflow.Context) error) error {
	if err := o.progress.setPhase(ctx, phase); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stepOn is a step on one server.
type stepOn struct {
	host string
	step farm.Step
	// canary rolls back at once when the step fails; see [failedStep].
	canary bool
	// postpone is told of a step that failed because a service of its server does not
	// run, and is to be done later; nil blocks at once.
	postpone func(host string)
	// beforeRetry gets the server ready when an operator asks for another attempt; nil
	// does nothing.
	beforeRetry func(workflow.Context) error
}

// runStep runs one activity as a step on a server, and shows its progress. When
// its retries run out it blocks: retry runs it again, skip leaves the server
// out, anything else ends the run.
func (o *operation) runStep(ctx workflow.Context, s stepOn, run func() workflow.Future) (activities.StepResult, error) {
	for {
		if err := o.decisions.err(); err != nil {
			return activities.StepResult{}, err
		}
		var result activities.StepResult
		o.progress.startStep(ctx, s.host, s.step)
		cause := run().Get(ctx, &result)
		o.progress.finishStep(ctx, s.host, s.step, result, cause)
		switch {
		case cause == nil || endsRun(cause):
			return result, o.decisions.noteEnd(cause)
		case s.postpone != nil && isServiceStopped(cause):
			s.postpone(s.host)
			return result, nil
		case o.tries:
			return result, &stepFailure{failedStep{host: s.host, step: s.step, cause: cause}}
		}
		choice, err := o.block(ctx, failedStep{host: s.host, step: s.step, cause: cause, canary: s.canary})
		switch {
		case err != nil:
			return result, err
		case choice == farm.Skip:
			o.progress.skipStep(s.host, s.step)
			return result, nil
		case choice != farm.Retry:
			return result, errResolved
		case s.beforeRetry != nil:
			if err := s.beforeRetry(ctx); err != nil || o.decisions.isSkipped(s.host) {
				return result, err
			}
		}
	}
}

// runOnOffice runs a step on every office server that takes part.
func (o *operation) runOnOffice(ctx workflow.Context, step farm.Step, run func(ctx workflow.Context, host string) workflow.Future) error {
	return o.runOnHosts(ctx, o.officeHosts(), step, run)
}

// runOnHosts runs a step on some office servers.
func (o *operation) runOnHosts(ctx workflow.Context, hosts []string, step farm.Step, run func(ctx workflow.Context, host string) workflow.Future) error {
	return forEach(ctx, hosts, o.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		_, err := o.runStep(ctx, stepOn{host: host, step: step}, func() workflow.Future { return run(ctx, host) })
		return err
	})
}

// officeHosts lists the office servers that take part: all that were not left
// out by decision.
func (o *operation) officeHosts() []string {
	return slices.DeleteFunc(o.farm.OfficeHosts(), o.decisions.isSkipped)
}

// withoutSkipped leaves out the differences of servers that were left out.
func (o *operation) withoutSkipped(differences []farm.Difference) []farm.Difference {
	return slices.DeleteFunc(slices.Clone(differences), func(d farm.Difference) bool { return o.decisions.isSkipped(d.Server) })
}

// close records how the operation ended, and turns an end that is not a good one
// into a failure that carries the result. What the controller is told goes first: who
// sees the outcome finds the run closed, and can go on.
func (o *operation) close(ctx workflow.Context, end ending, statement string, result farm.RotationResult) (farm.RotationResult, error) {
	o.closing = true
	// The outcome must be recorded even when the run was cancelled.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	show := func() error { return o.progress.close(ctx, end.outcome, statement) }
	tell := func() error {
		o.sendHint(ctx, true)
		return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	}
	steps := []func() error{tell, show}
	if !changeShowsEndLast.has(ctx) {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return farm.RotationResult{}, err
		}
	}
	result.Report = o.progress.boundedStatus().Report
	switch {
	case end.cause == nil:
		return result, nil
	case o.decisions.cancelled && end.outcome == farm.RolledBack:
		return result, nil // as its operator asked
	case temporal.IsCanceledError(end.cause) && !o.decisions.cancelled:
		return farm.RotationResult{}, temporal.NewCanceledError(result)
	case end.outcome == farm.Refused:
		return farm.RotationResult{}, temporal.NewNonRetryableApplicationError(result.Statement, RefusedError, nil, result)
	}
	return farm.RotationResult{}, temporal.NewNonRetryableApplicationError(result.Statement, IncompleteError, nil, result)
}

// resolvedEnding is how a run ends that an operator may have aborted meanwhile.
func (o *operation) resolvedEnding(end ending) ending {
	if o.decisions.resolution.choice == farm.Abort {
		return ending{outcome: farm.Partial}
	}
	return end
}

// failedEnding is the ending of steps that failed with an error.
func failedEnding(err error) ending { return ending{farm.Incomplete, err} }

// serverError says on which server an observation failed, or found what must not
// be.
type serverError struct {
	host  string
	cause error
}

func (e *serverError) Error() string { return e.cause.Error() }

func (e *serverError) Unwrap() error { return e.cause }

// stoppedBy is the error that findings end or block a run with.
func stoppedBy(stops []farm.Finding) error {
	var texts []error
	for _, s := range stops {
		texts = append(texts, errors.New(joinNonEmpty(": ", s.Server, s.Text, s.Remedy)))
	}
	return errors.Join(texts...)
}
