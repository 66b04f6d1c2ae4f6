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

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// queryManaged selects the last run of each controller; that it continued as new says
// nothing.
var queryManaged = queryAll(workflows.ManageFarm) + " AND ExecutionStatus != 'ContinuedAsNew'"

// Summaries lists the farms that have, or should have, a controller, by name. A farm
// that was forgotten is not among them.
func (c Client) Summaries(ctx context.Context) ([]controller.Summary, error) {
	all := summaries{}
	controllers := map[string]*workflowpb.WorkflowExecutionInfo{}
	if err := c.listWorkflows(ctx, queryManaged, func(e *workflowpb.WorkflowExecutionInfo) error {
		name := farmNameIn(e, workflows.ControllerID)
		if known := controllers[name]; known == nil || isRunning(e) || !isRunning(known) && e.StartTime.AsTime().After(known.StartTime.AsTime()) {
			controllers[name] = e
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for name, e := range controllers {
		if err := all.addController(name, e); err != nil {
			return nil, err
		}
	}
	for _, run := range []struct {
		workflow any
		id       func(string) string
	}{{workflows.RetireCertificate, workflows.RetireID}, {workflows.RotateTrust, workflows.RotateID}} {
		if err := c.listWorkflows(ctx, queryRunning(run.workflow), func(e *workflowpb.WorkflowExecutionInfo) error {
			return all.addRun(farmNameIn(e, run.id), e)
		}); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b controller.Summary) int { return strings.Compare(a.Farm, b.Farm) }), nil
}

// Summary returns what Temporal itself knows of the farm, without any worker.
func (f Farm) Summary(ctx context.Context) (controller.Summary, error) {
	all := summaries{f.name: {Farm: f.name, Site: f.Site()}}
	for _, part := range []struct {
		id  string
		add func(string, *workflowpb.WorkflowExecutionInfo) error
	}{{f.ControllerID(), all.addController}, {workflows.RetireID(f.name), all.addRun}, {workflows.RotateID(f.name), all.addRun}} {
		e, err := f.describeWorkflow(ctx, part.id)
		if err == nil && e != nil && (isRunning(e) || part.id == f.ControllerID()) {
			err = part.add(f.name, e)
		}
		if err != nil {
			return controller.Summary{}, err
		}
	}
	return all[f.name], nil
}

// summaries are those of farms, by name.
type summaries map[string]controller.Summary

func (all summaries) addController(name string, e *workflowpb.WorkflowExecutionInfo) error {
	if !wasManaged(e) {
		return nil
	}
	s, err := summarizeController(e)
	all[name] = s
	return err
}

// addRun adds what runs for a farm, also where nothing else is known of it.
func (all summaries) addRun(name string, e *workflowpb.WorkflowExecutionInfo) error {
	s, known := all[name]
	if !known {
		s.Farm = name
		s.Site, _ = workflows.SiteOf(e.TaskQueue)
	}
	phase, needsOperator, err := readPhase(e)
	s.Run = controller.RunSummary{
		WorkflowID: e.Execution.WorkflowId, Retirement: e.Execution.WorkflowId == workflows.RetireID(name),
		Phase: farm.Phase(phase), StartedAt: e.StartTime.AsTime(), NeedsOperator: needsOperator,
	}
	all[name] = s
	return err
}

func summarizeController(e *workflowpb.WorkflowExecutionInfo) (s controller.Summary, err error) {
	s.Farm, s.Managed = farmNameIn(e, workflows.ControllerID), isRunning(e)
	s.Site, _ = workflows.SiteOf(e.TaskQueue)
	phase, needsOperator, err := readPhase(e)
	if err != nil {
		return s, err
	}
	s.Phase, s.NeedsOperator = controller.Phase(phase), needsOperator
	thumbprint, err := readAttribute[string](e, workflows.ThumbprintAttribute.GetName())
	if err != nil {
		return s, err
	}
	s.Thumbprint = farm.Thumbprint(thumbprint)
	if s.NotAfter, err = readAttribute[time.Time](e, workflows.NotAfterAttribute.GetName()); err != nil {
		return s, err
	}
	s.Inspected, err = readAttribute[time.Time](e, workflows.InspectedAttribute.GetName())
	return s, err
}

// readPhase reads what a workflow does, and whether an operator is needed.
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
