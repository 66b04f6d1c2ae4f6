package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// Events find a farm by what its controller shows of it.
func TestManageFarm_ShowsWhichEventsConcernTheFarm(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	matches := []farm.EventMatch{{Vault: "kv", Certificate: "s2s", Labels: map[string]string{"a": "b"}}}
	f.configure = func(c *farm.Farm) { c.Certificate.Events = matches }
	c := f.newController(t)
	state := c.runUntil(12 * time.Hour)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
	shown := c.marks.interests
	if len(shown) != 1 {
		t.Fatalf("shown %d times, want once: the renewal is of what was seen before it\n%+v", len(shown), shown)
	}
	if diff := cmp.Diff(matches, shown[0].Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	previous, target := state.Retention.Snapshot.Previous, state.Retention.Snapshot.Target
	want := []farm.Thumbprint{target.Thumbprint, previous.Thumbprint}
	for i, got := range shown[0].Certificates {
		if got.Thumbprint != want[i] || len(got.SHA256) != 64 || got.Serial == "" || !strings.HasPrefix(got.Subject, "CN=") || len(got.Names) == 0 || got.NotAfter.IsZero() {
			t.Errorf("certificate %d is %+v, want all of %s", i, got, want[i])
		}
	}
	if len(shown[0].Certificates) != 2 {
		t.Errorf("shown %+v, want the certificate in use and the next one", shown[0].Certificates)
	}
	if diff := cmp.Diff(shown[0], state.Interest); diff != "" {
		t.Errorf("the next run begins with (-shown +kept):\n%s", diff)
	}
}
