package workflows_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

func TestARotationSetsTheTrustUpFromNothingAndThenRenewsIt(t *testing.T) {
	for _, selfSigned := range []bool{false, true} {
		p := newPlace(t, farmsim.Options{SelfSigned: selfSigned})
		first, err := p.rotate(t)
		if err != nil || first.Outcome != farm.Verified {
			t.Fatalf("first set-up: %s, %v", first.Outcome, err)
		}
		p.refreshes(t)

		again, err := p.rotate(t)
		if err != nil || again.Outcome != farm.NoChange {
			t.Fatalf("second rotation to the same certificate: %s, %v; want already", again.Outcome, err)
		}

		if _, err := p.sim.IssueCertificate(90 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		renewal, err := p.rotate(t)
		if err != nil || renewal.Outcome != farm.Verified {
			t.Fatalf("renewal: %s, %v", renewal.Outcome, err)
		}
		if renewal.Previous != first.Target || renewal.Target == first.Target {
			t.Errorf("renewal went from %s to %s, want from %s to a new one", renewal.Previous, renewal.Target, first.Target)
		}
		p.refreshes(t)
	}
}
