package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Recorder is the audit log.
type Recorder interface {
	// Record returns once the record cannot be lost any more.
	Record(r audit.Record) error
}

// NotRecorded is the type of the error when the audit log cannot be written. What is not
// recorded is not done: it is retried for as long as the workflow allows.
const NotRecorded = "NotRecorded"

// record writes to the audit log, where there is one, what a run is about to do or has
// decided. It fails with [NotRecorded].
func (a *Activities) record(ctx context.Context, r audit.Record) error {
	if a.Audit == nil {
		return nil
	}
	if activity.IsActivity(ctx) {
		info := activity.GetInfo(ctx)
		r.Workflow, r.Run, r.Attempt = info.WorkflowExecution.ID, info.WorkflowExecution.RunID, int(info.Attempt)
	}
	if err := a.Audit.Record(r); err != nil {
		return temporal.NewApplicationErrorWithCause("nothing is done that cannot be recorded: "+err.Error(), NotRecorded, err)
	}
	return nil
}

// aboutCertificate is what the input of an activity about a certificate is.
type aboutCertificate interface{ thumbprint() farm.Thumbprint }

func (in ServerInput) thumbprint() farm.Thumbprint { return in.Target.Thumbprint }

func (in OldCertificateInput) thumbprint() farm.Thumbprint { return in.Old.Thumbprint }

// stepRecord is what the records of a step have in common.
func stepRecord(ctx context.Context, args []any) audit.Record {
	r := audit.Record{Step: activity.GetInfo(ctx).ActivityType.Name}
	if r.Farm, r.Server = subjectOf(args); len(args) > 0 {
		if in, ok := args[0].(aboutCertificate); ok {
			r.Target = string(in.thumbprint())
		}
	}
	return r
}

// stepRecorder writes to the audit log, before and after each attempt at a step that may
// change a server.
type stepRecorder struct {
	activities *Activities
	steps      map[string]bool
}

func (i *stepRecorder) execute(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	if i.activities.Audit == nil || !i.steps[activity.GetInfo(ctx).ActivityType.Name] {
		return next(ctx, in)
	}
	r := stepRecord(ctx, in.Args)
	r.Event = audit.Begin
	if err := i.activities.record(ctx, r); err != nil {
		return nil, err
	}
	result, err := next(ctx, in)
	r.Event, r.Outcome = audit.End, audit.Failed
	switch step, ok := result.(StepResult); {
	case err != nil:
		r.Detail = textOf(err)
	case ok:
		r.Detail, r.Changes = step.Detail, step.Changes
		if r.Outcome = audit.Unchanged; step.Changed {
			r.Outcome = audit.Changed
		}
	}
	if lost := i.activities.record(ctx, r); lost != nil {
		// The step is done, and a Begin without its End says so; the next one is refused.
		activity.GetLogger(ctx).Error("the end of a step is not in the audit log: "+lost.Error(), "farm", r.Farm, "server", r.Server)
	}
	return result, err
}

// refusals are the types of the errors of a step that was not begun, because the run may
// not, and of a decision that does not count.
var refusals = []string{NotAdmitted, ObserveOnly, NotSealed, BadSeal, NotMandated, NotPermitted, NotAuthorized}

// refusalRecorder writes to the audit log which steps were refused. Who reaches Temporal
// can have any number of them refused: the log is told of a few each hour, and Temporal has
// all.
type refusalRecorder struct {
	activities *Activities

	mu    sync.Mutex
	since time.Time
	count int
}

// refusalsAnHour are recorded; each is a line of the log.
const refusalsAnHour = 100

func (i *refusalRecorder) execute(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	result, err := next(ctx, in)
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return result, err
	}
	r, refused := stepRecord(ctx, in.Args), slices.Contains(refusals, application.Type())
	if len(in.Args) > 0 {
		if decision, ok := in.Args[0].(CheckDecisionInput); ok {
			r, refused = decision.describe(farm.Authorization{}), refused || application.Type() == NotPlanned
		}
	}
	if !refused {
		return result, err
	}
	r.Event, r.Outcome, r.Detail = audit.Refusal, application.Type(), application.Message()
	if i.next(&r) {
		if lost := i.activities.record(ctx, r); lost != nil {
			activity.GetLogger(ctx).Error("a refusal is not in the audit log: "+lost.Error(), "farm", r.Farm, "server", r.Server)
		}
	}
	return result, err
}

// next reports whether a refusal is recorded. The last one of an hour says that others
// are not.
func (i *refusalRecorder) next(r *audit.Record) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.activities.Now()
	if now.Sub(i.since) >= time.Hour {
		i.since, i.count = now, 0
	}
	if i.count++; i.count == refusalsAnHour {
		r.Detail += "; further refusals of this hour are not listed here"
	}
	return i.count <= refusalsAnHour
}
