package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// anyPorts are the flags that let tests run in parallel.
var anyPorts = []string{"-port", "0", "-ui-port", "0"}

type result struct {
	code     int
	out, err string
}

func runProgram(t *testing.T, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), "standalone", append(slices.Clip(anyPorts), args...), &out, &err)
	return result{code, out.String(), err.String()}
}

// readReport decodes the report on the last line of standard output.
func (r result) readReport(t *testing.T) farm.Report {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var report farm.Report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil {
		t.Fatalf("the last line is not a report: %v\n%s", err, r.out)
	}
	return report
}

// assertUsageError checks that a run ended with exit code 2 and a one-line message
// that contains all parts.
func (r result) assertUsageError(t *testing.T, parts ...string) {
	t.Helper()
	if r.code != exitUsage || r.out != "" {
		t.Errorf("got exit code %d and output %q, want %d and none", r.code, r.out, exitUsage)
	}
	if strings.Count(r.err, "\n") != 1 {
		t.Errorf("got %q, want one line", r.err)
	}
	for _, part := range parts {
		if !strings.Contains(r.err, part) {
			t.Errorf("%q does not contain %q", r.err, part)
		}
	}
}

func TestRun_SimulatedFarmIsSetUpAndRenewed(t *testing.T) {
	t.Parallel()
	got := runProgram(t, "-exit")
	if got.code != exitOK {
		t.Fatalf("got exit code %d\n%s", got.code, got.err)
	}
	if n := strings.Count(got.out, "contoso: verified"); n != 2 {
		t.Errorf("got %d verified reports, want 2:\n%s", n, got.out)
	}
	for _, part := range []string{"near expiry of oos-s2s", "oos-03.contoso.com", "sp-02.contoso.com", "replaced"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("the reports do not contain %q:\n%s", part, got.out)
		}
	}
	for _, step := range []string{"import certificate  changed", "trust issuers  changed", "restart  changed", "verify  "} {
		if !strings.Contains(got.err, step) {
			t.Errorf("the progress does not contain %q:\n%s", step, got.err)
		}
	}
}

func TestRun_LastLineOfJSONIsTheReportOfTheRenewal(t *testing.T) {
	t.Parallel()
	got := runProgram(t, "-exit", "-o", "json")
	report := got.readReport(t)
	if got.code != exitOK || report.Outcome != farm.Verified || report.Farm != "contoso" {
		t.Errorf("got exit code %d, outcome %q of farm %q\n%s", got.code, report.Outcome, report.Farm, got.err)
	}
	if report.Previous == "" || report.Target == "" || report.Previous == report.Target {
		t.Errorf("got target %q instead of %q", report.Target, report.Previous)
	}
	if decided := ": from " + report.Previous.Short() + ", which expires on "; !strings.Contains(report.Reason, "near expiry of oos-s2s") || !strings.Contains(report.Reason, decided) {
		t.Errorf("got the reason %q, want what the event said and what the controller decided", report.Reason)
	}
	if len(report.Servers) != 5 {
		t.Errorf("got %d servers, want 5", len(report.Servers))
	}
}

func TestRun_StaysUpWithItsUI(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, "standalone", append(slices.Clip(anyPorts), "-data", t.TempDir()), io.Discard, stderr)
		_ = stderr.Close()
	}()
	said := readUntil(t, shown, "Ctrl-C to quit")
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	addresses := regexp.MustCompile(`http://\S+`).FindAllString(said, -1)
	for _, address := range addresses {
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, response.Status)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(addresses) != 3 {
		t.Errorf("got the addresses %q, want those of two rotations and the UI", addresses)
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("got exit code %d", got)
	}
}

func TestRun_ServerOnly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, "standalone", append(slices.Clip(anyPorts), "-server-only", "-open"), io.Discard, stderr)
		_ = stderr.Close()
	}()
	said := readUntil(t, shown, "Ctrl-C to quit")
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	address := regexp.MustCompile(`Temporal: (\S+)`).FindStringSubmatch(said)
	if address == nil {
		t.Fatalf("the address of Temporal is not shown:\n%s", said)
	}
	c, err := connect.Dial(ctx, temporal.Options{HostPort: address[1], Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if farms, err := client.New(c).KnownFarms(ctx); err != nil || len(farms) != 0 {
		t.Errorf("got %d farms and %v, want none: there is no worker", len(farms), err)
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("got exit code %d", got)
	}
}

// readUntil reads until it has read the text, and returns everything that it read.
func readUntil(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	return readUntilFound(t, r, func(all string) bool { return strings.Contains(all, text) })
}

// readUntilFound reads until what it has read has what is looked for, and returns it.
func readUntilFound(t *testing.T, r io.Reader, found func(string) bool) string {
	t.Helper()
	var all strings.Builder
	buffer := make([]byte, 4096)
	for !found(all.String()) {
		n, err := r.Read(buffer)
		all.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after:\n%s", err, all.String())
		}
	}
	return all.String()
}

func TestRun_ConfiguredFarmIsSetUpAndThenUnchanged(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{})
	for _, want := range []farm.Outcome{farm.Verified, farm.NoChange} {
		got := runProgram(t, "-exit", "-o", "json", "-config", sim.Config(), "-farm", farmsim.FarmName)
		if outcome := got.readReport(t).Outcome; got.code != exitOK || outcome != want {
			t.Errorf("got exit code %d, outcome %q, want %q\n%s", got.code, outcome, want, got.err)
		}
	}
}

func TestRun_InterruptedRotationContinues(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{Latency: map[string]time.Duration{"": 100 * time.Millisecond}})
	args := []string{"-exit", "-o", "json", "-config", sim.Config(), "-data", t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, "standalone", append(slices.Clip(anyPorts), args...), io.Discard, stderr)
		_ = stderr.Close()
	}()
	readUntil(t, shown, "import certificate  changed")
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	cancel()
	if got := <-code; got != exitFailed {
		t.Fatalf("got exit code %d from an interrupted rotation", got)
	}
	got := runProgram(t, args...)
	if outcome := got.readReport(t).Outcome; got.code != exitOK || outcome != farm.Verified {
		t.Errorf("got exit code %d, outcome %q\n%s", got.code, outcome, got.err)
	}
	if !strings.Contains(got.err, "attached to a rotation") {
		t.Errorf("the output does not say that the rotation continues:\n%s", got.err)
	}
}

func TestRun_ConfiguredFarmWaitsForApproval(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{})
	var out bytes.Buffer
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), "standalone", append(slices.Clip(anyPorts), "-exit", "-o", "json", "-config", requireApproval(t, sim)), &out, stderr)
		_ = stderr.Close()
	}()
	approves := regexp.MustCompile(`TEMPORAL_CONFIG_FILE=(\S+) farmtrust approve contoso (\S+) --reason`)
	command := approves.FindStringSubmatch(readUntilFound(t, shown, approves.MatchString))
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	f := client.New(dialWith(t, command[1])).Farm(farmsim.FarmName)
	waiting, err := f.Active(t.Context())
	if err != nil || waiting == nil {
		t.Fatalf("active is %v, %v", waiting, err)
	}
	approval := farm.Decision{Choice: farm.Approve, Digest: "000000000000", By: "ada", Reason: "change 4711"}
	t.Run("another digest is refused", func(t *testing.T) {
		assertRefused(t, waiting.Decide(t.Context(), approval), command[2])
	})
	t.Run("a rollback request is refused while a rotation runs", func(t *testing.T) {
		_, err := f.Rollback(t.Context(), client.Author{By: "ada", Reason: "no"})
		assertRefused(t, err, waiting.ID())
	})
	t.Run("a compromised certificate is refused while a rotation runs", func(t *testing.T) {
		_, err := f.ReplaceCompromised(t.Context(), client.Author{By: "ada", Reason: "no"}, nil)
		assertRefused(t, err, waiting.ID())
	})
	t.Run("a second rotation is attached to the first", func(t *testing.T) {
		second, err := f.Rotate(t.Context(), client.Author{By: "bob", Reason: "me too"})
		if err != nil || !second.Attached || second.ID() != waiting.ID() {
			t.Errorf("got %+v, %v", second, err)
		}
	})
	if name := sim.State().Office.Members[0].Settings.S2SCertificateName; name != "" {
		t.Errorf("S2SCertificateName is %q before the approval", name)
	}
	approval.Digest = command[2]
	if err := waiting.Decide(t.Context(), approval); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitOK {
		t.Fatalf("got exit code %d", got)
	}
	report := result{out: out.String()}.readReport(t)
	if report.Outcome != farm.Verified || len(report.Decisions) != 1 || !reflect.DeepEqual(report.Decisions[0].Decision, approval) {
		t.Errorf("got outcome %q, decisions %+v", report.Outcome, report.Decisions)
	}
}

// assertRefused fails the test unless a request or decision was refused with a
// reason that contains part.
func assertRefused(t *testing.T, err error, part string) {
	t.Helper()
	refused, ok := errors.AsType[*client.RefusedError](err)
	if !ok || !strings.Contains(refused.Reason, part) {
		t.Errorf("got %v, want a refusal that contains %q", err, part)
	}
}

// requireApproval returns the path of a copy of the farm's configuration that
// requires an approval.
func requireApproval(t *testing.T, sim *farmsim.Farm) string {
	t.Helper()
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte("approval: none"), []byte("approval: required"), 1)
	if bytes.Equal(text, changed) {
		t.Fatal("the configuration does not contain approval: none")
	}
	file := filepath.Join(t.TempDir(), "farmtrust.yaml")
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRun_RefusedFarmEndsWithItsReportAndExitCodeOne(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{Skew: map[string]time.Duration{"oos-02.contoso.com": -48 * time.Hour}})
	got := runProgram(t, "-exit", "-o", "json", "-config", sim.Config())
	if outcome := got.readReport(t).Outcome; got.code != exitFailed || outcome != farm.Refused {
		t.Errorf("got exit code %d, outcome %q\n%s", got.code, outcome, got.err)
	}
	if !strings.Contains(got.err, "oos-02.contoso.com") {
		t.Errorf("the server is not named:\n%s", got.err)
	}
}

func startFarm(t *testing.T, o farmsim.Options) *farmsim.Farm {
	t.Helper()
	o.Dir = t.TempDir()
	sim, err := farmsim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}
