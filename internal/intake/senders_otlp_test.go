package intake_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// otlpExporter is the exporter of the OpenTelemetry Collector, which sends what it reads.
type otlpExporter struct {
	input io.WriteCloser
	log   *output
}

// startOTLP runs the exporter, as the page configures it, until the test ends. What gives
// it events is a stand-in for the collector's receiver: tools/otlphttp.
func (d *door) startOTLP(t *testing.T, token string) otlpExporter {
	t.Helper()
	file := filepath.Join(t.TempDir(), "otel-collector.yaml")
	writeFile(t, file, []byte(blockOf(t, "# otel-collector.yaml",
		"https://door.contoso.com:8443", d.url, `C:\ProgramData\otelcol\contoso-ca.pem`, d.authorityFile(t))))
	command := exec.CommandContext(t.Context(), findSender(t, "otlphttp"), file)
	command.Env = append(os.Environ(), "FARMTRUST_TOKEN="+token, "NO_PROXY=127.0.0.1")
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return otlpExporter{input: input, log: startSender(t, command)}
}

func (e otlpExporter) send(t *testing.T, xml string) {
	t.Helper()
	if _, err := fmt.Fprintln(e.input, xml); err != nil {
		t.Fatal(err)
	}
}

func (e otlpExporter) awaitLog(t *testing.T, texts ...string) {
	t.Helper()
	await(t, fmt.Sprintf("the exporter says %q", texts), func() bool {
		for _, text := range texts {
			if !strings.Contains(e.log.String(), text) {
				return false
			}
		}
		return true
	})
}

func TestSender_OpenTelemetry(t *testing.T) {
	t.Parallel()
	d := openForWindows(t)
	e := d.startOTLP(t, newSecret)
	e.send(t, strings.Replace(windowsEvent(t, 1), "Thumbprint=", "Other=", 1))
	e.awaitLog(t, "Exporting failed. Dropping data.", "HTTP Status Code 422")
	e.send(t, windowsEvent(t, 2))
	await(t, "the next event has come", func() bool { return len(d.store.of("windows")) == 1 })

	d.store.set(errors.New("Temporal is away"), 0)
	e.send(t, windowsEvent(t, 3))
	e.awaitLog(t, "Will retry the request after interval.", "HTTP Status Code 503", "Throttle (10s)")
}

func TestSender_OpenTelemetryGivesUpWhereItsSecretIsWrong(t *testing.T) {
	t.Parallel()
	d := openForWindows(t)
	e := d.startOTLP(t, "a guess")
	e.send(t, windowsEvent(t, 1))
	e.awaitLog(t, "Exporting failed. Dropping data.", "HTTP Status Code 401")
	if kept := d.store.of("windows"); len(kept) > 0 {
		t.Errorf("stored %s", kept)
	}
}
