package deployment_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/deployment"
)

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		version deployment.Version
		want    string
	}{
		"not versioned":  {},
		"versioned":      {version: deployment.Version{Name: "farmtrust", Build: "v1.4.0"}},
		"no build":       {version: deployment.Version{Name: "farmtrust"}, want: "needs a name and a build ID"},
		"no name":        {version: deployment.Version{Build: "v1"}, want: "needs a name and a build ID"},
		"with full stop": {version: deployment.Version{Name: "farm.trust", Build: "v1"}, want: `"farm.trust" contains`},
		"with colon":     {version: deployment.Version{Name: "farm:trust", Build: "v1"}, want: `"farm:trust" contains`},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.version.Validate()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	if diff := cmp.Diff(worker.DeploymentOptions{}, deployment.Version{}.Options()); diff != "" {
		t.Error("without a version:", diff)
	}
	want := worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: "farmtrust", BuildID: "v2"},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}
	if diff := cmp.Diff(want, deployment.Version{Name: "farmtrust", Build: "v2"}.Options()); diff != "" {
		t.Error(diff)
	}
}
