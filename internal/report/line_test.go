package report_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/report"
)

func TestMarkdownLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"the retention of 5E21 has ended", "the retention of 5E21 has ended"},
		{"event b\n\n# APPROVE NOW\n[open](https://evil.example/x)", `event b  # APPROVE NOW \[open\](https://evil.example/x)`},
		{"# heading", `\# heading`},
		{"\x1b]0;owned\x07<img src=x>", `?\]0;owned?\<img src=x\>`},
	} {
		if got := report.MarkdownLine(c.text, 400); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for n := range 20 {
		got := report.MarkdownLine(strings.Repeat("x", n)+strings.Repeat("[", 100), 50)
		rest := strings.TrimSuffix(got, "...")
		if len(got) > 50 || strings.Count(rest, `\`) != strings.Count(rest, "[") {
			t.Errorf("got %q, which escapes its own end or is too long", got)
		}
	}
}
