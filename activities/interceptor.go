package activities

import (
	"context"

	"go.temporal.io/sdk/interceptor"
)

// Interceptors are what a worker needs that runs these activities: one that tells the
// log of attempts that fail, one that counts them, one that tells the audit log of steps
// that were refused, one that has each step ask the farm's controller before it changes
// anything, one that writes each step to the audit log, one that hands what cmdlets warned
// of over in [StepResult.Warnings], and writes it to the log, whatever the activity is and
// however it ends, and one that bounds results.
func Interceptors(a *Activities) []interceptor.WorkerInterceptor {
	return []interceptor.WorkerInterceptor{
		&around{do: tellRetry}, &around{do: countAttempt(a.Version)}, &around{do: (&refusalRecorder{activities: a}).execute},
		&around{do: newAdmissionCheck(a).execute}, &around{do: (&stepRecorder{activities: a, steps: findSteps()}).execute},
		&around{do: collectWarnings}, &around{do: boundResult},
	}
}

// around intercepts activities: do is what is done in the place of each, and next what
// does the activity.
type around struct {
	interceptor.WorkerInterceptorBase

	do func(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error)
}

type executor func(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error)

// InterceptActivity implements interceptor.WorkerInterceptor.
func (a *around) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &intercepted{around: a}
	i.Next = next
	return i
}

// intercepted is one activity.
type intercepted struct {
	interceptor.ActivityInboundInterceptorBase

	around *around
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *intercepted) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	return i.around.do(ctx, in, i.Next.ExecuteActivity)
}
