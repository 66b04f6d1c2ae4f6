package report_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// hostile is what a server might say to control a terminal, to run a script in
// a browser, or to be taken for ours.
const hostile = "\x1b[2J\x07evil\r\n\u202egnp.exe <script>alert(1)</script> **bold** [link](http://evil) | `code` \\ &lt; _x_ ~~y~~"

// hostilePages hold hostile text wherever a server, an event or an operator can
// put it.
func hostilePages() map[string]report.Page {
	s := waitingStatus(farm.PhaseWaiting, farm.Wait{For: farm.ForApproval, Digest: hostile, Text: hostile, Blocked: []farm.Blocked{{Server: hostile, Step: farm.StepImport, Text: hostile, Then: hostile}}})
	s.Report.Farm, s.Report.Reason, s.Report.FriendlyName = hostile, hostile, hostile
	s.Report.Findings = []farm.Finding{{Severity: farm.Warn, Server: hostile, Text: hostile, Remedy: hostile}}
	s.Report.Decisions = []farm.RecordedDecision{{Decision: farm.Decision{Choice: farm.Approve, By: hostile, Reason: hostile}}}
	s.Report.Differences = []farm.Difference{{Step: farm.StepS2SName, Server: hostile, Text: hostile}}
	s.Report.Servers[0].Host, s.Report.Servers[0].Steps[0].Detail = hostile, hostile
	ended := s
	ended.Report.Outcome, ended.Report.Statement = farm.Incomplete, hostile
	n := renewalInspection()
	n.Farm, n.Servers[0].Problem, n.Servers[1].Detail, n.Servers[2].Host = hostile, hostile, hostile, hostile
	state := idleState()
	state.Farm, state.Suspended, state.Next.Reason, state.Last.Statement = hostile, hostile, hostile, hostile
	state.Mailbox.Pending = []controller.Event{{ID: hostile, Summary: hostile}}
	return map[string]report.Page{
		"run": report.Run(s), "ended run": report.Run(ended), "plan": report.Plan(n), "check": report.Check(n, []string{hostile}),
		"farm": report.Farm(state, now), "overview": report.Overview(report.FarmList{Farms: []report.FarmRow{{Farm: hostile, State: hostile, Next: hostile}}}),
	}
}

func TestWriters_HostileText(t *testing.T) {
	for name, page := range hostilePages() {
		t.Run(name, func(t *testing.T) {
			w := writePage(t, page)
			for writer, text := range map[string]string{"text": w.text, "Markdown": w.markdown, "HTML": w.html} {
				if strings.ContainsAny(text, "\x1b\x07\r\u202e") {
					t.Errorf("%s lets control characters through: %q", writer, text)
				}
			}
			if i := strings.Index(w.html, "<script"); i >= 0 {
				t.Errorf("HTML lets a script through: %s", w.html[i:])
			}
			assertHarmlessMarkdown(t, w.markdown)
			var unwrapped strings.Builder // where there is no room, cells stand below each other
			if err := page.WriteText(&unwrapped, report.TextStyle{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wordsOf(stripHTML(w.html)), wordsOf(unwrapped.String())); diff != "" {
				t.Errorf("text and HTML differ:\n%s", diff)
			}
		})
	}
}

// assertHarmlessMarkdown asserts that nothing of [hostile] is markup, outside of
// code, where nothing is.
func assertHarmlessMarkdown(t *testing.T, markdown string) {
	t.Helper()
	for line := range strings.Lines(markdown) {
		if strings.Contains(line, "farmtrust ") {
			continue // a command, in code
		}
		unescaped := markdownEscape.ReplaceAllString(line, "")
		if strings.ContainsAny(unescaped, "<[~`_&") || strings.Contains(unescaped, "bold**") {
			t.Errorf("markup gets through: %s", line)
		}
	}
}

func TestMarkdown_NoTextBeginsABlock(t *testing.T) {
	for _, text := range []string{"# heading", "- item", "+ item", "* item", "1. item", "23) item", "> quote", "=== rule", "--- rule", "``` code", "~~~ code", "| table |"} {
		t.Run(text, func(t *testing.T) {
			s := endedStatus(verifiedReport())
			s.Report.Statement = text
			markdown := report.Run(s).Markdown()
			if strings.Contains(markdown, "\n"+text) {
				t.Errorf("not escaped:\n%s", markdown)
			}
			want := text + "\n"
			if got := unescapeMarkdown(markdown); !strings.Contains(got, want) {
				t.Errorf("does not say %q:\n%s", want, got)
			}
		})
	}
}

// largestStatus is of the largest farm that is supported, where everything
// fails and every text is long.
func largestStatus() farm.Status {
	s := farm.Status{Phase: farm.PhaseStaging, Report: farm.Report{Farm: "contoso", StartedAt: now}, Wait: &farm.Wait{For: farm.ForDecision, Text: "decide", Options: []farm.Option{{Choice: farm.Retry, Effect: "tries again"}}}}
	for i := range 120 {
		host := fmt.Sprintf("oos-%03d.a-long-name-of-a-department.contoso.com", i)
		s.Report.Servers = append(s.Report.Servers, farm.ServerReport{Host: host, Role: farm.OfficeRole, Steps: []farm.StepReport{{Step: farm.StepImport, State: farm.StateFailed, Detail: strings.Repeat("x|", 400)}}})
		s.Report.Findings = append(s.Report.Findings, farm.Finding{Severity: farm.Warn, Server: host, Text: strings.Repeat("y", 300)})
		s.Report.Differences = append(s.Report.Differences, farm.Difference{Step: farm.StepS2SName, Server: host, Text: strings.Repeat("z ", 300)})
		s.Report.Decisions = append(s.Report.Decisions, farm.RecordedDecision{Decision: farm.Decision{Choice: farm.Retry, Server: host, By: "ada", Reason: strings.Repeat("w ", 100)}})
		s.Wait.Blocked = append(s.Wait.Blocked, farm.Blocked{Server: host, Step: farm.StepImport, Text: strings.Repeat("\u00fc", 700), Then: "the rotation is rolled back", Skippable: true})
	}
	return s
}

func TestMarkdown_FitsWhatTemporalKeeps(t *testing.T) {
	blocked, approval, ended := largestStatus(), largestStatus(), largestStatus()
	approval.Wait = &farm.Wait{For: farm.ForApproval, Text: strings.Repeat("\U0001F600", 20_000), Digest: approvedDigest, Options: approvalWait(cutoverApproval()).Options}
	approval.Wait.Approval = &farm.Approval{What: "the cutover", Steps: approval.Report.Differences}
	for i, s := range approval.Report.Servers {
		approval.Wait.Approval.Restarts = append(approval.Wait.Approval.Restarts, farm.PlannedRestart{Server: s.Host, Order: i + 1, Services: "WACSM and IIS", Why: strings.Repeat("its settings change ", 20)})
	}
	ended.Wait, ended.Report.Outcome, ended.Report.Statement = nil, farm.Incomplete, strings.Repeat("not finished: ", 3_000)
	state := idleState()
	state.Suspended = strings.Repeat("because ", 10_000)
	for name, c := range map[string]struct {
		page report.Page
		want []string
	}{
		"blocked": {report.Run(blocked), []string{
			"**contoso**: staging, **an operator is needed**", "**waits for a decision**: decide", "oos-000", "`farmtrust retry contoso --reason WHY`", "more rows: `farmtrust status contoso`",
			"**decisions, by names that are not verified**", "**findings**", "**120 servers**", "| import certificate | 0 | 0 | 0 | 0 | 0 | **120** |", "**unfinished servers**",
		}},
		"approval": {report.Run(approval), []string{"`farmtrust approve contoso " + approvedDigest + " --reason WHY`", "**what is approved: the cutover**", "**changes that are approved**", "**restarts that are approved, in this order**", "**120 servers**"}},
		"ended":    {report.Run(ended), []string{"**120 differences left**", "**unfinished servers**"}},
		"farm":     {report.Farm(state, now), []string{"**contoso**: suspended", "`farmtrust resume contoso --reason WHY`", "- certificate: DB0FEA9B"}},
	} {
		t.Run(name, func(t *testing.T) {
			markdown := c.page.Markdown()
			if len(markdown) > 20_000 || !utf8.ValidString(markdown) {
				t.Errorf("%d bytes, valid UTF-8: %t", len(markdown), utf8.ValidString(markdown))
			}
			for _, part := range c.want {
				if !strings.Contains(markdown, part) {
					t.Errorf("does not say %q:\n%s", part, markdown)
				}
			}
		})
	}
}

func TestMarkdown_IsTheSameEachTime(t *testing.T) {
	first := allPages()
	for range 5 {
		for name, page := range allPages() {
			if diff := cmp.Diff(first[name].Markdown(), page.Markdown()); diff != "" {
				t.Fatalf("%s: %s", name, diff)
			}
		}
	}
}

func TestHTML_LoadsAndRunsNothing(t *testing.T) {
	for name, page := range allPages() {
		html := writePage(t, page).html
		for _, unwanted := range []string{"<script", "<link", "<img", "src=", "href=", "url(", "@import"} {
			if strings.Contains(html, unwanted) {
				t.Errorf("%s has %q", name, unwanted)
			}
		}
	}
}

func TestText_CommandsAreNeverWrapped(t *testing.T) {
	for name, page := range allPages() {
		var out strings.Builder
		if err := page.WriteText(&out, report.TextStyle{Width: 20}); err != nil {
			t.Fatal(err)
		}
		for _, block := range page.Blocks {
			for _, c := range block.Commands {
				if !strings.Contains(out.String(), "\n    "+c.Line(report.Program)+"\n") {
					t.Errorf("%s: %s is wrapped:\n%s", name, c.Line(report.Program), out.String())
				}
			}
		}
	}
}

// fieldsOf are the names of the fields of a JSON object, in order.
func fieldsOf(t *testing.T, v any) []string {
	t.Helper()
	var out strings.Builder
	if err := report.WriteJSON(&out, v); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("not one line: %s", out.String())
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out.String()), &object); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(object))
}

func TestAssessInspection(t *testing.T) {
	inOrder, stopped, unobserved := renewalInspection(), renewalInspection(), renewalInspection()
	inOrder.Plan = nil
	stopped.Findings = []farm.Finding{{Severity: farm.Stop}}
	unobserved.Servers[0].Problem, unobserved.Findings = "connection refused", stopped.Findings
	for want, n := range map[report.Assessment]farm.Inspection{
		report.Differs: renewalInspection(), report.InOrder: inOrder, report.Stopped: stopped, report.Unobserved: unobserved,
	} {
		t.Run(string(want), func(t *testing.T) {
			if got := report.AssessInspection(n); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Programs are not told either that a farm is trusted while something works on it.
func TestNewFarmState_NotTrusted(t *testing.T) {
	states := farmStates()
	for name, want := range map[string]farm.ReasonCode{
		"farm-idle": farm.CodeTrusted, "farm-retiring": farm.CodeTrusted,
		"farm-rotating": farm.CodeOutdated, "farm-rolling-back": farm.CodeOutdated, "farm-inspecting": farm.CodeOutdated, "farm-overdue": farm.CodeOutdated,
	} {
		s := states[name]
		s.Next.Code, s.Next.NeedsOperator = farm.CodeTrusted, false
		if got := report.NewFarmState(s, now); got.Next.Code != want || want == farm.CodeOutdated && strings.Contains(got.Next.Reason, "trusted") {
			t.Errorf("%s is next %+v, want %s", name, got.Next, want)
		}
		if page := report.Farm(s, now).Markdown(); strings.Contains(page, "trusted until") != (want == farm.CodeTrusted) {
			t.Errorf("%s: %s", name, page)
		}
	}
}
