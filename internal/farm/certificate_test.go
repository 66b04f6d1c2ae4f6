package farm_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestParseThumbprint(t *testing.T) {
	want := testThumbprint("x")
	for _, c := range []struct{ name, text string }{
		{"as Windows shows it", string(want)},
		{"in lower case", strings.ToLower(string(want))},
		{"with an invisible mark, a space and a colon", "\u200e" + strings.ToLower(string(want[:2])) + " " + string(want[2:10]) + ":" + string(want[10:])},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := farm.ParseThumbprint(c.text); err != nil || got != want {
				t.Errorf("ParseThumbprint(%q) = %q, %v; want %q", c.text, got, err, want)
			}
		})
	}
	for _, c := range []struct{ name, text string }{
		{"empty", ""},
		{"not hexadecimal", "xyz"},
		{"too long", string(want) + "00"},
		{"too short", string(want[:39])},
	} {
		t.Run("refused when "+c.name, func(t *testing.T) {
			if got, err := farm.ParseThumbprint(c.text); err == nil {
				t.Errorf("ParseThumbprint(%q) = %q, want an error", c.text, got)
			}
		})
	}
}

func FuzzParseThumbprint(f *testing.F) {
	f.Add("\u200e3f 2a 91 bc")
	f.Add(string(testThumbprint("x")))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := farm.ParseThumbprint(s)
		if err == nil && len(got) != 40 {
			t.Errorf("ParseThumbprint(%q) = %q", s, got)
		}
	})
}
