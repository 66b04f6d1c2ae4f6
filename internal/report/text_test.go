package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func cells(texts ...string) []report.Cell {
	row := make([]report.Cell, len(texts))
	for i, text := range texts {
		row[i].Text = text
	}
	return row
}

// testPage has something that presses, and a table with a thumbprint.
func testPage() report.Page {
	return report.Page{
		Title: "contoso", State: "verified", Good: true,
		Blocks: []report.Block{
			{Title: "to decide", Pressing: true, Commands: []report.Command{{Effect: "begin the cutover", Args: []string{"approve", "contoso", "1a2b3c4d5e6f", "--reason", "WHY"}}}},
			{Title: "certificates", Table: report.Table{
				Header: []string{"server", "certificate", "detail"},
				Groups: []report.Group{{Rows: [][]report.Cell{cells("oos-01.contoso.com", "4418E02C1B63B63AB5BA803474449267AD88C040", "it is in use since the last rotation")}}},
			}},
		},
	}
}

func TestPage_WriteText(t *testing.T) {
	for name, c := range map[string]struct {
		style report.TextStyle
		want  string
	}{
		"without a width lines are as long as they are": {
			report.TextStyle{},
			`contoso: verified

to decide
  to begin the cutover:
    farmtrust approve contoso 1a2b3c4d5e6f --reason WHY

certificates
  SERVER              CERTIFICATE                               DETAIL
  oos-01.contoso.com  4418E02C1B63B63AB5BA803474449267AD88C040  it is in use since the last rotation
`,
		},
		"without room for the columns they stand below each other": {
			report.TextStyle{Width: 59},
			`contoso: verified

to decide
  to begin the cutover:
    farmtrust approve contoso 1a2b3c4d5e6f --reason WHY

certificates
  server       oos-01.contoso.com
    certificate  4418E02C1B63B63AB5BA803474449267AD88C040
    detail       it is in use since the last rotation
`,
		},
		"what presses comes last on a terminal": {
			report.TextStyle{Width: 80, PressingLast: true, Good: func(s string) string { return "<" + s + ">" }},
			`certificates
  SERVER              CERTIFICATE                               DETAIL
  oos-01.contoso.com  4418E02C1B63B63AB5BA803474449267AD88C040
      it is in use since the last rotation

contoso: <verified>

to decide
  to begin the cutover:
    farmtrust approve contoso 1a2b3c4d5e6f --reason WHY
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := testPage().WriteText(&out, c.style); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPage_WriteText_HeadlineIsFirstWhereNothingPresses(t *testing.T) {
	var out strings.Builder
	page := report.Page{Title: "contoso", State: "idle", Blocks: []report.Block{{Text: "all is well"}}}
	if err := page.WriteText(&out, report.TextStyle{PressingLast: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("contoso: idle\n\n  all is well\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPage_WriteText_HeadlineIsWrapped(t *testing.T) {
	var out strings.Builder
	page := report.Page{Title: "contoso", State: "nothing to do, configured as desired", NeedsOperator: true, Blocks: []report.Block{{Title: "what was observed on each of the servers", Text: "all"}}}
	style := report.TextStyle{Width: 30, Alert: func(s string) string { return "<" + s + ">" }}
	if err := page.WriteText(&out, style); err != nil {
		t.Fatal(err)
	}
	want := "contoso: nothing to do,\nconfigured as desired,\n<an operator is needed>\n\nwhat was observed on each of\nthe servers\n  all\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestBriefRun fits a screen: of a farm of seven servers where all but one step are
// done, the servers take a few lines.
func TestBriefRun(t *testing.T) {
	s := farm.Status{Phase: farm.PhaseStaging, Report: farm.Report{Farm: "contoso", StartedAt: now}}
	for _, host := range []string{"oos-01", "oos-02", "oos-03", "oos-04", "sp-01", "sp-02", "sp-03"} {
		s.Report.Servers = append(s.Report.Servers, farm.ServerReport{Host: host, Role: farm.OfficeRole, Steps: []farm.StepReport{
			{Step: farm.StepObserve, State: farm.StateObserved}, {Step: farm.StepImport, State: farm.StateChanged}, {Step: farm.StepGrant, State: farm.StateChanged},
		}})
	}
	s.Report.Servers[2].Steps[2] = farm.StepReport{Step: farm.StepGrant, State: farm.StateRunning, Attempts: 3, LastError: "access denied"}
	var brief, full strings.Builder
	for out, page := range map[*strings.Builder]report.Page{&brief: report.BriefRun(s, now), &full: report.Run(s)} {
		if err := page.WriteText(out, report.TextStyle{Width: 80}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"13 changed, 7 observed, 1 running", "oos-03", "access denied"} {
		if !strings.Contains(brief.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &brief)
		}
	}
	if strings.Contains(brief.String(), "oos-04") || !strings.Contains(full.String(), "oos-04") {
		t.Errorf("a server that is done is shown: %s", &brief)
	}
}
