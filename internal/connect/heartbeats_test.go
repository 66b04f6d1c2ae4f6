package connect

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// send sends the heartbeat of a task, which the server answers with err.
func (h *patientHeartbeats) send(task string, err error) error {
	return h.intercept(context.Background(), "/RecordActivityTaskHeartbeat", &workflowservice.RecordActivityTaskHeartbeatRequest{TaskToken: []byte(task)}, nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return err })
}

func TestPatientHeartbeats(t *testing.T) {
	away := status.Error(codes.Unavailable, "connection refused")
	t.Run("a hiccup of 45 seconds is no failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newPatientHeartbeats()
			for range 3 { // hiccups, one after the other
				for range 23 {
					if err := h.send("one", away); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Second)
				}
				if err := h.send("one", nil); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("an activity whose heartbeats go on failing learns of it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newPatientHeartbeats()
			_ = h.send("one", away)
			time.Sleep(heartbeatPatience)
			if err := h.send("another", away); err != nil {
				t.Errorf("the first failure of another activity: %v", err)
			}
			if err := h.send("one", away); !errors.Is(err, away) {
				t.Errorf("got %v after %s, want the failure", err, heartbeatPatience)
			}
		})
	})
	t.Run("an answer is passed on", func(t *testing.T) {
		for _, answer := range []error{status.Error(codes.NotFound, "no such task"), status.Error(codes.Canceled, "the worker stops")} {
			if err := newPatientHeartbeats().send("one", answer); !errors.Is(err, answer) {
				t.Errorf("got %v, want %v", err, answer)
			}
		}
	})
	t.Run("other calls fail as they do", func(t *testing.T) {
		err := newPatientHeartbeats().intercept(t.Context(), "/PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{}, nil, nil,
			func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return away })
		if !errors.Is(err, away) {
			t.Errorf("got %v, want %v", err, away)
		}
	})
	t.Run("activities that have ended are forgotten", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newPatientHeartbeats()
			for range 10 {
				_ = h.send(time.Now().String(), away)
				time.Sleep(heartbeatPatience)
			}
			if n := len(h.failingSince); n > 4 {
				t.Errorf("%d activities are remembered", n)
			}
		})
	})
}
