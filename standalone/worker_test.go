package main

import (
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// testWorker is a worker for a simulated farm, on an embedded Temporal server.
type testWorker struct {
	sim *farmsim.Farm
	// before is the farm's trust before the worker started.
	before farmsim.Trust
	// address is the Temporal server's host:port.
	address  string
	temporal temporal.Client
	farm     client.Farm
}

// simulatedPolicy matches the line of a simulated farm's configuration that setPolicy
// replaces.
var simulatedPolicy = regexp.MustCompile(`(?m)^( *)approval: none$`)

// startTestWorker starts a worker that runs until the test ends. Its farm trusts a
// certificate that is due for renewal, and has this policy, one key in each string.
func startTestWorker(t *testing.T, policy ...string) *testWorker {
	t.Helper()
	return startTestWorkerOn(t, farmsim.Options{}, embedded.Options{}, policy...)
}

// startTestWorkerOn is startTestWorker with a farm and a Temporal server of another
// kind.
func startTestWorkerOn(t *testing.T, simulated farmsim.Options, o embedded.Options, policy ...string) *testWorker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	simulated.Trusting = true
	sim := startFarm(t, simulated)
	before, configured := sim.Trust(), setPolicy(t, sim, policy)
	o.Retention, o.SearchAttributes, o.Logger = time.Hour, workflows.SearchAttributes(), zap.NewNop()
	server, err := embedded.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(ctx, temporal.Options{HostPort: server.Address(), Namespace: embedded.Namespace, Identity: "farmtrust", Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{Config: configured, Client: c, Namespace: embedded.Namespace, SealKeys: keyring.Generated(), Log: zap.NewNop()})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := &testWorker{sim: sim, before: before, address: server.Address(), temporal: c, farm: client.New(c).Farm(farmsim.FarmName)}
	releaseFarm(t, w.farm, configured)
	return w
}

// releaseFarm lets a farm be rotated by itself.
func releaseFarm(t *testing.T, f client.Farm, c *config.Config) {
	t.Helper()
	configured, err := c.Farm(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Under(configured.Rotation).Release(context.Background(), client.Author{By: "operator", Reason: "for the test"}); err != nil {
		t.Fatal(err)
	}
}

// setPolicy writes the policy into the farm's configuration and loads it.
func setPolicy(t *testing.T, sim *farmsim.Farm, policy []string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	indent := simulatedPolicy.FindSubmatch(text)
	if indent == nil {
		t.Fatal("the configuration does not contain approval: none")
	}
	lines := ""
	for i, line := range policy {
		if i > 0 {
			lines += "\n"
		}
		lines += string(indent[1]) + line
	}
	text = simulatedPolicy.ReplaceAll(text, []byte(lines))
	if err := os.WriteFile(sim.Config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// waitUntil waits until a condition holds, and fails the test after two minutes.
func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the condition does not hold after two minutes")
		}
	}
}
