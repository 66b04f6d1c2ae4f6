package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		size screen
		want []string
	}{
		"elsewhere than on a terminal": {strings.Repeat("word ", 40), screen{}, []string{strings.Repeat("word ", 40)}},
		"what fits":                    {"contoso: accepted", screen{60, 24}, []string{"contoso: accepted"}},
		"a command has a line": {
			"farmtrust: stopped watching; rotate/contoso continues: TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust status contoso --watch",
			screen{60, 24},
			[]string{"farmtrust: stopped watching; rotate/contoso continues:", "  TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust status contoso --watch"},
		},
		"what is said of a program is no command": {
			"the worker is not told about the farm; farmtrust reads its configuration when it starts",
			screen{60, 24},
			[]string{"the worker is not told about the farm; farmtrust reads its", "configuration when it starts"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Messages{"farmtrust"}.wrap(c.line, c.size)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMessages_SteerNoTerminal(t *testing.T) {
	var out strings.Builder
	if err := (Messages{"farmtrust"}).Write(&out, "oos-01 said: \x1b]0;owned\x07\x1b[2Jgone\nsecond line\u202e\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "oos-01 said: ?]0;owned??[2Jgone\nsecond line?\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
