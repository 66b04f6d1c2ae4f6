package activities

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/singleflight"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// askController asks a farm's controller whether the workflow run of an activity may
// change servers.
//
// A worker that stops may be the one that runs the controller, which then does not
// answer: another worker asks again.
func (a *Activities) askController(ctx context.Context, farmName string) (controller.Admitted, error) {
	defer startHeartbeat(ctx)()
	asking, cancel := context.WithTimeout(ctx, admissionTimeout)
	defer cancel()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			cancel()
		case <-stopped:
		}
	}()
	run := activity.GetInfo(ctx).WorkflowExecution
	admitted, err := a.Runs.Admit(asking, farmName, controller.Admission{WorkflowID: run.ID, RunID: run.RunID})
	if err != nil && ctx.Err() != nil {
		return admitted, context.Cause(ctx) // the activity timed out or was cancelled
	}
	if application, ok := errors.AsType[*temporal.ApplicationError](err); err == nil || ok && application.Type() == NotAdmitted {
		return admitted, err
	}
	return admitted, temporal.NewApplicationErrorWithCause("the controller of "+farmName+" does not say whether this run may change servers: "+err.Error(), NotAnswered, err)
}

// admissionTimeout is how long a controller may take to answer: it reads the run, which
// takes a second.
const admissionTimeout = 30 * time.Second

// admissionCheck has each step show its mandate, and ask the farm's controller, before it
// begins: a run that was started by hand, or reset after it had ended, changes nothing. Nor
// does any on a farm that this worker's configuration has observed only.
type admissionCheck struct {
	activities *Activities
	steps      map[string]bool
	admitted   *admittedRuns
}

func newAdmissionCheck(a *Activities) *admissionCheck {
	return &admissionCheck{activities: a, steps: findSteps(), admitted: &admittedRuns{known: map[string]bool{}}}
}

// findSteps names the activities that change servers: those that return a
// [StepResult].
func findSteps() map[string]bool {
	steps := map[string]bool{}
	for method := range reflect.TypeFor[*Activities]().Methods() {
		if method.Type.NumOut() > 0 && method.Type.Out(0) == reflect.TypeFor[StepResult]() {
			steps[method.Name] = true
		}
	}
	return steps
}

func (i *admissionCheck) execute(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	if info := activity.GetInfo(ctx); i.steps[info.ActivityType.Name] {
		if err := i.admit(ctx, in.Args, info); err != nil {
			return nil, err
		}
	}
	return next(ctx, in)
}

func (i *admissionCheck) admit(ctx context.Context, args []any, info activity.Info) error {
	if len(args) == 0 {
		return terminalError(NotMandated, "a step without a farm")
	}
	in, ok := args[0].(mandated)
	if !ok {
		return terminalError(NotMandated, "a step without a farm")
	}
	farmName, _, _ := in.mandate()
	if f, known := i.activities.Farms.Farm(farmName); known && f.Rotation.Mode == farm.ModeObserve {
		return terminalError(ObserveOnly, "nothing is changed: %s", farm.ObservesOnly)
	}
	if err := i.activities.checkMandate(ctx, in, stagesOf[info.ActivityType.Name]...); err != nil {
		return err
	}
	return i.ask(ctx, farmName, info.WorkflowExecution.RunID)
}

// ask asks the farm's controller, once for each run.
func (i *admissionCheck) ask(ctx context.Context, farmName, runID string) error {
	key := farmName + "\n" + runID
	if i.admitted.has(key) {
		return nil
	}
	defer startHeartbeat(ctx)()
	// The first step of a run begins on many servers at once: one of them asks for all.
	answer := i.admitted.asking.DoChan(key, func() (any, error) {
		_, err := i.activities.askController(ctx, farmName)
		if err == nil {
			i.admitted.add(key)
		}
		return nil, err
	})
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case answered := <-answer:
		if _, ok := errors.AsType[*temporal.ApplicationError](answered.Err); answered.Err == nil || ok {
			return answered.Err
		}
		// The step that asked was cut off, and this one was not.
		return temporal.NewApplicationErrorWithCause("the controller of "+farmName+" was not asked to the end", NotAnswered, answered.Err)
	}
}

// maxAdmitted is how many runs a worker remembers as admitted: more than run at once.
const maxAdmitted = 4096

// admittedRuns are the runs that a controller has admitted, and those that it is being
// asked about. A run stays admitted until it ends; what a reset makes of it has an ID of
// its own.
type admittedRuns struct {
	asking singleflight.Group

	mu    sync.Mutex
	known map[string]bool
}

func (r *admittedRuns) has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[key]
}

// add forgets all others when they are too many: they are asked for once more.
func (r *admittedRuns) add(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxAdmitted {
		clear(r.known)
	}
	r.known[key] = true
}
