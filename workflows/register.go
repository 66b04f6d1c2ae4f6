package workflows

import "go.temporal.io/sdk/worker"

// Register registers all workflows, with a worker or with a replayer.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflow(ManageFarm)
	r.RegisterWorkflow(RotateTrust)
	r.RegisterWorkflow(RetireCertificate)
	r.RegisterWorkflow(InspectTrust)
}
