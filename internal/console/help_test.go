package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testHelp = `Shows how long a farm is trusted, and its last and
its next inspection.

Examples:
  farmtrust rotate contoso --compromised --reason "key was copied"

Flags:
      --all     show each step on each server
  -config file
    TABthe configuration of all farms and how to reach them
`

func TestWrapHelp(t *testing.T) {
	for name, c := range map[string]struct {
		width int
		want  string
	}{
		"what fits is left": {80, `Shows how long a farm is trusted, and its last and
its next inspection.

Examples:
  farmtrust rotate contoso --compromised --reason "key was copied"

Flags:
      --all     show each step on each server
  -config file
        the configuration of all farms and how to reach them
`},
		"what does not is wrapped, but for what is pasted": {40, `Shows how long a farm is trusted, and
its last and its next inspection.

Examples:
  farmtrust rotate contoso --compromised --reason "key was copied"

Flags:
      --all     show each step on each
                server
  -config file
        the configuration of all farms
        and how to reach them
`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wrapHelp(strings.ReplaceAll(testHelp, "TAB", "\t"), c.width)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
