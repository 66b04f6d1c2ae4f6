package client

import (
	"context"
	"fmt"

	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// addAttempts adds to the steps of a run that are being retried how often they were
// tried and why the last attempt failed. The run itself does not know: Temporal tells it
// of the last attempt alone.
func (r *Run) addAttempts(ctx context.Context, s *farm.Status) error {
	running := runningSteps(s)
	if len(running) == 0 {
		return nil
	}
	described, err := r.temporal.DescribeWorkflowExecution(ctx, r.ID(), r.RunID())
	if err != nil {
		return fmt.Errorf("ask what %s retries: %w", r.ID(), err)
	}
	for _, pending := range described.PendingActivities {
		if pending.LastFailure != nil {
			r.noteAttempt(running, pending)
		}
	}
	return nil
}

// runningSteps are the steps that run, by host. On a server there is one at a time.
func runningSteps(s *farm.Status) map[string]*farm.StepReport {
	running := map[string]*farm.StepReport{}
	for i := range s.Report.Servers {
		server := &s.Report.Servers[i]
		for j := range server.Steps {
			if server.Steps[j].State == farm.StateRunning {
				running[server.Host] = &server.Steps[j]
			}
		}
	}
	return running
}

// noteAttempt notes a pending activity on the step that it is. A failure that does not
// say its server, as when a worker is lost, is that of the only step that runs.
func (c Client) noteAttempt(running map[string]*farm.StepReport, pending *workflowpb.PendingActivityInfo) {
	server := c.serverOf(pending.LastFailure)
	if server == "" && len(running) == 1 {
		for only := range running {
			server = only
		}
	}
	step := running[server]
	if step == nil {
		return
	}
	step.Attempts = int(pending.Attempt)
	step.LastError = workflows.Explain(c.failure.FailureToError(pending.LastFailure))
}

// serverOf returns the server that a failure names; empty where it names none.
func (c Client) serverOf(failure *failurepb.Failure) string {
	var attempted activities.Attempted
	details := failure.GetApplicationFailureInfo().GetDetails()
	if details == nil || c.data.FromPayloads(details, &attempted) != nil {
		return ""
	}
	return attempted.Server
}
