package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func withEvents(name string, events ...farm.EventMatch) farm.Farm {
	return farm.Farm{Name: name, Certificate: farm.CertificatePolicy{Events: events}}
}

func TestFarmOf(t *testing.T) {
	t.Run("an event concerns the farm that it names, or the one that listens for it", func(t *testing.T) {
		farms := []farm.Farm{
			withEvents("north", farm.EventMatch{Vault: "kv", Certificate: "north-s2s"}),
			withEvents("south", farm.EventMatch{Vault: "other"}, farm.EventMatch{Vault: "kv", Certificate: "south-s2s"}),
			withEvents("silent"),
			withEvents("careless", farm.EventMatch{}),
		}
		for claim, c := range map[string]struct {
			event event.Expiry
			want  string
		}{
			"by vault and certificate":          {event.Expiry{Vault: "kv", Certificate: "south-s2s"}, "south"},
			"without regard to case":            {event.Expiry{Vault: "KV", Certificate: "North-S2S"}, "north"},
			"by vault alone":                    {event.Expiry{Vault: "other", Certificate: "anything"}, "south"},
			"by its own name":                   {event.Expiry{Farm: "silent"}, "silent"},
			"by its own name, whatever matches": {event.Expiry{Farm: "North", Vault: "other"}, "north"},
		} {
			t.Run(claim, func(t *testing.T) {
				got, err := c.event.FarmOf(farms)
				if err != nil || got.Name != c.want {
					t.Errorf("got %q, %v, want %q", got.Name, err, c.want)
				}
			})
		}
	})

	t.Run("an event of no farm or of several concerns none", func(t *testing.T) {
		farms := []farm.Farm{
			withEvents("north", farm.EventMatch{Vault: "kv"}),
			withEvents("south", farm.EventMatch{Certificate: "s2s"}),
		}
		for claim, c := range map[string]struct {
			event event.Expiry
			farms []string
			want  string
		}{
			"none listens": {
				event.Expiry{ID: "e1", Kind: event.NearExpiry, Vault: "v", Certificate: "c"},
				nil,
				`unknown farm: no farm's certificate.events match near expiry of c in v (event e1); add {vault: "v", certificate: "c"} to one of them`,
			},
			"an unknown name": {event.Expiry{Farm: "west", Vault: "kv"}, nil, `names farm "west", which is not configured`},
			"several listen":  {event.Expiry{Vault: "kv", Certificate: "s2s"}, []string{"north", "south"}, "concerns the farms north, south; make certificate.events"},
		} {
			t.Run(claim, func(t *testing.T) {
				_, err := c.event.FarmOf(farms)
				var unknown *event.UnknownFarmError
				if !errors.As(err, &unknown) {
					t.Fatalf("got %v, want an UnknownFarmError", err)
				}
				if diff := cmp.Diff(c.farms, unknown.Farms); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got  %v\nwant %s", err, c.want)
				}
			})
		}
	})
}
