package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// startSilentWorker starts a Temporal server on which a worker takes every task and
// answers none, as one that has lost its network or hangs. The controller of contoso was
// started.
func startSilentWorker(t *testing.T) *testWorker {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(t.Context(), temporal.Options{HostPort: server.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var pollers sync.WaitGroup
	for range 8 { // more than the queue has partitions
		pollers.Go(func() {
			for ctx.Err() == nil {
				// What it is given, and whether it is, does not matter.
				_, _ = c.WorkflowService().PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
					Namespace: embedded.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.TaskQueue("")}, Identity: "silent",
				})
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		pollers.Wait()
		c.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.ExecuteWorkflow(t.Context(), workflows.ControllerOptions("contoso", workflows.TaskQueue("")), workflows.ManageFarm, controller.State{Farm: "contoso"}); err != nil {
		t.Fatal(err)
	}
	return &testWorker{address: server.Address(), temporal: c}
}

func TestCommandLine_AgainstAWorkerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := startSilentWorker(t)
	c := newCommandLine(t, w)
	waitUntil(t, func() bool { return c.run("", "farms").code == 6 })
	for _, command := range []string{
		"rotate contoso", "plan contoso", "check contoso", "rollback contoso --reason r", "abort contoso --reason r", "status contoso", "event - --farm contoso",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			got := c.run(strings.ReplaceAll(nearExpiry, "e1", command), strings.Fields(command)...)
			c.assertExit(t, got, 6, "contoso: no worker ", "; start one: farmtrust-worker -config FILE")
		})
	}
	t.Run("what was asked for is not begun later", func(t *testing.T) {
		list, err := w.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType != 'ManageFarm'"})
		if err != nil || len(list.Executions) > 0 {
			t.Errorf("got %v, %v: want no workflow but the controller", list.GetExecutions(), err)
		}
	})
}
