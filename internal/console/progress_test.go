package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// start is when the runs of these tests started.
var start = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

// noTerminal is what is behind a file.
var noTerminal = findTerminal(&strings.Builder{})

// makeStatus is a run with one line for each server, such as
// "oos-01: import certificate=changed, grant key=running".
func makeStatus(phase farm.Phase, lines ...string) farm.Status {
	s := farm.Status{Phase: phase, Report: farm.Report{Farm: "contoso", StartedAt: start}}
	for _, line := range lines {
		host, rest, _ := strings.Cut(line, ": ")
		server := farm.ServerReport{Host: host, Role: farm.OfficeRole}
		for item := range strings.SplitSeq(rest, ", ") {
			if step, state, ok := strings.Cut(item, "="); ok {
				server.Steps = append(server.Steps, farm.StepReport{Step: farm.Step(step), State: farm.State(state)})
			}
		}
		s.Report.Servers = append(s.Report.Servers, server)
	}
	return s
}

// withDetail is a status whose step on a server has a detail.
func withDetail(s farm.Status, server, step int, detail string) farm.Status {
	s.Report.Servers[server].Steps[step].Detail = detail
	return s
}

// withAttempt is a status whose first step is tried for the nth time.
func withAttempt(s farm.Status, n int, lastError string) farm.Status {
	s.Report.Servers[0].Steps[0].Attempts, s.Report.Servers[0].Steps[0].LastError = n, lastError
	return s
}

// withWarning is a status whose step on a server has a warning.
func withWarning(s farm.Status, server, step int, text string) farm.Status {
	s.Report.Servers[server].Steps[step].Warnings = []string{text}
	return s
}

// waitsForApproval is a wait for an approval of a digest.
func waitsForApproval(digest string) *farm.Wait {
	return &farm.Wait{
		For: farm.ForApproval, Digest: digest, Text: "the cutover begins once approved", Then: "it is rolled back",
		Options: []farm.Option{{Choice: farm.Approve, Effect: "restarts 7 servers"}, {Choice: farm.RollBack, Effect: "no restart"}},
	}
}

func withWait(s farm.Status, w *farm.Wait) farm.Status {
	s.Wait = w
	return s
}

// changed and the others are states as they are written to makeStatus.
const (
	changed = string(farm.StateChanged)
	seen    = string(farm.StateObserved)
)

func TestProgress_ElsewhereThanOnATerminal(t *testing.T) {
	blocked := withWait(makeStatus(farm.PhaseCutover, "oos-01: observe="+seen+", set S2S certificate=failed"), &farm.Wait{
		For: farm.ForDecision, Text: "decide about each",
		Blocked: []farm.Blocked{{Server: "oos-01", Step: farm.StepS2SName, Text: "access denied", Skippable: true}},
		Options: []farm.Option{{Choice: farm.Retry, Effect: "tries again"}, {Choice: farm.Skip, Server: "oos-01", Effect: "goes on without it"}},
	})
	approval := withWait(makeStatus(farm.PhaseWaiting, "oos-01: observe="+seen), waitsForApproval("1a2b3c4d5e6f"))
	for name, c := range map[string]struct {
		program string
		shown   []farm.Status
		want    string
	}{
		"each change is told once": {
			"farmtrust",
			[]farm.Status{
				makeStatus(farm.PhaseObserving, "oos-01: ", "sp-01: "),
				makeStatus(farm.PhaseStaging, "oos-01: import certificate=running", "sp-01: "),
				makeStatus(farm.PhaseStaging, "oos-01: import certificate=changed", "sp-01: "),
				makeStatus(farm.PhaseStaging, "oos-01: import certificate=changed", "sp-01: "),
				withDetail(makeStatus(farm.PhaseCutover, "oos-01: import certificate=changed", "sp-01: trust issuers=changed"), 1, 0, "SharePoint Server: created"),
				makeStatus(farm.PhaseCutover, "oos-01: import certificate=changed", "sp-01: trust issuers=running"),
				withDetail(makeStatus(farm.PhaseDone, "oos-01: import certificate=changed", "sp-01: trust issuers=changed"), 1, 0, "SharePoint Server: created; SQL Server: created"),
			},
			`   0.0s  observing
   1.5s  staging
   3.0s  oos-01  import certificate  CHANGED
   6.0s  cutover
   6.0s  sp-01  trust issuers  CHANGED  SharePoint Server: created
   9.0s  sp-01  trust issuers  CHANGED  SharePoint Server: created; SQL Server: created
`,
		},
		"each attempt that is seen to fail is told": {
			"farmtrust",
			[]farm.Status{
				makeStatus(farm.PhaseStaging, "oos-01: grant key=running"),
				withAttempt(makeStatus(farm.PhaseStaging, "oos-01: grant key=running"), 2, "oos-01: access denied"),
				withAttempt(makeStatus(farm.PhaseStaging, "oos-01: grant key=running"), 2, "oos-01: access denied"),
				withAttempt(makeStatus(farm.PhaseStaging, "oos-01: grant key=running"), 3, "oos-01: access denied"),
				makeStatus(farm.PhaseStaging, "oos-01: grant key=changed"),
			},
			`   0.0s  staging
   1.5s  oos-01  grant key  attempt 1 failed  access denied
   4.5s  oos-01  grant key  attempt 2 failed  access denied
   6.0s  oos-01  grant key  CHANGED
`,
		},
		"what the product warned of is told": {
			"farmtrust",
			[]farm.Status{withWarning(makeStatus(farm.PhaseCutover, "oos-01: set S2S certificate=changed"), 0, 0, "restart every machine")},
			`   0.0s  cutover
   0.0s  oos-01  set S2S certificate  CHANGED; warned: restart every machine
`,
		},
		"a wait is told once, with the commands that decide": {
			"TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust",
			[]farm.Status{approval, approval, blocked, blocked, makeStatus(farm.PhaseCutover)},
			`   0.0s  waiting
   0.0s  oos-01  observe  SEEN
   0.0s  waits for an approval: the cutover begins once approved
         approve: restarts 7 servers
         roll back: no restart
         if nobody decides: it is rolled back
         TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust approve contoso 1a2b3c4d5e6f --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust rollback contoso --reason WHY
   3.0s  cutover
   3.0s  oos-01  set S2S certificate  failed
   3.0s  waits for a decision: decide about each
         oos-01: set S2S certificate: access denied
         retry: tries again
         skip oos-01: goes on without it
         TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust retry contoso --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust skip contoso --server oos-01 --reason WHY
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p := newProgress(&out, noTerminal, false)
			p.Program = c.program
			for i, s := range c.shown {
				if err := p.Show(s, start.Add(time.Duration(i)*1500*time.Millisecond)); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("CHANGED", changed, "SEEN", seen).Replace(c.want)
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgress_OnATerminal(t *testing.T) {
	t.Run("the table is repainted in place", func(t *testing.T) {
		d, p := newDisplay(t, screen{width: 62, height: 24})
		d.assertShows(p, makeStatus(farm.PhaseObserving, "oos-01: observe=running", "sp-01: "), 0,
			"contoso: observing, 0.0s",
			"  oos-01  >             observe: running",
			"  sp-01   .",
			"  "+legend)
		failed := makeStatus(farm.PhaseStaging, "oos-01: observe="+seen+", import certificate=failed", "sp-01: observe="+seen+", trust root authority="+changed)
		d.assertShows(p, withDetail(failed, 0, 1, "access denied: the account must be a local administrator"), 9*time.Second,
			"contoso: staging, 9.0s",
			"  oos-01  =!            import certificate: failed, access",
			"                        denied: the account must be a local",
			"                        administrator",
			"  sp-01   =+            trust root authority: "+changed,
			"  "+legend)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if len(d.lines) != 0 {
			t.Errorf("after Close the terminal still shows %q", d.lines)
		}
	})
	t.Run("a step that is retried says so, and what an operator must see is set off", func(t *testing.T) {
		retried := makeStatus(farm.PhaseStaging, "oos-01: observe="+seen+", grant key=running", "oos-02: observe="+seen)
		retried.Report.Servers[0].Steps[1].Attempts, retried.Report.Servers[0].Steps[1].LastError = 4, "oos-01: Grant-S2SKey: access denied"
		retried.CutoverMS = 360_000
		d, p := newDisplay(t, screen{width: 80, height: 24})
		d.assertShows(p, retried, 9*time.Second,
			"contoso: staging, 9.0s, the cutover takes about 6 minutes",
			"  oos-01  =>            grant key: running, attempt 4, the last failed:",
			"                        Grant-S2SKey: access denied",
			"  oos-02  =             observe: "+seen,
			"  "+legend)
		var out strings.Builder
		coloured := newProgress(&out, p.terminal, true)
		if err := coloured.Show(retried, start); err != nil {
			t.Fatal(err)
		}
		if want := paintAlert("                        Grant-S2SKey: access denied"); !strings.Contains(out.String(), want) {
			t.Errorf("it is not set off: %q", out.String())
		}
	})
	t.Run("a terminal that becomes narrower is cleared all the same", func(t *testing.T) {
		d, p := newDisplay(t, screen{width: 80, height: 24})
		d.assertShows(p, makeStatus(farm.PhaseStaging, "oos-01: import certificate=running"), 0,
			"contoso: staging, 0.0s",
			"  oos-01  >             import certificate: running",
			"  "+legend)
		if rows := countRows(p.painted, 40); rows != 5 {
			t.Errorf("on 40 columns the table takes %d rows, want 5", rows)
		}
	})
	t.Run("where not all have room, the urgent servers are shown", func(t *testing.T) {
		d, p := newDisplay(t, screen{width: 80, height: 6})
		var lines []string
		for i := range 30 {
			lines = append(lines, fmt.Sprintf("oos-%02d: observe=%s", i+1, seen))
		}
		lines[20] += ", restart=running"
		lines[28] += ", restart=failed"
		for range 3 {
			d.assertShows(p, makeStatus(farm.PhaseRestarting, lines...), 0,
				"contoso: restarting, 0.0s",
				"  oos-29  =!            restart: failed",
				"  oos-21  =>            restart: running",
				"  oos-01  =             observe: "+seen,
				"  and 27 more")
		}
	})
	s := withWait(makeStatus(farm.PhaseWaiting, "oos-01: observe="+seen), waitsForApproval("1a2b3c4d5e6f"))
	t.Run("a wait is shown above the servers", func(t *testing.T) {
		d, p := newDisplay(t, screen{width: 60, height: 24})
		d.assertShows(p, s, 0,
			"contoso: waiting, 0.0s",
			"  waits for an approval: the cutover begins once approved",
			"  approve: restarts 7 servers",
			"  roll back: no restart",
			"  if nobody decides: it is rolled back",
			"  farmtrust approve contoso 1a2b3c4d5e6f --reason WHY",
			"  farmtrust rollback contoso --reason WHY",
			"  oos-01  =             observe: "+seen,
			"  "+legend)
	})
	t.Run("no command is cut", func(t *testing.T) {
		d, p := newDisplay(t, screen{width: 50, height: 24})
		d.assertShows(p, s, 0,
			"contoso: waiting, 0.0s",
			"  waits for an approval: the cutover begins once",
			"  approved",
			"  approve: restarts 7 servers",
			"  roll back: no restart",
			"  if nobody decides: it is rolled back",
			"  to decide, run: farmtrust status contoso",
			"  oos-01  observe: "+seen)
	})
}

func TestProgress_NoScreenIsOverrun(t *testing.T) {
	s := makeStatus(farm.PhaseWaiting, "oos-01: observe=seen", "oos-02: ", "oos-03: ", "sp-01: observe=running")
	for _, wait := range []*farm.Wait{nil, waitsForApproval("1a2b3c4d5e6f")} {
		for height := 1; height < 12; height++ {
			for _, width := range []int{1, 2, 4, 10, 200} {
				lines := drawFrame(withWait(s, wait), "farmtrust", start, screen{width, height})
				for _, line := range lines {
					if len(line.text) >= width {
						t.Errorf("%dx%d: %q is too long", width, height, line.text)
					}
				}
				if len(lines) >= max(height, 3) {
					t.Errorf("%dx%d: %d lines", width, height, len(lines))
				}
			}
		}
	}
}

func TestProgress_TextFromServersCannotControlATerminal(t *testing.T) {
	evil := withDetail(makeStatus(farm.PhaseStaging, "oos-01: import certificate=failed"), 0, 0, "\x1b[2J\x07evil\r\n\u202egnp.exe\u00fc")
	d, p := newDisplay(t, screen{width: 100, height: 24}) // fails on what it does not know
	if err := p.Show(evil, start); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := newProgress(&out, noTerminal, false).Show(evil, start); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x07\r\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("got %q", out.String())
	}
	if got := strings.Join(d.lines, "\n"); !strings.Contains(got, "?[2J?evil") {
		t.Errorf("the text is not shown:\n%s", got)
	}
}
