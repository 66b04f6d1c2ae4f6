package host

import (
	"context"
	"fmt"
	"slices"

	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/workflows"
)

// CheckPolling returns an error unless a worker on this machine, by its host name,
// has asked Temporal for work of a site within the last minutes. One that stopped
// asking, although its process runs, is noticed after three.
func CheckPolling(ctx context.Context, c temporal.Client, site, machine string) error {
	workers, err := client.New(c).At(site).Workers(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(workers, func(w client.Worker) bool { return w.Host == machine }) {
		return fmt.Errorf("no worker on %s polls task queue %s", machine, workflows.TaskQueue(site))
	}
	return nil
}
