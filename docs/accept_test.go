package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestOperatingListsWhatCanBeAcceptedAndWhatNever(t *testing.T) {
	section, _, _ := strings.Cut(cutAfter(t, read(t, "operating.md"), "## Accepting a finding\n"), "\n## ")
	can, never, _ := strings.Cut(section, "What can never be accepted")
	for name, c := range map[string]struct {
		text string
		want []farm.CodeReason
	}{
		"what can be accepted": {can, farm.Acceptable()},
		"what never":           {never, farm.NeverAccepted()},
	} {
		t.Run(name, func(t *testing.T) {
			var want, got []string
			for _, code := range c.want {
				want = append(want, fmt.Sprintf("| `%s` | %s |", code.Code, code.Reason))
			}
			for line := range strings.Lines(c.text) {
				if strings.HasPrefix(line, "| `") {
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("operating.md (-want +got):\n%s", diff)
			}
		})
	}
}

// cutAfter returns what follows a line, which must be there.
func cutAfter(t *testing.T, text, line string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, line)
	if !ok {
		t.Fatalf("there is no line %q", line)
	}
	return after
}
