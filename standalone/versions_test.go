package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	farmclient "github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/deployment"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// testVersions are versioned workers of one simulated farm, on an embedded Temporal
// server.
type testVersions struct {
	configured *config.Config
	temporal   client.Client
	farm       farmclient.Farm
	sealKeys   *keyring.Ring
}

func startTestVersions(t *testing.T, policy ...string) *testVersions {
	t.Helper()
	sim := startFarm(t, farmsim.Options{Trusting: true})
	configured := setPolicy(t, sim, policy)
	server, err := embedded.Start(t.Context(), embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(t.Context(), client.Options{HostPort: server.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &testVersions{configured, c, farmclient.New(c).Farm(farmsim.FarmName), keyring.Generated()}
}

// run runs a worker of this build until the test ends, and returns its log.
func (v *testVersions) run(t *testing.T, build string) *observer.ObservedLogs {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{
			Config: v.configured, Client: v.temporal, Namespace: embedded.Namespace,
			Deployment: deployment.Version{Name: "farmtrust", Build: build}, SealKeys: v.sealKeys, Log: zap.New(core),
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return logs
}

// setCurrent makes a version current as soon as its worker is known.
func (v *testVersions) setCurrent(t *testing.T, build string) {
	t.Helper()
	waitUntil(t, func() bool {
		_, err := v.temporal.WorkerDeploymentClient().GetHandle("farmtrust").SetCurrentVersion(t.Context(),
			client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
		return err == nil
	})
}

// buildOf returns the build that the newest run of a workflow is pinned to, empty
// before one has worked on it.
func (v *testVersions) buildOf(t *testing.T, workflowID string) string {
	t.Helper()
	described, err := v.temporal.DescribeWorkflowExecution(t.Context(), workflowID, "")
	if err != nil {
		return ""
	}
	return described.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
}

func (v *testVersions) rotation(t *testing.T) farm.Status {
	t.Helper()
	s, err := v.farm.Run(t.Context(), workflows.RotateID(farmsim.FarmName), "").Status(t.Context())
	if err != nil {
		return farm.Status{} // it has not begun
	}
	return s
}

func TestVersions_ARotationStaysAndTheControllerMovesOn(t *testing.T) {
	t.Parallel()
	v := startTestVersions(t, "approval: required")
	controller, rotate := workflows.ControllerID(farmsim.FarmName), workflows.RotateID(farmsim.FarmName)

	log := v.run(t, "v1")
	waitUntil(t, func() bool { return log.FilterMessageSnippet("no workflow runs").Len() > 0 })
	command := "temporal worker deployment set-current-version --deployment-name farmtrust --build-id v1"
	if message := log.FilterMessageSnippet("no workflow runs").All()[0].Message; !strings.Contains(message, command) {
		t.Errorf("the log does not name the command: %s", message)
	}
	if build := v.buildOf(t, controller); build != "" {
		t.Errorf("the controller runs on %s, although no version is current", build)
	}

	v.setCurrent(t, "v1")
	releaseFarm(t, v.farm, v.configured)
	var wait *farm.Wait
	waitUntil(t, func() bool {
		wait = v.rotation(t).Wait
		return wait != nil && wait.For == farm.ForApproval
	})

	v.run(t, "v2")
	v.setCurrent(t, "v2")
	if err := v.farm.Run(t.Context(), rotate, "").Decide(t.Context(), farm.Decision{Choice: farm.Approve, Digest: wait.Digest, By: "operator", Reason: "as planned"}); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return v.buildOf(t, controller) == "v2" })
	if build := v.buildOf(t, rotate); build != "v1" {
		t.Errorf("the rotation moved to %s", build)
	}
	s, err := v.farm.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Last.Outcome != farm.Verified {
		t.Errorf("the controller of v2 knows %+v of the rotation of v1", s.Last)
	}

	// Going back: a worker that starts signals the controller, which wakes it.
	v.setCurrent(t, "v1")
	v.run(t, "v1")
	waitUntil(t, func() bool { return v.buildOf(t, controller) == "v1" })
}
