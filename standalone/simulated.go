package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// renewedFor is how long the certificate of the second rotation is valid.
const renewedFor = 2 * 365 * 24 * time.Hour

// latency is how long the simulated servers take: long enough to watch, and
// short enough to wait for.
func latency() map[string]time.Duration {
	const restart = 250 * time.Millisecond
	return map[string]time.Duration{
		"": 60 * time.Millisecond,
		powershell.ScriptOf(powershell.RestartOfficeServer{}):     restart,
		powershell.ScriptOf(powershell.RestartSharePointServer{}): restart,
	}
}

// simulate is a simulated farm that trusts nothing yet: an expiry event sets
// it up; a second one, with a new certificate at hand, renews it.
func simulate(ctx context.Context, data string) (_ *scene, err error) {
	dir, err := os.MkdirTemp("", "farmtrust-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the simulated farm: %w", err)
	}
	s := &scene{farm: farmsim.FarmName, close: func() error { return os.RemoveAll(dir) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	sim, err := farmsim.Start(ctx, farmsim.Options{Dir: dir, Latency: latency()})
	if err != nil {
		return nil, err
	}
	s.close = func() error { return errors.Join(sim.Close(), os.RemoveAll(dir)) }
	if s.config, err = config.Load(sim.Config()); err != nil {
		return nil, err
	}
	if data != "" {
		// A rotation of a real farm of the same name must not be mistaken for
		// one of a simulated farm that is gone.
		s.data = filepath.Join(data, "simulated")
	}
	s.prepare = func(ctx context.Context, c client.Client) error { return abandon(ctx, c, s.farm) }
	s.rounds = []func() (request, error){
		func() (request, error) { return s.deliver(nearExpiry()) },
		func() (request, error) {
			if _, err := sim.IssueCertificate(renewedFor); err != nil {
				return request{}, err
			}
			return s.deliver(nearExpiry())
		},
	}
	return s, nil
}

// deliver takes an event as any source's body is taken, for the farm that it
// concerns.
func (s *scene) deliver(body []byte, err error) (request, error) {
	if err != nil {
		return request{}, err
	}
	events, err := event.Decode("application/cloudevents+json", body)
	if err != nil {
		return request{}, err
	}
	if len(events) != 1 {
		return request{}, fmt.Errorf("deliver event: got %d", len(events))
	}
	var farms []farm.Farm
	for _, f := range s.config.Farms {
		farms = append(farms, f.Farm)
	}
	f, err := events[0].FarmOf(farms)
	if err != nil {
		return request{}, err
	}
	s.farm = f.Name
	return request{event: &workflows.Event{ID: events[0].Key(), Summary: events[0].String()}}, nil
}

// nearExpiry is the event that Azure Key Vault sends thirty days before a
// certificate ends.
//
// Source: Microsoft, "Azure Key Vault as Event Grid source".
func nearExpiry() ([]byte, error) {
	now := time.Now()
	return json.Marshal(map[string]any{
		"specversion": "1.0",
		"type":        "Microsoft.KeyVault.CertificateNearExpiry",
		"id":          rand.Text(),
		"source":      "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/contoso/providers/Microsoft.KeyVault/vaults/" + farmsim.EventVault,
		"subject":     farmsim.EventCertificate,
		"time":        now.UTC().Format(time.RFC3339),
		"data": map[string]any{
			"Id":        "https://" + farmsim.EventVault + ".vault.azure.net/certificates/" + farmsim.EventCertificate,
			"VaultName": farmsim.EventVault, "ObjectType": "Certificate", "ObjectName": farmsim.EventCertificate,
			"NBF": now.AddDate(-1, 0, 0).Unix(), "EXP": now.AddDate(0, 0, 30).Unix(),
		},
	})
}
