package console_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is when the stories of these tests happen.
var now = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

const (
	oldThumbprint = farm.Thumbprint("99887766554433221100FFEEDDCCBBAA99887766")
	newThumbprint = farm.Thumbprint("DB0FEA9B641F3814FC5168AE83EF7839AF1BB012")
)

// golden compares what write writes with testdata/name, by default a .txt.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == "" {
		name += ".txt"
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// Git may check text out with the line ends of Windows.
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got.String()); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", file, diff)
	}
}

func current() farm.StoreCertificate {
	return farm.StoreCertificate{Thumbprint: oldThumbprint, FriendlyName: "OOS S2S 2025", NotAfter: now.AddDate(0, 0, 30).Add(-time.Hour)}
}

func target() farm.Certificate {
	return farm.Certificate{Thumbprint: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: now.AddDate(1, 0, 0)}
}

func machine() farm.Machine {
	return farm.Machine{Elevated: true, WindowsBuild: 17763, PowerShell: "5.1.17763.1"}
}

func servers() []farm.InspectedServer {
	late := machine()
	late.WindowsBuild, late.Skew = 20348, -95*time.Second
	return []farm.InspectedServer{
		{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Machine: machine(), Detail: "Office Online Server, Healthy, master, /hosting/discovery 200"},
		{Host: "oos-02.contoso.com", Role: farm.OfficeRole, Machine: late, Detail: "Office Online Server, Unhealthy, /hosting/discovery 200"},
		{Host: "sp-01.contoso.com", Role: farm.SharePointRole, Machine: machine(), Detail: "SharePoint 16.0.4456.1000, front end"},
	}
}

func renewal() farm.Inspection {
	return farm.Inspection{
		Farm: "contoso", Target: target(), Current: current(), Servers: servers(),
		Findings: []farm.Finding{{
			Code: "clear-text", Severity: farm.Warn, Server: "oos-01.contoso.com",
			Text: "AllowHttpSecureStoreConnections sends the contents of ODC files in clear text", Remedy: "use HTTPS where ODC files hold passwords",
		}},
		Plan: []farm.Difference{
			{Step: farm.StepImport, Server: "oos-01.contoso.com", Text: `import "OOS S2S 2026" (DB0FEA9B): the Personal store does not hold it`},
			{Step: farm.StepImport, Server: "oos-02.contoso.com", Text: `import "OOS S2S 2026" (DB0FEA9B): the Personal store does not hold it`},
			{Step: farm.StepS2SName, Server: "oos-01.contoso.com", Text: `set S2SCertificateName to "OOS S2S 2026" on the master: it is OOS S2S 2025`},
			{Step: farm.StepIssuer, Server: "sp-01.contoso.com", Text: `update trusted token issuer "OOS SharePoint Server" (SharePoint Server) in place from 99887766 to DB0FEA9B`},
			{Step: farm.StepIssuer, Server: "sp-01.contoso.com", Text: `update trusted token issuer "OOS SQL Server" (SQL Server) in place from 99887766 to DB0FEA9B`},
			{Step: farm.StepRestart, Server: "oos-01.contoso.com", Text: "restart WACSM and IIS: its settings change"},
		},
	}
}

func TestPlanSaysWhatRunsWhereAndWhy(t *testing.T) {
	firstSetUp, inOrder, stopped, unseen := renewal(), renewal(), renewal(), renewal()
	firstSetUp.Current = farm.StoreCertificate{}
	inOrder.Current.Thumbprint, inOrder.Plan, inOrder.Findings = newThumbprint, nil, nil
	stopped.Findings = append(stopped.Findings, farm.Finding{
		Severity: farm.Stop, Server: "oos-02.contoso.com",
		Text: "is in no Office Online Server farm", Remedy: "join it, or take it out of the configuration",
	})
	unseen.Servers[1].Problem = "connect to oos-02.contoso.com:5986: connection refused: start WinRM there"
	unseen.Plan, unseen.Current, unseen.Findings = nil, farm.StoreCertificate{}, nil
	for name, c := range map[string]struct {
		inspection farm.Inspection
		verdict    console.Verdict
	}{
		"plan-renewal":      {renewal(), console.Differs},
		"plan-first-set-up": {firstSetUp, console.Differs},
		"plan-in-order":     {inOrder, console.InOrder},
		"plan-stopped":      {stopped, console.Stopped},
		"plan-unseen":       {unseen, console.Unseen},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer) error { return console.Plan(w, c.inspection, now) })
			if got := console.Judge(c.inspection); got != c.verdict {
				t.Errorf("the verdict is %q, want %q", got, c.verdict)
			}
		})
	}
}

func TestCheckSaysHowEachServerAnswered(t *testing.T) {
	n := renewal()
	n.Servers[0].Machine.Elevated = false
	n.Servers[2].Problem, n.Servers[2].Machine, n.Servers[2].Detail = "sign in to sp-01.contoso.com: access denied: check the connection's user, password and auth", farm.Machine{}, ""
	golden(t, "check", func(w io.Writer) error { return console.Check(w, n, now) })
}

func report() farm.Report {
	step := func(s farm.Step, state farm.State, ms int64, detail string) farm.StepReport {
		return farm.StepReport{Step: s, State: state, Changed: state == farm.StateChanged, DurationMS: ms, Detail: detail}
	}
	return farm.Report{
		Farm: "contoso", Outcome: farm.Verified, Reason: "near expiry of mycert10 in contoso-kv-001 (event f36c5d73-a559-480d-b131-202c16c1c024)",
		Target: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: target().NotAfter, Previous: oldThumbprint,
		StartedAt: now, DurationMS: 8412, Statement: "configured as desired, key usable on every server",
		Servers: []farm.ServerReport{
			{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Steps: []farm.StepReport{
				step(farm.StepObserve, farm.StateObserved, 412, ""),
				step(farm.StepImport, farm.StateChanged, 934, "added to Personal, provider Microsoft Enhanced RSA and AES Cryptographic Provider"),
				step(farm.StepGrant, farm.StateUnchanged, 120, "NETWORK SERVICE may read the key; it signs as NT AUTHORITY\\NETWORK SERVICE"),
			}},
			{Host: "sp-01.contoso.com", Role: farm.SharePointRole, Steps: []farm.StepReport{
				step(farm.StepIssuer, farm.StateChanged, 2051, `SharePoint Server: updated "OOS SharePoint Server"; SQL Server: updated "OOS SQL Server"`),
			}},
		},
	}
}

// incomplete is a rotation whose retries on one server ran out.
func incomplete() farm.Report {
	r := report()
	r.Outcome, r.Statement = farm.Incomplete, "not finished, rotate again to resume: import pfx on oos-02.contoso.com: access denied"
	r.Servers[0].Steps[2].State = farm.StateFailed
	r.Servers[0].Steps[2].Detail = "grant key on oos-01.contoso.com: access denied: the account must be a local administrator of the server"
	r.Differences = renewal().Plan[3:]
	return r
}

// large is a report on many servers, one of which failed.
func large() farm.Report {
	r := incomplete()
	failed := r.Servers[0]
	failed.Host = "oos-99.contoso.com"
	r.Servers = nil
	for range 40 {
		r.Servers = append(r.Servers, report().Servers...)
	}
	r.Servers = append(r.Servers, failed)
	r.Differences = nil
	return r
}

func TestReportSaysWhatWasDoneAndSeen(t *testing.T) {
	already := report()
	already.Outcome, already.Statement, already.Previous = farm.NoChange, "nothing to do: configured as desired, key usable on every server", newThumbprint
	already.Servers[0].Steps, already.Servers[1].Steps = already.Servers[0].Steps[:1], nil
	expired := report()
	expired.NotAfter = now.AddDate(0, 0, -3)
	for name, r := range map[string]farm.Report{
		"report-verified": report(), "report-already": already, "report-incomplete": incomplete(), "report-many": large(), "report-expired": expired,
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer) error { return console.Report(w, r) })
		})
	}
}

func TestStatusSaysHowFarARotationIs(t *testing.T) {
	s := farm.Status{Phase: farm.PhaseCutover, Report: report()}
	s.Report.Outcome, s.Report.Statement, s.Report.DurationMS = "", "", 0
	s.Report.Servers[1].Steps[0].State = farm.StateRunning
	golden(t, "status-running", func(w io.Writer) error { return console.Status(w, s, now.Add(12300*time.Millisecond)) })
	golden(t, "report-verified", func(w io.Writer) error {
		return console.Status(w, farm.Status{Phase: farm.PhaseDone, Report: report()}, now.AddDate(0, 0, 9))
	})
}

func TestOverviewListsTheLastRotationOfEachFarm(t *testing.T) {
	golden(t, "overview", func(w io.Writer) error {
		return console.Overview(w, []console.Rotation{
			{Farm: "contoso", Keeper: "resting", State: "verified", Thumbprint: newThumbprint, StartedAt: now.Add(-time.Hour), EndedAt: now.Add(-time.Hour + 8412*time.Millisecond)},
			{Farm: "fabrikam", Keeper: "at work", NeedsPerson: true, State: "waiting", StartedAt: now.Add(-12 * time.Second)},
			{Farm: "northwind", Keeper: "held", NeedsPerson: true},
		}, now)
	})
	golden(t, "overview-empty", func(w io.Writer) error { return console.Overview(w, nil, now) })
}

func TestTextFromServersCannotSteerTheTerminal(t *testing.T) {
	r := report()
	r.Servers[0].Steps[0].Detail = "\x1b[2J\x07evil\r\n\u202egnp.exe"
	r.Farm = "con\x1btoso\nsecond line"
	var out bytes.Buffer
	if err := console.Report(&out, r); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x07\r\u202e") {
		t.Errorf("control characters got through: %q", out.String())
	}
	if !strings.HasPrefix(out.String(), "con?toso second line: verified\n") {
		t.Errorf("the farm's name broke its line: %q", out.String()[:40])
	}
}

func TestOurOwnWordsAreASCIIWithoutBlanksAtTheEnd(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("%s:%d: not ASCII: %s", file, i+1, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s:%d: blanks at the end", file, i+1)
			}
		}
	}
}

func TestJSONIsOneObjectOnOneLine(t *testing.T) {
	var out bytes.Buffer
	if err := console.JSON(&out, report()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, `{"farm":"contoso","outcome":"verified"`) {
		t.Errorf("got %s", text)
	}
}
