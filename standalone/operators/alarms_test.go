package operators

import (
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// alarms are the queries of docs/operating.md, in their order there.
type alarms struct{ needsOperator, endsSoon, notInspected, noController, isStuck string }

var (
	// countCommand matches a command of the document, and shellDate the time in it.
	countCommand = regexp.MustCompile(`(?m)^temporal workflow count --query "(.*)"$`)
	shellDate    = regexp.MustCompile(`\$\(date -u -d '([+-]\d+) days?' \+%FT%TZ\)`)
)

// readAlarms reads the queries with the times that a shell would put into them now.
func readAlarms(t *testing.T) alarms {
	t.Helper()
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Alarms\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var queries []string
	for _, command := range countCommand.FindAllStringSubmatch(section, -1) {
		queries = append(queries, shellDate.ReplaceAllStringFunc(command[1], func(date string) string {
			days, err := time.ParseDuration(shellDate.FindStringSubmatch(date)[1] + "h")
			if err != nil {
				t.Fatal(err)
			}
			return time.Now().Add(24 * days).UTC().Format(time.RFC3339)
		}))
	}
	if len(queries) != 5 {
		t.Fatalf("docs/operating.md has %d alarms, want 5:\n%s", len(queries), strings.Join(queries, "\n"))
	}
	return alarms{queries[0], queries[1], queries[2], queries[3], queries[4]}
}

// assertCount waits until a query counts as many workflows as wanted.
func (w *testFarm) assertCount(t *testing.T, query string, want int64) {
	t.Helper()
	var got int64
	end := time.Now().Add(patience)
	for got = -1; got != want && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		response, err := w.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		got = response.Count
	}
	if got != want {
		t.Errorf("%d, want %d: %s", got, want, query)
	}
}

func TestAlarms_OfADocumentedFarm(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	t.Cleanup(func() { server.stop(t) })
	a := readAlarms(t)
	stuck := startStuck(t, server)
	w := server.newFarm(t, withRetentionAndApproval)
	ofThisFarm := strings.ReplaceAll(a.noController, "farm/contoso", workflows.ControllerID(w.name))
	waitsForApproval.reach(t, w)

	t.Run("a renewal that waits for approval needs an operator, ten days before the end", func(t *testing.T) {
		w.assertCount(t, a.needsOperator, 2) // the farm and its rotation
		w.assertCount(t, a.endsSoon, 1)
		w.assertCount(t, a.notInspected, 0)
		w.assertCount(t, ofThisFarm, 1)
	})
	t.Run("after the renewal nothing is raised", func(t *testing.T) {
		w.approve(t, workflows.RotateID(w.name))
		w.awaitState(t, "a verified rotation", func(s controller.State) bool {
			return s.Last.Outcome == farm.Verified && s.Active == nil && !s.Inspected.Due
		})
		w.assertCount(t, a.needsOperator, 0)
		w.assertCount(t, a.endsSoon, 0)
		w.assertCount(t, a.notInspected, 0)
	})
	t.Run("a farm without a worker is not inspected", func(t *testing.T) {
		w.startWithoutWorker(t, "farm/never")
		w.assertCount(t, a.notInspected, 1)
		w.startWithoutWorker(t, "farm/long-ago", workflows.InspectedAttribute.ValueSet(time.Now().Add(-25*time.Hour)))
		w.assertCount(t, a.notInspected, 2)
		w.startWithoutWorker(t, "farm/today", workflows.InspectedAttribute.ValueSet(time.Now().Add(-23*time.Hour)))
		w.assertCount(t, strings.ReplaceAll(a.noController, "farm/contoso", "farm/today"), 1)
		w.assertCount(t, a.notInspected, 2)
	})
	t.Run("a controller that was terminated does not run", func(t *testing.T) {
		w.terminate(t, workflows.ControllerID(w.name))
		w.assertCount(t, ofThisFarm, 0)
	})
	t.Run("a workflow whose tasks fail is stuck, until they succeed", func(t *testing.T) {
		w.assertCount(t, a.isStuck, 1)
		stuck.Store(false)
		w.assertCount(t, a.isStuck, 0)
	})
}

// startStuck starts a rotation whose workflow tasks fail while the returned value is
// true, on a worker of its own.
func startStuck(t *testing.T, server *testServer) *atomic.Bool {
	t.Helper()
	const queue = "stuck"
	stuck := &atomic.Bool{}
	stuck.Store(true)
	w := worker.New(server.client, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		if stuck.Load() {
			panic("a test")
		}
		return workflow.Sleep(ctx, time.Hour)
	}, workflow.RegisterOptions{Name: "RotateTrust"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	if _, err := server.client.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{ID: "rotate/stuck", TaskQueue: queue}, "RotateTrust"); err != nil {
		t.Fatal(err)
	}
	return stuck
}

// startWithoutWorker starts a controller that no worker works for.
func (w *testFarm) startWithoutWorker(t *testing.T, id string, attributes ...sdk.SearchAttributeUpdate) {
	t.Helper()
	_, err := w.temporal.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody", TypedSearchAttributes: sdk.NewSearchAttributes(attributes...),
	}, workflows.ManageFarm, controller.State{})
	if err != nil {
		t.Fatal(err)
	}
}
