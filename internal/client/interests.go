package client

import (
	"context"
	"fmt"
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// InterestedFarm is a farm whose controller runs, and which events concern it.
type InterestedFarm struct {
	Farm
	controller.Interest

	// Problem is why the controller's memo cannot be read; nil where it can. Nothing is
	// known of the farm's interest then.
	Problem error
}

// Interests lists the farms whose controllers run, at all sites. It needs no worker.
func (c Client) Interests(ctx context.Context) (all []InterestedFarm, err error) {
	err = c.listWorkflows(ctx, queryRunning(workflows.ManageFarm), func(e *workflowpb.WorkflowExecutionInfo) error {
		site, isSite := workflows.SiteOf(e.TaskQueue)
		name, isFarm := strings.CutPrefix(e.Execution.WorkflowId, workflows.ControllerID(""))
		if !isSite || !isFarm || !farm.IsName(name) {
			return nil // anybody who reaches Temporal can start a workflow of this type
		}
		f := InterestedFarm{Farm: c.At(site).Farm(name)}
		f.Interest, f.Problem = c.readInterest(e)
		all = append(all, f)
		return nil
	})
	return all, err
}

// readInterest reads the memo of a controller.
func (c Client) readInterest(e *workflowpb.WorkflowExecutionInfo) (i controller.Interest, err error) {
	for name, part := range map[string]any{workflows.CertificatesMemo: &i.Certificates, workflows.EventsMemo: &i.Events} {
		payload := e.Memo.GetFields()[name]
		if payload == nil {
			continue
		}
		if err := c.data.FromPayload(payload, part); err != nil {
			return controller.Interest{}, fmt.Errorf("read memo %s of %s: %w", name, e.Execution.WorkflowId, err)
		}
	}
	return i, nil
}
