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

// overview lists the farms that have a keeper or were rotated: what the keeper
// does, and the running or last rotation.
func (a *app) overview(ctx context.Context, c client.Client) error {
	last := map[string]console.Rotation{}
	err := a.list(ctx, c, "WorkflowType = 'RotateTrust'", func(e *workflowpb.WorkflowExecutionInfo) error {
		r, err := rotationOf(e)
		if known, ok := last[r.Farm]; !ok || r.StartedAt.After(known.StartedAt) {
			last[r.Farm] = r
		}
		return err
	})
	if err != nil {
		return err
	}
	// A keeper says that it is at work, and its retirement whether that waits
	// for a person; the retirement has the last word.
	for _, kept := range []struct{ kind, id string }{{"KeepTrust", workflows.ControllerID("")}, {"RetireCertificate", workflows.RetireID("")}} {
		if err := a.list(ctx, c, "WorkflowType = '"+kept.kind+"' AND ExecutionStatus = 'Running'", func(e *workflowpb.WorkflowExecutionInfo) error {
			name := strings.TrimPrefix(e.Execution.WorkflowId, kept.id)
			doing, person, err := progressOf(e)
			r := last[name]
			r.Farm, r.Keeper, r.NeedsPerson = name, doing, r.NeedsPerson || person
			last[name] = r
			return err
		}); err != nil {
			return err
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
	thumbprint, err := attribute[string](e.SearchAttributes, workflows.ThumbprintAttribute.GetName())
	if err != nil {
		return r, err
	}
	r.Thumbprint = farm.Thumbprint(thumbprint)
	if e.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return r, nil
	}
	phase, person, err := progressOf(e)
	if phase != "" {
		r.State = phase
	}
	r.NeedsPerson = person
	return r, err
}

// progressOf reads what a running workflow does, and whether a person is
// needed.
func progressOf(e *workflowpb.WorkflowExecutionInfo) (phase string, person bool, err error) {
	if phase, err = attribute[string](e.SearchAttributes, workflows.PhaseAttribute.GetName()); err != nil {
		return "", false, err
	}
	person, err = attribute[bool](e.SearchAttributes, workflows.NeedsOperatorAttribute.GetName())
	return phase, person, err
}

// attribute returns a search attribute, its zero value where it is not set.
func attribute[T any](all *commonpb.SearchAttributes, name string) (value T, err error) {
	payload := all.GetIndexedFields()[name]
	if payload == nil {
		return value, nil
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err != nil {
		return value, fmt.Errorf("read search attribute %s: %w", name, err)
	}
	return value, nil
}
