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
	in, err := openDoor(ctx, j.config, dir)
	if err != nil {
		return nil, err
	}
	if data != "" {
		// Simulated farms get a database of their own, because prepare terminates
		// earlier runs; a real farm may have the same name.
		j.data = filepath.Join(data, "simulated")
	}
	j.prepare = func(ctx context.Context, c temporal.Client) error { return terminateRuns(ctx, c, j.farm) }
	j.rounds = []func() (trigger, error){
		func() (trigger, error) { return in.newEvent(j.farm) },
		func() (trigger, error) {
			if _, err := sim.IssueCertificate(renewedValidity); err != nil {
				return trigger{}, err
			}
			return in.newEvent(j.farm)
		},
	}
	return j, nil
}

// newEvent is an event that comes in through the door of the worker, as one of a Key
// Vault does.
func (d *door) newEvent(farmName string) (trigger, error) {
	body, err := newNearExpiryEvent()
	if err != nil {
		return trigger{}, err
	}
	e, err := d.read(body)
	if err != nil {
		return trigger{}, err
	}
	return trigger{event: &e, deliver: func(ctx context.Context) error { return d.deliver(ctx, body, farmName) }}, nil
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
