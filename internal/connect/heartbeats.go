package connect

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// heartbeatPatience is how long the heartbeats of an activity may fail before the
// activity learns of it. It is longer than a frontend needs to restart, and shorter
// than the heartbeat timeout of every activity: when Temporal begins another attempt,
// this one has been told to stop.
const heartbeatPatience = 50 * time.Second

// patientHeartbeats are heartbeats whose transient failures count as answers without
// news. The SDK gives a heartbeat no longer than its throttle interval, two seconds
// here, and then cancels the activity: each hiccup of the network would end steps that
// run on servers, although Temporal waits for the next heartbeat.
//
// Source: go.temporal.io/sdk v1.50.0, internal/internal_task_handlers.go,
// internalHeartBeat.
type patientHeartbeats struct {
	mu sync.Mutex
	// failingSince is when the first of a row of heartbeats failed, by task token.
	failingSince map[string]time.Time
}

func newPatientHeartbeats() *patientHeartbeats {
	return &patientHeartbeats{failingSince: map[string]time.Time{}}
}

// intercept implements [grpc.UnaryClientInterceptor].
func (h *patientHeartbeats) intercept(ctx context.Context, method string, request, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, c, options...)
	if heartbeat, ok := request.(*workflowservice.RecordActivityTaskHeartbeatRequest); ok && h.tolerates(string(heartbeat.TaskToken), err) {
		return nil
	}
	return err
}

// tolerates reports whether a heartbeat has failed that the next one may make good.
func (h *patientHeartbeats) tolerates(task string, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	since, failing := h.failingSince[task]
	switch {
	case !isTransient(err):
		delete(h.failingSince, task)
		return false
	case !failing:
		h.forgetEnded()
		h.failingSince[task] = time.Now()
		return true
	}
	return time.Since(since) < heartbeatPatience
}

// forgetEnded forgets activities that have ended while their heartbeats failed.
func (h *patientHeartbeats) forgetEnded() {
	for task, since := range h.failingSince {
		if time.Since(since) > 2*heartbeatPatience {
			delete(h.failingSince, task)
		}
	}
}

// isTransient reports whether a call failed on its way or because the server is busy,
// and not because of what it asked for.
func isTransient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}
