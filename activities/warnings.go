package activities

import (
	"context"
	"slices"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Interceptors are what a worker needs that runs these activities: one that tells the
// log of attempts that fail, one that counts them, one that tells the audit log of steps
// that were refused, one that has each step ask the farm's controller before it changes
// anything, one that writes each step to the audit log, one that hands what cmdlets warned
// of over in [StepResult.Warnings], and writes it to the log, whatever the activity is and
// however it ends, and one that bounds results.
func Interceptors(a *Activities) []interceptor.WorkerInterceptor {
	return []interceptor.WorkerInterceptor{
		&retryInterceptor{}, &attemptInterceptor{version: a.Version}, &refusalInterceptor{activities: a},
		newAdmissionInterceptor(a), newAuditInterceptor(a), &warningInterceptor{}, &sizeInterceptor{},
	}
}

type warningInterceptor struct {
	interceptor.WorkerInterceptorBase
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (*warningInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	i := &warningCollector{}
	i.Next = next
	return i
}

type warningCollector struct {
	interceptor.ActivityInboundInterceptorBase
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *warningCollector) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	farmName, _ := subjectOf(in.Args)
	var (
		mu       sync.Mutex
		warnings []string
	)
	result, err := i.Next.ExecuteActivity(powershell.WithWarnings(ctx, func(server, text string) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(warnings, text) {
			warnings = append(warnings, text)
			activity.GetLogger(ctx).Warn("a cmdlet warned: "+text, "event", "warning", "farm", farmName, "server", server)
		}
	}), in)
	mu.Lock()
	defer mu.Unlock()
	if step, ok := result.(StepResult); ok {
		step.Warnings = warnings
		return step, err
	}
	return result, err
}
