package workflows_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/workflows"
)

// update writes the golden files again.
var update = flag.Bool("update", false, "write the golden files again")

// storyFile is a worker's log. Activities write to it side by side.
type storyFile struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (f *storyFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(b)
}

// changing matches what is another each time: moments, durations, thumbprints and
// digests.
var changing = []struct {
	pattern *regexp.Regexp
	stand   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`), "DATE"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "DAY"},
	{regexp.MustCompile(`\b[0-9A-F]{40}\b`), "THUMBPRINT"},
	{regexp.MustCompile(`\b[0-9A-F]{8}\b`), "SHORT"},
	{regexp.MustCompile(`\b[0-9a-f]{12,32}\b`), "DIGEST"},
	{regexp.MustCompile(`"(runId|took|tookMs)":[^,}]+`), `"$1":0`},
	{regexp.MustCompile(` \((\d+(\.\d)?[dhms])+\)`), " (TOOK)"},
	{regexp.MustCompile(`(?m)^TIME ExecuteChildWorkflow\n`), ""}, // of the SDK's test environment
	{regexp.MustCompile(`"nextInMs":\d+`), `"nextInMs":0`},
}

// runStory runs a rotation that goes through much, and returns what the log has of it.
//
// One attempt at the import fails. The rotation waits for an approval and gets it. Then
// a step fails for good; an operator has it tried again, and then rolls back.
func runStory(t *testing.T, format logging.Format, level zapcore.Level) string {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.AtOnce = true, 1 })
	f.addFaults(t,
		fault.Fault{Server: office2, Step: "Import-S2SCertificate", Kind: fault.ScriptError, Times: 1, Error: &fault.Error{ID: "Test,Busy", Message: "the store is busy\nx\x1b[2Jy"}},
		brokenScript(office1, "Set-S2SCertificateName"))
	out := &storyFile{}
	r := f.newRunWith(t, connect.NewLogger(logging.New(out, format, level)))
	r.after(time.Hour, r.approve)
	r.after(3*time.Hour, func() { r.decide(farm.Decision{Choice: farm.Retry}) })
	r.after(5*time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
	r.rotateWith(workflows.RotateInput{Reason: "change 4711"})
	return out.text.String()
}

// normalize replaces what is another each time.
func normalize(text string) string {
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.stand)
	}
	return text
}

// runControllerStory runs a controller, and returns what the log has of it. An event
// has it rotate; then an administrator removes an issuer, and an operator undoes it.
func runControllerStory(t *testing.T) string {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{})
	f.setPolicy(func(p *farm.RotationPolicy) { p.AtOnce = 1 })
	out := &storyFile{}
	c := f.controlIn(f.newRunWith(t, connect.NewLogger(logging.New(out, logging.Text, zap.InfoLevel))))
	c.after(time.Hour, func() { c.sendEvent("1") })
	c.after(3*time.Hour, func() { f.installUpdates(t, office2); c.sendEvent("2") })
	c.after(4*time.Hour, func() { c.request(controller.RequestUndo) })
	c.after(6*time.Hour, func() { c.request(controller.RequestResume) })
	c.runUntil(8 * time.Hour)
	return out.text.String()
}

func TestStory(t *testing.T) {
	for name, tell := range map[string]func(*testing.T) string{
		"rotation.txt":   func(t *testing.T) string { t.Helper(); return runStory(t, logging.Text, zap.InfoLevel) },
		"rotation.jsonl": func(t *testing.T) string { t.Helper(); return runStory(t, logging.JSON, zap.InfoLevel) },
		"controller.txt": runControllerStory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := normalize(tell(t))
			file := filepath.Join("testdata", "story", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the log (-update writes it again):\n%s", diff)
			}
			if lower := strings.ToLower(got); strings.Contains(lower, "stack") || strings.Contains(lower, ".go:") || strings.ContainsAny(got, "\x1b\r") {
				t.Errorf("the log has a stack trace or control characters:\n%s", got)
			}
		})
	}
}

// TestStory_Keys holds that programs find the same keys in all lines.
func TestStory_Keys(t *testing.T) {
	t.Parallel()
	events := map[string]bool{}
	for line := range strings.Lines(runStory(t, logging.JSON, zap.DebugLevel)) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if entry["event"] == nil {
			continue // of the SDK
		}
		events[entry["event"].(string)] = true
		for _, key := range []string{"time", "level", "msg", "farm", "run"} {
			if entry[key] == nil {
				t.Errorf("no %s in %s", key, line)
			}
		}
		if event := entry["event"]; (event == "step" || event == "retry" || event == "blocked") && entry["server"] == nil {
			t.Errorf("no server in %s", line)
		}
	}
	for _, event := range []string{"begin", "plan", "phase", "step", "retry", "wait", "waited", "blocked", "decision", "rollback", "end"} {
		if !events[event] {
			t.Errorf("no line is about event %s", event)
		}
	}
}
