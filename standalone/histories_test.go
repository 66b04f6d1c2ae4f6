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
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

var record = flag.String("record", "", "record histories for the replay test into this folder, with this `prefix`")

// stickyQueue is a worker's own queue, which bears the name of its machine.
var stickyQueue = regexp.MustCompile(`"[^"]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)

// policy is how the simulated farm is rotated.
var policy = regexp.MustCompile(`(?m)^( *)approval: none$`)

// recorder is a worker on a simulated farm whose histories are kept.
type recorder struct {
	t      *testing.T
	client client.Client
	sim    *farmsim.Farm
}

// TestRecordHistories records a renewal that was approved; the retirement that
// follows it, called off for an undo; the undo, which parks and is retried; a
// renewal whose canary fails; one that is verified, and its retirement to the
// end; the looks and the keeper.
func TestRecordHistories(t *testing.T) {
	if *record == "" {
		t.Skip("records only when asked to, with -record")
	}
	ctx := context.Background()
	r := newRecorder(t)
	rotate, retire := workflows.RotateID(farmsim.FarmName), workflows.RetireID(farmsim.FarmName)
	r.approve(ctx, rotate)
	r.until(func() bool { return r.status(ctx, retire).Wait != nil })

	r.fault("Restore-S2SCertificateName", powershell.ChangedSince)
	r.wish(ctx, workflows.ToUndo)
	r.until(func() bool { w := r.status(ctx, rotate).Wait; return w != nil && w.For == workflows.ForDecision })
	r.decide(ctx, rotate, farm.Decision{Choice: farm.Retry})
	r.until(func() bool { return r.held(ctx) })

	r.wish(ctx, workflows.ToRelease)
	r.fault("Restart-OfficeServer", powershell.NotOffice)
	r.approve(ctx, rotate)
	r.until(func() bool { return r.held(ctx) })

	r.wish(ctx, workflows.ToRelease)
	r.approve(ctx, rotate)
	r.approve(ctx, retire)
	r.until(func() bool { k := r.knows(ctx); return k.Journal == nil && k.Work == nil && k.Next.Why != "" })
	r.save(ctx)
}

// held says whether the farm is back and held, and was looked at since.
func (r *recorder) held(ctx context.Context) bool {
	k := r.knows(ctx)
	return k.Last.Outcome == farm.Undone && k.Hold != "" && k.Work == nil && k.LookedAt.After(k.Last.At)
}

// fault plans an error that no retry mends.
func (r *recorder) fault(script, id string) {
	r.t.Helper()
	if err := r.sim.AddFaults(fault.Fault{Server: "oos-01.contoso.com", Step: script, Kind: fault.ScriptError, Error: &fault.Error{ID: id, Message: "somebody is at work"}}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *recorder) wish(ctx context.Context, what workflows.WishFor) {
	r.t.Helper()
	if _, err := rotation.KeeperOf(r.client, farmsim.FarmName).Wish(ctx, workflows.Wish{For: what, By: "operator", Reason: "as ordered"}); err != nil {
		r.t.Fatal(err)
	}
}

// approve approves what a workflow waits for, once it does.
func (r *recorder) approve(ctx context.Context, id string) {
	r.t.Helper()
	var wait *workflows.Wait
	r.until(func() bool {
		wait = r.status(ctx, id).Wait
		return wait != nil && wait.For == workflows.ForApproval
	})
	r.decide(ctx, id, farm.Decision{Choice: farm.Approve, Digest: wait.Digest})
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sim := simulateFarm(t, farmsim.Options{Trusting: true})
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	text = policy.ReplaceAll(text, []byte("${1}approval: required\n${1}soak: 0s"))
	if err := os.WriteFile(sim.Config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	server, err := embedded.Start(ctx, embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	temporal, err := connect.Dial(ctx, client.Options{HostPort: server.Address(), Namespace: embedded.Namespace, Identity: "farmtrust", Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{Config: c, Client: temporal, Namespace: embedded.Namespace, Log: zap.NewNop()})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		temporal.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &recorder{t: t, client: temporal, sim: sim}
}

// until waits for something that the keeper or its rotation will show.
func (r *recorder) until(shown func() bool) {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !shown(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("waited for two minutes in vain")
		}
	}
}

func (r *recorder) status(ctx context.Context, id string) (s workflows.Status) {
	answer, err := r.client.QueryWorkflow(ctx, id, "", workflows.StatusQuery)
	if err == nil {
		err = answer.Get(&s)
	}
	if err != nil {
		return workflows.Status{}
	}
	return s
}

func (r *recorder) knows(ctx context.Context) workflows.Keeping {
	r.t.Helper()
	known, err := rotation.KeeperOf(r.client, farmsim.FarmName).Knows(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return known
}

func (r *recorder) decide(ctx context.Context, id string, d farm.Decision) {
	r.t.Helper()
	d.By, d.Reason = "operator", "as planned"
	if err := rotation.At(ctx, r.client, id, "").Decide(ctx, d); err != nil {
		r.t.Fatal(err)
	}
}

// save writes the history of every run there is.
func (r *recorder) save(ctx context.Context) {
	r.t.Helper()
	list, err := r.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, e := range list.Executions {
		h := &historypb.History{}
		iter := r.client.GetWorkflowHistory(ctx, e.Execution.WorkflowId, e.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
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
		text = stickyQueue.ReplaceAll(text, []byte(`"worker:sticky"`))
		name := fmt.Sprintf("%s-%02d-%s.json", filepath.Base(*record), i, e.Type.Name)
		if err := os.WriteFile(filepath.Join(filepath.Dir(*record), name), text, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}
