package workers_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// The step that these tests watch: its script runs for as long as the test says.
const (
	rotation   = "rotate/contoso"
	slowStep   = "ImportCertificate"
	slowScript = "Import-S2SCertificate"
)

// noticeWithin is how soon a running step notices a cancellation or a pause.
const noticeWithin = 5 * time.Second

// startSlowStep starts a worker, and returns once the script of a rotation's slow step
// runs: once the step has sent a heartbeat.
func startSlowStep(t *testing.T, lasts time.Duration, through ...grpc.UnaryClientInterceptor) (testTemporal, *testWorker) {
	t.Helper()
	s := startTemporal(t)
	sim := startFarm(t, map[string]time.Duration{slowScript: lasts})
	w := startWorker(t, s, loadConfig(t, sim), through...)
	release(t, s.farmAt("", farmsim.FarmName))
	waitUntil(t, "the step runs", func() bool { return s.pending(t, rotation, slowStep).GetLastHeartbeatTime() != nil })
	return s, w
}

// heartbeats counts the heartbeats that go to Temporal, and holds back those during a
// hiccup.
type heartbeats struct {
	mu    sync.Mutex
	count int
	// hiccup ends then.
	hiccup time.Time
}

func (h *heartbeats) intercept(ctx context.Context, method string, req, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if strings.HasSuffix(method, "/RecordActivityTaskHeartbeat") {
		h.mu.Lock()
		h.count++
		wait := time.Until(h.hiccup)
		h.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	return invoke(ctx, method, req, reply, c, options...)
}

func (h *heartbeats) counted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func TestSteps_SurviveAHiccupOfTheirHeartbeats(t *testing.T) {
	t.Parallel()
	const lasts, hiccup = 30 * time.Second, 20 * time.Second
	var h heartbeats
	s, _ := startSlowStep(t, lasts, h.intercept)
	before := h.counted()
	began := time.Now()
	waitUntil(t, "three heartbeats have gone out", func() bool { return h.counted() >= before+3 })
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("three heartbeats took %s, want one every two seconds", took)
	}
	h.mu.Lock()
	h.hiccup = time.Now().Add(hiccup)
	h.mu.Unlock()
	requireRenewed(t, s.farmAt("", farmsim.FarmName))
	for _, e := range s.events(t, rotation, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED) {
		if started := e.GetActivityTaskStartedEventAttributes(); started.Attempt != 1 {
			t.Errorf("attempt %d of event %d, after %v", started.Attempt, started.ScheduledEventId, started.LastFailure)
		}
	}
}

func TestSteps_NoticeACancellation(t *testing.T) {
	t.Parallel()
	s, _ := startSlowStep(t, time.Minute)
	if err := s.CancelWorkflow(t.Context(), rotation, ""); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the step is cancelled", func() bool {
		return len(s.events(t, rotation, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED)) > 0
	})
	asked := s.events(t, rotation, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)[0].EventTime.AsTime()
	noticed := s.events(t, rotation, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED)[0].EventTime.AsTime()
	if took := noticed.Sub(asked); took > noticeWithin {
		t.Errorf("it took %s", took)
	}
}

func TestSteps_NoticeAPause(t *testing.T) {
	t.Parallel()
	s, _ := startSlowStep(t, time.Minute)
	if _, err := s.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: embedded.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: rotation},
		Activity: &workflowservice.PauseActivityRequest_Type{Type: slowStep}, Identity: "a test",
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitUntil(t, "the step is paused", func() bool {
		return s.pending(t, rotation, slowStep).GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSED
	})
	if took := time.Since(began); took > noticeWithin {
		t.Errorf("it took %s", took)
	}
}

func TestWorker_StopLetsARunningStepFinish(t *testing.T) {
	t.Parallel()
	s, w := startSlowStep(t, 5*time.Second)
	began := time.Now()
	w.end(t)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the worker took %s to stop", took)
	}
	if p := s.pending(t, rotation, slowStep); p != nil {
		t.Errorf("attempt %d of the step is %s, want it finished", p.Attempt, p.State)
	}
	completed := map[int64]bool{}
	for _, e := range s.events(t, rotation, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) {
		completed[e.GetActivityTaskCompletedEventAttributes().ScheduledEventId] = true
	}
	for _, e := range s.events(t, rotation, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) {
		if e.GetActivityTaskScheduledEventAttributes().ActivityType.Name == slowStep && !completed[e.EventId] {
			t.Error("the step has not completed")
		}
	}
}
