package main

import (
	"slices"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/replay"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// otherRotation is a rotation as another version could have it.
func otherRotation(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }

func TestReplay_FindsTheWorkflowThatThisVersionCouldNotContinue(t *testing.T) {
	t.Parallel()
	w := startTestWorker(t, "approval: required")
	// A controller and a rotation of this version are open, and a rotation of
	// another one.
	waitUntil(t, func() bool {
		s, err := w.farm.Run(t.Context(), workflows.RotateID(farmsim.FarmName), "").Status(t.Context())
		return err == nil && s.Wait != nil && s.Wait.For == farm.ForApproval
	})
	other := worker.New(w.temporal, "other", worker.Options{})
	other.RegisterWorkflowWithOptions(otherRotation, workflow.RegisterOptions{Name: "RotateTrust"})
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	run, err := w.temporal.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{ID: "rotate/other", TaskQueue: "other"}, "RotateTrust")
	if err != nil {
		t.Fatal(err)
	}
	o := replay.Options{Client: w.temporal, Namespace: embedded.Namespace, Types: workflows.Types(), Register: workflows.Register}
	var result replay.Result
	waitUntil(t, func() bool {
		if result, err = replay.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return result.Replayed >= 3 && len(result.Breaks) > 0 // the other one has begun
	})
	t.Logf("%+v", result)
	for i := range result.Breaks {
		result.Breaks[i].Reason = ""
	}
	if want := []replay.Break{{WorkflowID: "rotate/other", RunID: run.GetRunID()}}; !slices.Equal(result.Breaks, want) {
		t.Errorf("got %+v, want %+v", result.Breaks, want)
	}

	t.Run("on one task queue only", func(t *testing.T) {
		o := o
		o.TaskQueue = workflows.TaskQueue("")
		result, err := replay.Run(t.Context(), o)
		if err != nil || result.Replayed < 2 || len(result.Breaks) > 0 {
			t.Errorf("got %+v, %v", result, err)
		}
	})
}
