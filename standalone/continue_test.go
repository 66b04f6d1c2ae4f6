package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// TestContinueAsNew_LosesNothing has a controller continue as new after every few
// inspections, which it does about once in two months otherwise, while events and
// requests arrive.
func TestContinueAsNew_LosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	const senders, eventsOfEach, requests = 40, 10, 10
	w := startTestWorkerOn(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1}, embedded.Options{ContinueAsNewAfter: 30}, "approval: none")
	waitUntil(t, func() bool {
		state, err := w.farm.State(t.Context())
		return err == nil && state.Last.Outcome == farm.Verified && state.Active == nil
	})
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range eventsOfEach {
				if err := w.deliverTwice(t.Context(), fmt.Sprintf("%d-%d", sender, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var rotations atomic.Int64
	group.Go(func() {
		for i := range requests {
			if err := w.rotateAgain(t.Context(), fmt.Sprintf("request %d", i)); err != nil {
				t.Error(err)
				return
			}
			rotations.Add(1)
		}
	})
	group.Wait()
	if got, want := w.countRuns(t, "RotateTrust"), 1+rotations.Load(); got != want {
		t.Errorf("there were %d rotations, want %d: the first, and one for each request", got, want)
	}
	if runs := w.countRuns(t, "ManageFarm"); runs < 10 {
		t.Errorf("the controller continued as new %d times only", runs-1)
	} else {
		t.Logf("%d runs of the controller", runs)
	}
}

// deliverTwice sends an event twice, which must lead to one result.
func (w *testWorker) deliverTwice(ctx context.Context, id string) error {
	var results [2]controller.EventResult
	var deliveries [2]*client.Delivery
	for i := range deliveries {
		d, err := w.farm.SendEvent(ctx, controller.Event{ID: id, Summary: "event " + id})
		if err != nil {
			return err
		}
		deliveries[i] = d
	}
	for i, d := range deliveries {
		// So many ask at once that a worker may not answer one of them in time: that is
		// said, and the event is stored.
		err := error(context.DeadlineExceeded)
		for client.IsUnanswered(err) && ctx.Err() == nil {
			results[i], err = d.Wait(ctx, func(controller.State) {})
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", id, err)
		}
	}
	if results[0] != results[1] || results[0].At.IsZero() {
		return fmt.Errorf("event %s led to %+v and to %+v", id, results[0], results[1])
	}
	return nil
}

// rotateAgain requests a rotation of a farm in order, which must start one that finds
// nothing to do.
func (w *testWorker) rotateAgain(ctx context.Context, reason string) error {
	run, err := w.farm.Rotate(ctx, client.Author{By: "ada", Reason: reason})
	if err != nil {
		return fmt.Errorf("%s: %w", reason, err)
	}
	ended, err := run.Report(ctx)
	if err == nil && (ended.Outcome != farm.NoChange || run.Attached) {
		err = fmt.Errorf("%s ended as %q, attached: %t; want a rotation of its own that finds nothing to do", reason, ended.Outcome, run.Attached)
	}
	return err
}

// countRuns counts the runs of a workflow type, those that continued as new too.
func (w *testWorker) countRuns(t *testing.T, workflowType string) int64 {
	t.Helper()
	count, err := w.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowType = '%s'", workflowType)})
	if err != nil {
		t.Fatal(err)
	}
	return count.Count
}
