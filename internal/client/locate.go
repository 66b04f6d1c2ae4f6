package client

import (
	"context"

	"github.com/farmtrust/farmtrust/workflows"
)

// Locate returns the farm at the site where its controller runs; unchanged where
// none does.
func (f Farm) Locate(ctx context.Context) (Farm, error) {
	running, err := f.describeWorkflow(ctx, f.ControllerID())
	if err != nil || !isRunning(running) {
		return f, err
	}
	if site, ok := workflows.SiteOf(running.TaskQueue); ok {
		f.Client = f.At(site)
	}
	return f, nil
}
