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

	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// renewedValidity is the validity period of the second rotation's certificate.
const renewedValidity = 2 * 365 * 24 * time.Hour

// simulatedLatency returns how long the simulated servers take for each script:
// long enough to watch, short enough to wait for. The empty name is the default.
func simulatedLatency() map[string]time.Duration {
	const restart = 250 * time.Millisecond
	return map[string]time.Duration{
		"": 60 * time.Millisecond,
		powershell.ScriptOf(powershell.RestartOfficeServer{}):     restart,
		powershell.ScriptOf(powershell.RestartSharePointServer{}): restart,
	}
}

// newSimulatedJob returns the job for a simulated farm that has no trust yet: an
// expiry event sets it up; a second one, after a new certificate was issued, renews
// it.
func newSimulatedJob(ctx context.Context, data string) (_ *job, err error) {
	dir, err := os.MkdirTemp("", "farmtrust-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the simulated farm: %w", err)
	}
	j := &job{farm: farmsim.FarmName, release: client.Author{By: "standalone", Reason: "this demonstration lets events rotate its simulated farm"}, close: func() error { return os.RemoveAll(dir) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	sim, err := farmsim.Start(ctx, farmsim.Options{Dir: dir, Latency: simulatedLatency()})
	if err != nil {
		return nil, err
	}
	j.close = func() error { return errors.Join(sim.Close(), os.RemoveAll(dir)) }
	if j.config, err = config.Load(sim.Config()); err != nil {
		return nil, err
	}
	if data != "" {
		// Simulated farms get a database of their own, because prepare terminates
		// earlier runs; a real farm may have the same name.
		j.data = filepath.Join(data, "simulated")
	}
	j.prepare = func(ctx context.Context, c temporal.Client) error { return terminateRuns(ctx, c, j.farm) }
	j.rounds = []func() (trigger, error){
		func() (trigger, error) { return j.newEvent(newNearExpiryEvent()) },
		func() (trigger, error) {
			if _, err := sim.IssueCertificate(renewedValidity); err != nil {
				return trigger{}, err
			}
			return j.newEvent(newNearExpiryEvent())
		},
	}
	return j, nil
}

// newEvent decodes an event as the product does, and makes the farm that it concerns
// the job's farm.
func (j *job) newEvent(body []byte, err error) (trigger, error) {
	if err != nil {
		return trigger{}, err
	}
	batch, err := event.Decode(event.Azure, event.Message{Body: body}, event.Fields{})
	if err != nil {
		return trigger{}, err
	}
	events := batch.Events
	if len(events) != 1 {
		return trigger{}, fmt.Errorf("decode event: got %d events", len(events))
	}
	var farms []farm.Farm
	for _, f := range j.config.Farms {
		farms = append(farms, f.Farm)
	}
	found := delivery.Match(events[0], delivery.Source{}, farms)
	if len(found) != 1 {
		return trigger{}, fmt.Errorf("%s concerns %d farms, and is delivered to one here: name it under certificate.events of one farm", events[0], len(found))
	}
	j.farm = found[0]
	return trigger{event: &controller.Event{ID: events[0].Key(), Summary: events[0].String()}}, nil
}

// newNearExpiryEvent returns the event that Azure Key Vault sends thirty days before
// a certificate expires.
//
// Source: Microsoft, "Azure Key Vault as Event Grid source".
func newNearExpiryEvent() ([]byte, error) {
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
