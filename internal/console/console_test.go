package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/report"
)

func TestWritePage(t *testing.T) {
	page := report.Page{Title: "contoso", State: "suspended", NeedsOperator: true}
	page.Blocks = []report.Block{{Facts: []report.Fact{{Name: "inspected", Value: report.Cell{Text: strings.Repeat("word ", 30), Alert: true}}}}}
	for name, c := range map[string]struct {
		size       screen
		color      Color
		env        string
		wantWidth  int
		wantColour bool
	}{
		"no terminal":                  {screen{}, ColorAuto, "", 162, false},
		"no terminal, always coloured": {screen{}, ColorAlways, "", 162, true},
		"terminal":                     {screen{60, 24}, ColorAuto, "", 57, true},
		"terminal that is very narrow": {screen{5, 24}, ColorAuto, "", 30, true},
		"terminal with NO_COLOR":       {screen{120, 24}, ColorAuto, "1", 117, false},
		"NO_COLOR, but always":         {screen{120, 24}, ColorAlways, "1", 117, true},
		"never":                        {screen{120, 24}, ColorNever, "", 117, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.env)
			var out strings.Builder
			behind := terminal{paints: c.size.isTerminal()}
			if err := page.WriteText(&out, textStyle(c.size, c.color.isOn(behind))); err != nil {
				t.Fatal(err)
			}
			plain := strings.NewReplacer("\x1b[1;31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(out.String())
			width := 0
			for line := range strings.Lines(plain) {
				if width = max(width, len(strings.TrimSuffix(line, "\n"))); strings.Contains(line, "\x1b") {
					t.Errorf("unknown sequence: %q", line)
				}
			}
			if diff := cmp.Diff([]any{c.wantWidth, c.wantColour}, []any{width, plain != out.String()}); diff != "" {
				t.Errorf("width and colour: %s\n%s", diff, out.String())
			}
		})
	}
}

func TestWritePage_ToAFileIsPlain(t *testing.T) {
	var out strings.Builder
	if err := WritePage(&out, report.Page{Title: "contoso", State: "idle", NeedsOperator: true}, ColorAuto); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("contoso: idle, an operator is needed\n", out.String()); diff != "" {
		t.Error(diff)
	}
}
