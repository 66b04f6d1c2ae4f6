package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/workflows"
)

// holdCertificate has both issuers of a farm hold a certificate, as anybody who has taken over
// its front end does, and returns the one that they held.
func (f *testFarm) holdCertificate(t *testing.T, der []byte) (before []byte) {
	t.Helper()
	shell := f.logOn(t, frontEnd).SharePoint()
	issuers, err := shell.GetTrustedSecurityTokenIssuer()
	if err != nil || len(issuers) < 2 {
		t.Fatalf("find issuers: %v, %d there", err, len(issuers))
	}
	for _, i := range issuers {
		before = i.Certificate
		if err := shell.SetTrustedSecurityTokenIssuer(model.IssuerParameters{Identity: i.Name, Certificate: der, RegisteredIssuerName: &i.RegisteredIssuerName, IsTrustBroker: i.TrustBroker, Confirmed: true}); err != nil {
			t.Fatal(err)
		}
	}
	return before
}

// TestManageFarm_ForeignTrust has a farm that waits for an approval for days taken over
// meanwhile: that is seen at the next look, and neither by an inspection, which is due a
// day later, nor as drift.
func TestManageFarm_ForeignTrust(t *testing.T) {
	foreign := testfarm.NewPair(t, "attacker", nil)
	for name, end := range map[string]func(t *testing.T, c *testController, before []byte){
		"it is over when it is gone": func(t *testing.T, c *testController, before []byte) { c.holdCertificate(t, before) },
		"or when an operator accepts it": func(t *testing.T, c *testController, _ []byte) {
			accept := controller.Request{Kind: controller.RequestAccept, Thumbprint: foreign.Thumbprint(), By: "ada", Reason: "a test of ours"}
			c.sendUpdate(workflows.RequestUpdate, accept, func(_ any, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.WatchInterval = true, time.Hour })
			c := f.newController(t)
			var before []byte
			c.after(5*time.Hour, func() {
				if got := c.state(); len(got.Watch.Incidents) > 0 || got.Watch.At.IsZero() {
					t.Errorf("a farm that is in order has %+v", got.Watch)
				}
				before = f.holdCertificate(t, foreign.Cert.Raw)
			})
			c.after(7*time.Hour, func() {
				c.assertPhase(controller.Incident)
				if got := c.state().Watch.Incidents; len(got) != 2 || got[0].Thumbprint != foreign.Thumbprint() {
					t.Errorf("incidents %+v, want both issuers", got)
				}
				end(t, c, before)
			})
			state := c.runUntil(9 * time.Hour)
			if len(state.Watch.Incidents) > 0 {
				t.Errorf("the incidents go on: %+v", state.Watch.Incidents)
			}
		})
	}
}

// testSealer seals as a worker with a key.
type testSealer struct{ key string }

func (s testSealer) Seal(purpose string, content []byte) string {
	return s.key + "\n" + purpose + "\n" + string(content)
}

func (s testSealer) Check(purpose string, content []byte, seal string) error {
	if seal != s.Seal(purpose, content) {
		return errors.New("not sealed by a worker")
	}
	return nil
}

// TestManageFarm_BelievesWhatIsSealed continues as a controller with a state: what the run
// before has sealed is known, and what anybody else has written is recalled instead.
func TestManageFarm_BelievesWhatIsSealed(t *testing.T) {
	state := controller.State{Farm: farmsim.FarmName, Format: controller.Format, Suspended: "for the test", Inspected: controller.Inspected{At: time.Now()}}
	workers := testSealer{"workers"}
	for name, c := range map[string]struct {
		input    controller.State
		believed bool
	}{
		"of the run before":         {state.SealFor("before", workers), true},
		"of another run":            {state.SealFor("other", workers), false},
		"that is clear":             {state, false},
		"sealed with another's key": {state.SealFor("before", testSealer{"others"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			controlled := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
			controlled.sealWith(workers)
			controlled.env.SetContinuedExecutionRunID("before")
			controlled.after(time.Hour, controlled.stop)
			got, _ := controlled.runAs(workflows.ManageFarm, c.input)
			if believed := got.Suspended == state.Suspended; believed != c.believed {
				t.Errorf("suspended %q: believed %t, want %t", got.Suspended, believed, c.believed)
			}
		})
	}
}

// sealWith has the workers of a run seal, and check seals.
func (r *testRun) sealWith(by controller.Sealer) {
	r.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, Interceptors: append(activities.Interceptors(r.activities), r.marks, workflows.Sealing(by)),
	})
}
