package farm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestParseFingerprint(t *testing.T) {
	sha1, sha256 := strings.Repeat("AB", 20), strings.Repeat("0F", 32)
	for in, want := range map[string]string{
		sha1: sha1, strings.ToLower(sha256): sha256,
		"\u200e" + strings.Repeat("ab ", 20):                      sha1,
		strings.TrimSuffix(strings.Repeat("0f:", 32), ":") + "\n": sha256,
	} {
		if got, err := farm.ParseFingerprint(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "AB", sha1 + "AB", "G" + sha1[1:], strings.Repeat("AB", 16)} {
		if got, err := farm.ParseFingerprint(in); err == nil {
			t.Errorf("%q is accepted as %q", in, got)
		}
	}
}

func TestParseSerial(t *testing.T) {
	for in, want := range map[string][]string{
		"1A2B3C":                      {"1A2B3C"},
		"0x1a2b3c":                    {"1A2B3C"},
		"00:1a:2b:3c":                 {"1A2B3C"},
		"00 10":                       {"10"},
		"0x10":                        {"10"},
		"10":                          {"10", "A"},
		"0010":                        {"10", "A"},
		"7":                           {"7"},
		"0":                           {"0"},
		"291389234298374928374982374": {"291389234298374928374982374", "F108120B130A6AED3466E6"},
		" 1A2B3C\u200e":               {"1A2B3C"},
	} {
		got, err := farm.ParseSerial(in)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", in, err, diff)
		}
	}
	for _, in := range []string{"", "0x", "0x0x1", "+1", "1_000", "serial", strings.Repeat("1", 65)} {
		if got, err := farm.ParseSerial(in); err == nil {
			t.Errorf("%q is accepted as %q", in, got)
		}
	}
}

func FuzzParseSerial(f *testing.F) {
	for _, in := range []string{"0x1a", "12", "0:1", "-1", "\u200e7"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := farm.ParseSerial(in)
		if err != nil {
			return
		}
		for _, one := range got {
			if again, err := farm.ParseSerial("0x" + one); err != nil || !cmp.Equal(again, []string{one}) {
				t.Errorf("%q: %q becomes %q, %v", in, one, again, err)
			}
		}
	})
}
