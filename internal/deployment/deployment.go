// Package deployment makes a worker one version of a Temporal worker deployment, and
// tells operators when Temporal gives that version no work.
//
// It is off by default: without it, histories and version gates in package workflows
// let one version take over from another.
package deployment

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Version is one version of a worker deployment. The zero Version means that the
// worker is not versioned.
type Version struct {
	// Name is the deployment's, the same for all versions; Build names this one.
	Name, Build string
}

// Validate checks that Name and Build are both set or both empty, and that Temporal
// accepts Name.
//
// Source: server 1.32.1, common/worker_versioning: a name has neither a colon nor a
// full stop.
func (v Version) Validate() error {
	switch {
	case (v.Name == "") != (v.Build == ""):
		return errors.New("a deployment needs a name and a build ID")
	case strings.ContainsAny(v.Name, ":."):
		return fmt.Errorf("the deployment name %q contains a colon or a full stop", v.Name)
	}
	return nil
}

// IsZero reports whether the worker is not versioned.
func (v Version) IsZero() bool { return v == Version{} }

// Options returns the worker's options. Each workflow run stays with the version
// that it began on. A farm's controller never ends by itself, so at rest it continues as
// new on the current version.
func (v Version) Options() worker.DeploymentOptions {
	if v.IsZero() {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: v.Name, BuildID: v.Build},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}
}

// SetCurrentCommand is the command that makes the version current.
func (v Version) SetCurrentCommand() string {
	return fmt.Sprintf("temporal worker deployment set-current-version --deployment-name %s --build-id %s", v.Name, v.Build)
}
