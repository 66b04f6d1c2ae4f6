package deploy_test

import (
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/workflows"
)

// versionsNamespace is where versioned workers run beside the one that has no version.
const versionsNamespace = "versions"

// assertVersionsAreKept fails the test unless a rotation ends on the version of the
// worker that it began on, and the farm's controller moves on to the one that becomes
// current meanwhile.
func (top *topology) assertVersionsAreKept(t *testing.T) {
	t.Helper()
	top.words["default"] = versionsNamespace
	top.runJob(t, "namespace")
	c := top.dial(t, "worker")
	config := top.startFarm(t)
	o := &operator{command: []string{top.programs.path("farmtrust")}, env: append(top.env("worker"), "USER=operator")}

	top.startVersion(t, c, config, "v1")
	digest := o.rotateUntilApproval(t)
	top.startVersion(t, c, config, "v2")
	o.run(t, "approve", "contoso", digest, "--reason", "tested")
	o.awaitVerified(t)
	poll(t, "the controller to move on", func() bool { return buildOf(t, c, workflows.ControllerID("contoso")) == "v2" })
	if build := buildOf(t, c, workflows.RotateID("contoso")); build != "v1" {
		t.Errorf("the rotation began on v1 and ended on %q", build)
	}
}

// startVersion starts a worker of a version, and makes it the current one.
func (top *topology) startVersion(t *testing.T, c client.Client, config, build string) {
	t.Helper()
	worker := top.worker(config)
	worker.name += "-" + build
	worker.args = append(worker.args, "-deployment", "farmtrust", "-build", build)
	worker.start(t, top.dir)
	poll(t, build+" to become current", func() bool {
		_, err := c.WorkerDeploymentClient().GetHandle("farmtrust").SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
		return err == nil
	})
}

// buildOf returns the build that the newest run of a workflow is pinned to.
func buildOf(t *testing.T, c client.Client, workflowID string) string {
	t.Helper()
	described, err := c.DescribeWorkflowExecution(t.Context(), workflowID, "")
	if err != nil {
		t.Fatal(err)
	}
	return described.WorkflowExecutionInfo.GetVersioningInfo().GetDeploymentVersion().GetBuildId()
}
