package activities

import (
	"context"
	"slices"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// collectWarnings hands over what cmdlets warned of.
func collectWarnings(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	farmName, _ := subjectOf(in.Args)
	var (
		mu       sync.Mutex
		warnings []string
	)
	result, err := next(powershell.WithWarnings(ctx, func(server, text string) {
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
