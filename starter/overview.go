package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// rotations is what programs read of an overview.
type rotations struct {
	Rotations []console.Rotation `json:"rotations"`
}

// overview lists the running or last rotation of each farm.
func (a *app) overview(ctx context.Context, c client.Client) error {
	last := map[string]console.Rotation{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = 'RotateTrust'"}
	for {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list rotations: %w", a.explain(ctx, c, err))
		}
		for _, e := range page.Executions {
			r, err := rotationOf(e)
			if err != nil {
				return err
			}
			if known, ok := last[r.Farm]; !ok || r.StartedAt.After(known.StartedAt) {
				last[r.Farm] = r
			}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			break
		}
	}
	list := rotations{Rotations: []console.Rotation{}}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		list.Rotations = append(list.Rotations, last[name])
	}
	return a.show(list, func(w io.Writer) error { return console.Overview(w, list.Rotations, time.Now()) })
}

func rotationOf(e *workflowpb.WorkflowExecutionInfo) (console.Rotation, error) {
	r := console.Rotation{
		Farm:      strings.TrimPrefix(e.Execution.WorkflowId, workflows.RotateID("")),
		State:     strings.ToLower(e.Status.String()),
		StartedAt: e.StartTime.AsTime(),
	}
	if e.CloseTime != nil {
		r.EndedAt = e.CloseTime.AsTime()
	}
	thumbprint, err := attribute(e.SearchAttributes, workflows.ThumbprintAttribute.GetName())
	if err != nil {
		return r, err
	}
	r.Thumbprint = farm.Thumbprint(thumbprint)
	if e.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return r, nil
	}
	phase, err := attribute(e.SearchAttributes, workflows.PhaseAttribute.GetName())
	if phase != "" {
		r.State = phase
	}
	return r, err
}

// attribute returns a search attribute, empty where it is not set.
func attribute(all *commonpb.SearchAttributes, name string) (string, error) {
	payload := all.GetIndexedFields()[name]
	if payload == nil {
		return "", nil
	}
	var value string
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err != nil {
		return "", fmt.Errorf("read search attribute %s: %w", name, err)
	}
	return value, nil
}
