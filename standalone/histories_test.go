package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

var record = flag.String("record", "", "record histories for the replay test into this folder, with this `prefix`")

// stickyQueue matches the name of a worker's sticky queue, which contains the name
// of its machine.
var stickyQueue = regexp.MustCompile(`"[^"]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// identity matches who did something, which contains it too.
var identity = regexp.MustCompile(`"identity":\s*"[^"]*"`)

// recorder is a worker on a simulated farm whose histories are recorded.
type recorder struct {
	*testWorker

	t *testing.T
}

// TestRecordHistories records the histories of an approved renewal; of the retirement
// after it, which is cancelled for an undo; of the undo, which is approved, blocks and
// tries again by itself; of a renewal whose canary fails; of one that is verified and of its
// retirement, which completes; of the inspections and of the controller.
func TestRecordHistories(t *testing.T) {
	if *record == "" {
		t.Skip("records only with -record")
	}
	ctx := context.Background()
	r := &recorder{startTestWorker(t, "approval: required", "keepOldFor: 0s", "decisionTimeout: 1m"), t}
	rotate, retire := workflows.RotateID(farmsim.FarmName), workflows.RetireID(farmsim.FarmName)
	r.approve(ctx, rotate)
	waitUntil(t, func() bool { return r.status(ctx, retire).Wait != nil })

	for range 2 {
		r.addFault("oos-01.contoso.com", "Restore-S2SCertificateName", powershell.ChangedSince) // the master
	}
	r.undo(ctx)
	r.approve(ctx, rotate)
	waitUntil(t, func() bool { w := r.status(ctx, rotate).Wait; return w != nil && w.For == farm.ForDecision })
	// Nobody decides: it tries again by itself, and then waits longer.
	waitUntil(t, func() bool { w := r.status(ctx, rotate).Wait; return w != nil && time.Until(w.Until) > 90*time.Second })
	r.decide(ctx, rotate, farm.Decision{Choice: farm.Retry})
	waitUntil(t, func() bool { return r.isRolledBack(ctx) })

	r.resume(ctx)
	r.addFault("oos-02.contoso.com", "Restart-OfficeServer", powershell.NotOffice) // the canary
	r.approve(ctx, rotate)
	waitUntil(t, func() bool { return r.isRolledBack(ctx) })

	r.resume(ctx)
	r.approve(ctx, rotate)
	r.approve(ctx, retire)
	waitUntil(t, func() bool {
		s := r.state(ctx)
		return s.Retention.Snapshot == nil && s.Active == nil && s.Next.Reason != ""
	})
	if _, err := r.farm.Inspect(ctx); err != nil {
		t.Fatal(err)
	}
	r.save(ctx)
}

// isRolledBack reports whether the farm is rolled back and suspended, and was
// inspected since.
func (r *recorder) isRolledBack(ctx context.Context) bool {
	s := r.state(ctx)
	return s.Last.Outcome == farm.RolledBack && s.Suspended != "" && s.Active == nil && !s.Inspected.At.Before(s.Last.At)
}

// addFault makes a script fail once with an error that is not retried.
func (r *recorder) addFault(server, script, id string) {
	r.t.Helper()
	if err := r.sim.AddFaults(fault.Fault{Server: server, Step: script, Kind: fault.ScriptError, Error: &fault.Error{ID: id, Message: "an administrator is at work"}}); err != nil {
		r.t.Fatal(err)
	}
}

var operator = client.Author{By: "operator", Reason: "as ordered"}

func (r *recorder) undo(ctx context.Context) {
	r.t.Helper()
	if _, err := r.farm.Undo(ctx, operator, true); err != nil {
		r.t.Fatal(err)
	}
}

func (r *recorder) resume(ctx context.Context) {
	r.t.Helper()
	if err := r.farm.Resume(ctx, operator); err != nil {
		r.t.Fatal(err)
	}
}

// approve waits until a workflow needs an approval, and gives it.
func (r *recorder) approve(ctx context.Context, id string) {
	r.t.Helper()
	var wait *farm.Wait
	waitUntil(r.t, func() bool {
		wait = r.status(ctx, id).Wait
		return wait != nil && wait.For == farm.ForApproval
	})
	r.decide(ctx, id, farm.Decision{Choice: farm.Approve, Digest: wait.Digest})
}

func (r *recorder) status(ctx context.Context, id string) farm.Status {
	s, err := r.farm.Run(ctx, id, "").Status(ctx)
	if err != nil {
		return farm.Status{} // not started yet
	}
	return s
}

func (r *recorder) state(ctx context.Context) controller.State {
	r.t.Helper()
	s, err := r.farm.State(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *recorder) decide(ctx context.Context, id string, d farm.Decision) {
	r.t.Helper()
	d.By, d.Reason = "operator", "as planned"
	if err := r.farm.Run(ctx, id, "").Decide(ctx, d); err != nil {
		r.t.Fatal(err)
	}
}

// save writes the histories of all runs.
func (r *recorder) save(ctx context.Context) {
	r.t.Helper()
	list, err := r.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, e := range list.Executions {
		h := &historypb.History{}
		iter := r.temporal.GetWorkflowHistory(ctx, e.Execution.WorkflowId, e.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for iter.HasNext() {
			event, err := iter.Next()
			if err != nil {
				r.t.Fatal(err)
			}
			h.Events = append(h.Events, event)
		}
		text, err := protojson.Marshal(h)
		if err != nil {
			r.t.Fatal(err)
		}
		text = identity.ReplaceAll(text, []byte(`"identity":"farmtrust"`))
		text = stickyQueue.ReplaceAll(text, []byte(`"worker:sticky"`))
		name := fmt.Sprintf("%s-%02d-%s.json", filepath.Base(*record), i, e.Type.Name)
		if err := os.WriteFile(filepath.Join(filepath.Dir(*record), name), text, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}
