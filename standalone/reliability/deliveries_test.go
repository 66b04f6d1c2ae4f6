package reliability

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// The test delivers so many different events so often.
const (
	eventCount    = 40
	deliveryCount = 1000
	// deliveredWithin is ample: of less than two minutes, one is until Temporal misses the
	// heartbeat of the worker that is killed in the middle of a rotation.
	deliveredWithin = 10 * time.Minute
)

// TestDeliveries_OneRotationForEachReason delivers 40 events a thousand times, in random
// order and at the same time, while everything is killed and restarted. There are two
// reasons to rotate, the certificate that ends and gets a successor, and one that is issued
// later, and one rotation for each. Nothing but an event makes the controller look for
// them: its own timer waits for days.
func TestDeliveries_OneRotationForEachReason(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(withDeadline(t), deliveredWithin)
	defer cancel()
	s := newDeliveries(ctx, t)

	t.Log("before the first rotation: the source has no newer certificate")
	s.finish(ctx, t, s.deliver(ctx, t, 150, 8))
	s.deliverThroughOutage(ctx, t, 150, 6)
	s.assertRotations(ctx, t)

	t.Log("the first rotation, in the middle of which everything is killed")
	first := s.offerFirst(t)
	s.deliverWhileRotating(ctx, t, func() { s.killAll(t) })
	s.assertRotations(ctx, t, first)

	t.Log("after it")
	s.finish(ctx, t, s.deliver(ctx, t, 100, 6))
	s.assertRotations(ctx, t, first)

	t.Log("the second rotation, in the middle of which the worker alone goes on")
	s.issueNext(t)
	s.deliverWhileRotating(ctx, t, func() { s.door.kill(t); s.temporal.kill(t) })
	s.assertRotations(ctx, t, first, s.target)
	s.assertAnsweredOnce(ctx, t)

	t.Log("after it: nothing new")
	mark, trusted := s.callLog.len(), s.sim.Trust()
	s.deliverThroughOutage(ctx, t, deliveryCount-s.total, 0)
	s.assertRotations(ctx, t, first, s.target)
	s.assertAnsweredOnce(ctx, t)
	for _, call := range s.callLog.since(mark) {
		t.Errorf("events that were answered led to %s on %s", call.script, call.host)
	}
	assertSameTrust(t, trusted, s.sim.Trust())
	s.assertRefreshes(t)
	s.assertFewSignals(ctx, t)
	if s.known != eventCount {
		t.Errorf("%d events were delivered", s.known)
	}
}

// deliverThroughOutage delivers while Temporal is away, and has each delivery tried before
// the other programs die, too: what one of them has acknowledged by then is lost.
func (s *deliveries) deliverThroughOutage(ctx context.Context, t *testing.T, deliveries, fresh int) {
	t.Helper()
	s.temporal.kill(t)
	w := s.deliver(ctx, t, deliveries, fresh)
	s.await(ctx, t, "each delivery has been tried", w.wasTried)
	s.killAll(t)
	s.startAll(t)
	s.finish(ctx, t, w)
}

// deliverWhileRotating delivers what makes the controller look, and then, in the middle of
// the rotation that comes of it, kills programs and delivers more.
func (s *deliveries) deliverWhileRotating(ctx context.Context, t *testing.T, kill func()) {
	t.Helper()
	mark := s.callLog.len()
	before := s.deliver(ctx, t, 100, 6)
	s.await(ctx, t, "a certificate is imported", func() bool {
		return slices.ContainsFunc(s.callLog.since(mark), func(c callRecord) bool {
			return c.script == powershell.ScriptOf(powershell.ImportS2SCertificate{})
		})
	})
	kill()
	killed := time.Now()
	during := s.deliver(ctx, t, 100, 4)
	s.startAll(t)
	s.finish(ctx, t, before, during)
	if runs := s.listRuns(ctx, t, workflows.RotateID(farmsim.FarmName)); len(runs) == 0 || runs[0].GetCloseTime().AsTime().Before(killed) {
		t.Fatalf("the last of %d rotations ended before programs were killed in the middle of it", len(runs))
	}
}

// listRuns returns all runs of a workflow, newest first.
func (s *deliveries) listRuns(ctx context.Context, t *testing.T, id string) []*workflowpb.WorkflowExecutionInfo {
	t.Helper()
	list, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = %q", id)})
	if err != nil {
		t.Fatal(err)
	}
	return list.Executions
}

// assertRotations asserts that there was one rotation for each of these certificates, in
// turn, and that the farm uses the last.
func (s *deliveries) assertRotations(ctx context.Context, t *testing.T, want ...farm.Thumbprint) {
	t.Helper()
	var got []farm.Thumbprint
	for _, run := range slices.Backward(s.listRuns(ctx, t, workflows.RotateID(farmsim.FarmName))) {
		result := s.readEnd(ctx, t, s.client.GetWorkflow(ctx, run.Execution.WorkflowId, run.Execution.RunId))
		if result.Outcome != farm.Verified {
			t.Errorf("a rotation ended %s: %s", result.Outcome, result.Statement)
		}
		got = append(got, result.Target)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("rotations to (-want +got):\n%s", diff)
	}
	if len(want) > 0 {
		s.assertInUse(t, s.sim.State(), want[len(want)-1])
	}
}

// assertAnsweredOnce asserts that something came of each event that was delivered, once,
// and that nothing is pending.
func (s *deliveries) assertAnsweredOnce(ctx context.Context, t *testing.T) {
	t.Helper()
	state, err := s.farm().State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]int{}, map[string]int{}
	for _, e := range s.events[:s.known] {
		want[e.key] = 1
	}
	for _, r := range state.Mailbox.Results {
		got[r.EventID]++
	}
	if diff := cmp.Diff(want, got); diff != "" || len(state.Mailbox.Pending) > 0 {
		t.Errorf("%d events are pending; answers by event (-want +got):\n%s", len(state.Mailbox.Pending), diff)
	}
}

// assertFewSignals asserts that each process has sent each event to the controller once at
// most: what else comes is no load on Temporal.
func (s *deliveries) assertFewSignals(ctx context.Context, t *testing.T) {
	t.Helper()
	signals := 0
	for _, run := range s.listRuns(ctx, t, workflows.ControllerID(farmsim.FarmName)) {
		history := s.client.GetWorkflowHistory(ctx, run.Execution.WorkflowId, run.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			e, err := history.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == workflows.EventSignal {
				signals++
			}
		}
	}
	t.Logf("%d deliveries were %d signals, from %d processes", s.total, signals, s.starts)
	if signals > eventCount*s.starts {
		t.Errorf("%d signals of %d events from %d processes", signals, eventCount, s.starts)
	}
}
