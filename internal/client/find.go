package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// UnknownFarmError means that no worker has ever had a farm of this name in its
// configuration, or that the farm was forgotten.
type UnknownFarmError struct {
	Farm string
	// Known are the farms that have a controller, by name.
	Known []string
}

// fewNames is up to how many known farms an error lists.
const fewNames = 10

// Error names the farm that was probably meant, and those that are known.
func (e *UnknownFarmError) Error() string {
	text := fmt.Sprintf("no worker is configured for farm %q;", e.Farm)
	if nearest := farm.NearestName(e.Farm, e.Known); nearest != "" {
		text += " did you mean " + nearest + "?"
	}
	switch more := len(e.Known) - fewNames; {
	case len(e.Known) == 0:
		return text + " no farm is known here: start a worker (farmtrust-worker -config FILE), or set TEMPORAL_NAMESPACE"
	case more > 0:
		return fmt.Sprintf("%s known: %s and %d more", text, strings.Join(e.Known[:fewNames], ", "), more)
	}
	return text + " known: " + strings.Join(e.Known, ", ")
}

// Find returns the farm at the site of its controller. It is an [*UnknownFarmError]
// where no worker has it in its configuration, so that a name that was mistyped starts
// nothing. Where a worker runs that has not started any controller yet, it waits for
// that, some seconds at most.
func (f Farm) Find(ctx context.Context) (Farm, error) {
	for end := time.Now().Add(startTimeout); ; {
		found, known, err := f.locateKnown(ctx)
		if err != nil || known {
			return found, err
		}
		farms, err := f.KnownFarms(ctx)
		if err != nil {
			return f, err
		}
		unknown := &UnknownFarmError{Farm: f.name, Known: farms}
		if len(farms) > 0 || time.Now().After(end) {
			return f, unknown
		}
		switch starting, err := f.Workers(ctx); {
		case err != nil:
			return f, err
		case len(starting) == 0:
			return f, unknown
		}
		if err := waitInterval(ctx); err != nil {
			return f, err
		}
	}
}

// locateKnown returns the farm at the site of its controller, and whether it is known.
func (f Farm) locateKnown(ctx context.Context) (Farm, bool, error) {
	e, err := f.describeWorkflow(ctx, f.ControllerID())
	if err != nil || e == nil || !wasManaged(e) {
		return f, false, err
	}
	if site, ok := workflows.SiteOf(e.TaskQueue); ok && isRunning(e) {
		f.Client = f.At(site)
	}
	return f, true, nil
}

// wasManaged reports whether a controller is, or was, that of a farm which a worker has
// in its configuration. One completes when its farm is forgotten; one that failed
// without any inspection had a name that no worker knew.
func wasManaged(e *workflowpb.WorkflowExecutionInfo) bool {
	switch e.Status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return false
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return e.SearchAttributes.GetIndexedFields()[workflows.InspectedAttribute.GetName()] != nil
	}
	return true
}

// KnownFarms lists the farms that have a controller, by name.
func (c Client) KnownFarms(ctx context.Context) ([]string, error) {
	var names []string
	err := c.listWorkflows(ctx, queryRunning(workflows.ManageFarm), func(e *workflowpb.WorkflowExecutionInfo) error {
		names = append(names, farmNameIn(e, workflows.ControllerID))
		return nil
	})
	slices.Sort(names)
	return names, err
}
