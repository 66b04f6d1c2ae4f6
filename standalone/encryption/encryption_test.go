package encryption_test

import (
	"bytes"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// stored returns all that Temporal stores of all runs, as it would be in its database.
func stored(t *testing.T, c temporal.Client) []byte {
	t.Helper()
	var all bytes.Buffer
	add := func(m proto.Message) {
		wire, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(wire)
	}
	list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: embedded.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Executions {
		add(e)
		described, err := c.DescribeWorkflowExecution(t.Context(), e.Execution.WorkflowId, e.Execution.RunId)
		if err != nil {
			t.Fatal(err)
		}
		add(described)
		for events := c.GetWorkflowHistory(t.Context(), e.Execution.WorkflowId, e.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			event, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			add(event)
		}
	}
	return all.Bytes()
}

// markers are texts of a farm that would be stored if payloads were in clear.
func markers(sim *farmsim.Farm) []string {
	return append(sim.Hosts(), "friendlyName", "previous", "CN=", operator.By+`"`, operator.Reason, "at work here")
}

// TestEncryption_TemporalStoresNothingThatCouldBeRead runs a rotation with a step that
// fails and is tried again, while its key is replaced.
func TestEncryption_TemporalStoresNothingThatCouldBeRead(t *testing.T) {
	s := startTemporal(t, "")
	sim, configured := startFarm(t)
	path, ring := newRing(t)
	first := ring.First().ID
	s.work(t, configured, payload.Options{Keys: ring})
	_, c := s.dial(t, payload.Options{Keys: ring})
	if err := sim.AddFaults(fault.Fault{
		Server: "oos-01.contoso.com", Step: "Set-S2SCertificateName", Kind: fault.ScriptError,
		Error: &fault.Error{ID: "farmtrust.ServerBusy", Message: "an administrator is at work here"},
	}); err != nil {
		t.Fatal(err)
	}
	digest := rotate(t, c.Farm(farmsim.FarmName))
	second, err := keyring.Add(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Use(path, second); err != nil {
		t.Fatal(err)
	}
	s.requireReplayable(t, ring, first)
	report := approve(t, c.Farm(farmsim.FarmName), digest)
	if report.Outcome != farm.Verified {
		t.Fatalf("%s: %+v", report.Outcome, report)
	}
	all := stored(t, s.raw(t))
	for _, marker := range markers(sim) {
		if i := bytes.Index(all, []byte(marker)); i >= 0 {
			t.Errorf("Temporal has %q in clear: %q", marker, all[max(0, i-60):min(len(all), i+60)])
		}
	}
	for _, id := range []string{first, second} {
		if !bytes.Contains(all, []byte(id)) {
			t.Errorf("nothing was encrypted with %s", id)
		}
	}
	// The same search finds them where nothing is encrypted.
	plain := startTemporal(t, "")
	plain.work(t, configured, payload.Options{})
	waitUntil(t, func() bool { return bytes.Contains(stored(t, plain.raw(t)), []byte("oos-01.contoso.com")) })
}

// TestEncryption_AWorkflowWaitsForAKeyAndForgedPayloadsAreRefused starts a rotation with a
// key that the next worker lacks.
func TestEncryption_AWorkflowWaitsForAKeyAndForgedPayloadsAreRefused(t *testing.T) {
	s := startTemporal(t, "")
	_, configured := startFarm(t)
	path, ring := newRing(t)
	behind := copyRing(t, path)
	id, err := keyring.Add(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Use(path, id); err != nil {
		t.Fatal(err)
	}
	first := s.work(t, configured, payload.Options{Keys: ring})
	_, c := s.dial(t, payload.Options{Keys: ring})
	f := c.Farm(farmsim.FarmName)
	digest := rotate(t, f)
	raw := s.raw(t)

	t.Run("who has no key is told which", func(t *testing.T) {
		_, without := s.dial(t, payload.Options{})
		if _, err := without.Farm(farmsim.FarmName).State(t.Context()); err == nil || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), payload.KeysVariable) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a signal in clear is dropped", func(t *testing.T) {
		err := raw.SignalWorkflow(t.Context(), workflows.ControllerID(farmsim.FarmName), "", workflows.EventSignal, controller.Event{ID: "forged", Summary: "forged"})
		if err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return first.says("a signal is dropped") })
		state, err := f.State(t.Context())
		if err != nil || len(state.Mailbox.Pending) > 0 {
			t.Errorf("%+v, %v", state.Mailbox, err)
		}
	})
	t.Run("an update in clear is refused", func(t *testing.T) {
		h, err := raw.UpdateWorkflow(t.Context(), temporal.UpdateWorkflowOptions{
			WorkflowID: workflows.RotateID(farmsim.FarmName), UpdateName: workflows.DecideUpdate,
			Args:         []any{farm.Decision{Choice: farm.Approve, By: "mallory", Reason: "x", Digest: digest}},
			WaitForStage: temporal.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = h.Get(t.Context(), nil)
		}
		if err == nil {
			t.Error("it was accepted")
		}
	})
	t.Run("a workflow that is started in clear ends at once", func(t *testing.T) {
		run, err := raw.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{ID: "forged", TaskQueue: workflows.TaskQueue("")}, workflows.ManageFarm, controller.State{Farm: "forged"})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Get(t.Context(), nil); err == nil {
			t.Error("it ran")
		}
	})

	first.stop()
	second := s.work(t, configured, payload.Options{Keys: openRing(t, behind)})
	waitUntil(t, func() bool { return second.says(id) })
	second.stop()
	// Nothing has failed: with the key it goes on.
	s.work(t, configured, payload.Options{Keys: ring})
	if report := approve(t, f, digest); report.Outcome != farm.Verified {
		t.Errorf("%s: %+v", report.Outcome, report)
	}
}

// TestEncryption_IsTurnedOnWhileARotationWaits begins a rotation in clear.
func TestEncryption_IsTurnedOnWhileARotationWaits(t *testing.T) {
	s := startTemporal(t, "")
	_, configured := startFarm(t)
	_, ring := newRing(t)
	clear := s.work(t, configured, payload.Options{})
	_, c := s.dial(t, payload.Options{})
	digest := rotate(t, c.Farm(farmsim.FarmName))
	clear.stop()

	strict := s.work(t, configured, payload.Options{Keys: ring})
	waitUntil(t, func() bool { return strict.says("-accept-clear-payloads") })
	strict.stop()

	changing := payload.Options{Keys: ring, AcceptClear: true}
	s.work(t, configured, changing)
	_, c = s.dial(t, changing)
	if report := approve(t, c.Farm(farmsim.FarmName), digest); report.Outcome != farm.Verified {
		t.Errorf("%s: %+v", report.Outcome, report)
	}
}
