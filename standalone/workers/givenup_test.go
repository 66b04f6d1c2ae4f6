package workers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// TestRequest_ThatWasGivenUpNeverBegins asks while no worker runs. Temporal keeps what
// was asked for, and hands it to the worker that starts later.
func TestRequest_ThatWasGivenUpNeverBegins(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	configured := loadConfig(t, startFarm(t, nil))
	f := s.farmAt("", farmsim.FarmName)

	interrupted, interrupt := context.WithTimeout(t.Context(), 2*time.Second)
	defer interrupt()
	_, err := f.Rotate(interrupted, client.Author{By: "ada", Reason: "change 4711"})
	if given, ok := errors.AsType[*client.AbandonedError](err); !ok || !given.Withdrawn {
		t.Errorf("an interrupted request is answered with %v, want it withdrawn", err)
	}

	expires := time.Now().Add(time.Second)
	answered := make(chan error, 1)
	go func() {
		_, err := f.Expiring(time.Until(expires)).Rollback(t.Context(), client.Author{By: "bob", Reason: "change 4712"})
		answered <- err
	}()
	waitUntil(t, "the second request has expired", func() bool { return time.Now().After(expires) })
	startWorker(t, s, configured)
	if err := <-answered; err == nil || !strings.Contains(err.Error(), "the request of bob expired at ") {
		t.Errorf("a request that has expired is answered with %v", err)
	}
	waitUntil(t, "the farm is inspected", func() bool {
		state, err := f.State(t.Context())
		return err == nil && !state.Inspected.At.IsZero() && !state.Inspected.Due
	})
	var none *serviceerror.NotFound
	if _, err := s.DescribeWorkflowExecution(t.Context(), rotation, ""); !errors.As(err, &none) {
		t.Errorf("a rotation was begun (%v)", err)
	}
}
