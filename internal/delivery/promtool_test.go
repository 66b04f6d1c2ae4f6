package delivery_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

// TestWriteMetrics_PrometheusReadsIt has Prometheus' own program read what the worker
// serves, and find nothing to object to.
func TestWriteMetrics_PrometheusReadsIt(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool")
	}
	var text strings.Builder
	deliver(t, &fakeTemporal{}, nil, func(t *testing.T, d testDeliverer) {
		d.assertDelivered(t, event.Expiry{ID: "1", Source: "s", Vault: "kv"}, delivery.Source{Name: "vault"})
		if err := d.WriteMetrics(&text); err != nil {
			t.Fatal(err)
		}
	})
	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = strings.NewReader(text.String())
	if answer, err := command.CombinedOutput(); err != nil || len(answer) > 0 {
		t.Errorf("promtool: %v\n%s\n%s", err, answer, text.String())
	}
}
