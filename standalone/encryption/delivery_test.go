package encryption_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/payload"
)

// TestDeliver_FindsTheFarmByWhatItsControllerShows delivers events by the identity of a
// certificate alone, to a server that nobody here wrote: while a worker runs, while none
// does, and after one has started again.
func TestDeliver_FindsTheFarmByWhatItsControllerShows(t *testing.T) {
	s := startTemporal(t, "")
	_, configured := startFarm(t)
	_, ring := newRing(t)
	options := payload.Options{Keys: ring}
	w := s.work(t, configured, options)
	_, c := s.dial(t, options)

	var known []farm.CertificateIdentity
	waitUntil(t, func() bool {
		all, err := c.Interests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 && all[0].Problem == nil {
			known = all[0].Certificates
		}
		return len(known) > 0
	})
	if len(known) != 2 || known[1].SHA256 == "" || known[1].Serial == "" {
		t.Fatalf("the controller shows %+v, want the next certificate and all of the one in use", known)
	}
	w.stop()

	inUse := known[1]
	elsewhere := delivery.New(c, nil, zap.NewNop()) // no farm is in its configuration
	events := map[string]event.Expiry{
		"thumbprint":    {ID: "1", Thumbprint: inUse.Thumbprint},
		"SHA-256":       {ID: "2", SHA256: inUse.SHA256},
		"serial number": {ID: "3", Serials: []string{inUse.Serial}},
		"subject":       {ID: "4", Subject: strings.ToLower(inUse.Subject)},
		"name":          {ID: "5", Names: inUse.Names},
	}
	for claim, e := range events {
		e.Source, e.Kind = "scanner", event.NearExpiry
		events[claim] = e
		got, err := elsewhere.Deliver(t.Context(), e, delivery.Source{})
		if diff := cmp.Diff([]string{farmsim.FarmName}, got.Farms); err != nil || diff != "" {
			t.Errorf("by %s: %v, %s\n%s", claim, err, got.Reason, diff)
		}
	}
	t.Run("who has no key finds no farm", func(t *testing.T) {
		got, err := delivery.New(client.New(s.raw(t)), nil, zap.NewNop()).Find(t.Context(), events["thumbprint"], delivery.Source{})
		if err != nil || len(got.Farms) > 0 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("and each is answered once a worker runs", func(t *testing.T) {
		s.work(t, configured, options)
		waitUntil(t, func() bool {
			state, err := c.Farm(farmsim.FarmName).State(t.Context())
			if err != nil {
				return false
			}
			for _, e := range events {
				if _, answered := state.Mailbox.ResultOf(e.Key()); !answered {
					return false
				}
			}
			return true
		})
	})
}
