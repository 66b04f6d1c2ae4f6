package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// programName is what the tests call the program by.
const programName = "farmtrust"

// outcome is all that an operator or a script sees of one run of the program.
type outcome struct {
	code     int
	out, err string
}

// runProgram runs the program as on a command line without a terminal.
func runProgram(t *testing.T, args ...string) outcome {
	t.Helper()
	return runProgramWith(t, t.Context(), "", args...)
}

func runProgramWith(t *testing.T, ctx context.Context, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var out, err bytes.Buffer
	code := run(ctx, programName, args, strings.NewReader(stdin), &out, &err)
	return outcome{code, out.String(), err.String()}
}

// runOnTerminal runs the program as an operator does who answers its questions.
func runOnTerminal(t *testing.T, typed string, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	a := &app{program: programName, in: strings.NewReader(typed), out: &out, err: &err, interactive: true}
	code := a.run(t.Context(), args)
	return outcome{code, out.String(), err.String()}
}

// assertExit fails the test unless the program ended with a code and said each
// part on standard error or, for one that begins with "out:", on standard output.
func (o outcome) assertExit(t *testing.T, code int, parts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, part := range parts {
		where, text := o.err, part
		if rest, ok := strings.CutPrefix(part, "out:"); ok {
			where, text = o.out, rest
		}
		if !strings.Contains(where, text) {
			t.Errorf("does not say %q", part)
		}
	}
	if t.Failed() {
		t.Logf("out: %s\nerr: %s", o.out, o.err)
	}
}

// readJSON reads the last line of standard output as one object.
func (o outcome) readJSON(t *testing.T, into any) {
	t.Helper()
	lines := strings.Split(strings.TrimRight(o.out, "\n"), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		t.Fatalf("the last line is no JSON object: %v\n%s", err, o.out)
	}
}

// assertEqual compares what was got with what is wanted.
func assertEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

// writeFile writes a file of the test, and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// twoFarms is a configuration in which contoso listens to one certificate of
// a vault and fabrikam to a whole one.
const twoFarms = `farms:
  - name: contoso
    office: {servers: [oos-01.contoso.com], connection: main}
    sharePoint:
      - {frontEnd: sp-01.contoso.com, connection: main, sites: [https://portal.contoso.com]}
    certificate:
      source: {directory: {path: pfx, password: env:PFX}}
      events: [{vault: contoso-kv-001, certificate: mycert10}]
  - name: fabrikam
    office: {servers: [oos-01.fabrikam.com], connection: main}
    sharePoint:
      - {frontEnd: sp-01.fabrikam.com, connection: main, sites: [https://portal.fabrikam.com]}
    certificate:
      source: {directory: {path: pfx, password: env:PFX}}
      events: [{vault: fabrikam-kv}]
connections:
  main: {auth: ntlm, user: svc@contoso.com, password: env:PASSWORD}
`

// testReport is the report of a rotation that ended so, or still runs.
func testReport(farmName string, o farm.Outcome) farm.Report {
	r := farm.Report{
		Farm: farmName, Outcome: o, Target: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", FriendlyName: "OOS S2S 2026",
		StartedAt: time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 5, 6, 0, 0, 0, time.UTC), DurationMS: 8412,
		Statement: "configured as desired, key usable on every server",
		Servers: []farm.ServerReport{{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Steps: []farm.StepReport{
			{Step: farm.StepImport, State: farm.StateChanged, Changed: true, DurationMS: 900},
		}}},
	}
	if o == farm.Refused || o == farm.Incomplete {
		r.Statement = string(o) + " for a reason"
	}
	return r
}
