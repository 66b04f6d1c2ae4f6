package workflows

import (
	"maps"
	"slices"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// types are the workflows by the names of their types, which histories hold.
var types = map[string]any{
	"ManageFarm":        ManageFarm,
	"RotateTrust":       RotateTrust,
	"RetireCertificate": RetireCertificate,
	"InspectTrust":      InspectTrust,
}

// Types lists the workflow types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(types)) }

// Register registers all workflows, with a worker or with a replayer.
func Register(r worker.WorkflowRegistry) {
	for name, function := range types {
		r.RegisterWorkflowWithOptions(function, workflow.RegisterOptions{Name: name})
	}
}
