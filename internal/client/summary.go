package client

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Summary is what Temporal's visibility store knows of a farm.
type Summary struct {
	Farm string
	// Site is where its workers are; empty for none.
	Site string
	// Phase is what the controller does; empty where none runs.
	Phase string
	// NeedsOperator reports whether the controller or a run waits for an operator.
	NeedsOperator bool
	// Rotation is the phase of the last rotation while it runs, and afterwards
	// Temporal's word for how it ended; empty where there was none.
	Rotation string
	// Thumbprint is of the certificate that the rotation works or worked towards.
	Thumbprint farm.Thumbprint
	StartedAt  time.Time
	// EndedAt is zero while the rotation runs.
	EndedAt time.Time
}

// Summaries lists the farms that have a controller or were rotated, by name.
func (c Client) Summaries(ctx context.Context) ([]Summary, error) {
	all := summaries{}
	for _, source := range []struct {
		query string
		add   func(*workflowpb.WorkflowExecutionInfo) error
	}{
		{queryAll(workflows.RotateTrust), all.addRotation},
		{queryRunning(workflows.ManageFarm), all.addController},
		{queryRunning(workflows.RetireCertificate), all.addRetirement},
	} {
		if err := c.listWorkflows(ctx, source.query, source.add); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Summary) int { return strings.Compare(a.Farm, b.Farm) }), nil
}

// summaries are those of farms, by name.
type summaries map[string]Summary

// addRotation adds a rotation, unless a later one of the farm is known.
func (all summaries) addRotation(e *workflowpb.WorkflowExecutionInfo) error {
	s, err := summarizeRotation(e)
	if known, ok := all[s.Farm]; !ok || s.StartedAt.After(known.StartedAt) {
		all[s.Farm] = s
	}
	return err
}

func (all summaries) addController(e *workflowpb.WorkflowExecutionInfo) error {
	name := farmNameIn(e, workflows.ControllerID)
	s := all[name]
	s.Site, _ = workflows.SiteOf(e.TaskQueue)
	all[name] = s
	return all.addPhase(e, name)
}

// addRetirement replaces what the controller says of its retirement: only the
// retirement knows whether it waits for an operator.
func (all summaries) addRetirement(e *workflowpb.WorkflowExecutionInfo) error {
	return all.addPhase(e, farmNameIn(e, workflows.RetireID))
}

func (all summaries) addPhase(e *workflowpb.WorkflowExecutionInfo, farmName string) error {
	phase, needsOperator, err := readPhase(e)
	s := all[farmName]
	s.Farm, s.Phase, s.NeedsOperator = farmName, phase, s.NeedsOperator || needsOperator
	all[farmName] = s
	return err
}

func summarizeRotation(e *workflowpb.WorkflowExecutionInfo) (Summary, error) {
	thumbprint, err := readAttribute[string](e, workflows.ThumbprintAttribute.GetName())
	site, _ := workflows.SiteOf(e.TaskQueue)
	s := Summary{
		Farm:       farmNameIn(e, workflows.RotateID),
		Site:       site,
		Rotation:   strings.ToLower(e.Status.String()),
		Thumbprint: farm.Thumbprint(thumbprint),
		StartedAt:  e.StartTime.AsTime(),
	}
	if e.CloseTime != nil {
		s.EndedAt = e.CloseTime.AsTime()
	}
	if err != nil || !isRunning(e) {
		return s, err
	}
	phase, needsOperator, err := readPhase(e)
	if phase != "" {
		s.Rotation = phase
	}
	s.NeedsOperator = needsOperator
	return s, err
}

// readPhase reads what a running workflow does, and whether an operator is
// needed.
func readPhase(e *workflowpb.WorkflowExecutionInfo) (phase string, needsOperator bool, err error) {
	if phase, err = readAttribute[string](e, workflows.PhaseAttribute.GetName()); err != nil {
		return "", false, err
	}
	needsOperator, err = readAttribute[bool](e, workflows.NeedsOperatorAttribute.GetName())
	return phase, needsOperator, err
}

// readAttribute returns a search attribute, its zero value where it is not set.
func readAttribute[T any](e *workflowpb.WorkflowExecutionInfo, name string) (value T, err error) {
	payload := e.SearchAttributes.GetIndexedFields()[name]
	if payload == nil {
		return value, nil
	}
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &value); err != nil {
		return value, fmt.Errorf("read search attribute %s of %s: %w", name, e.Execution.WorkflowId, err)
	}
	return value, nil
}
