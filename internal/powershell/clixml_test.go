package powershell

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzDiagnostics(f *testing.F) {
	f.Add([]byte("#< CLIXML\r\n<Objs><S S=\"Error\">a_x000D__x000A_b_xD83D_</S></Objs>"))
	f.Add([]byte("#< CLIXML#< CLIXML<Objs>"))
	f.Add([]byte("plain \xff text"))
	f.Fuzz(func(t *testing.T, stderr []byte) {
		got := readDiagnostics(stderr)
		if n := utf8.RuneCountInString(got); n > maxDiagnostics+len(" ...") || !utf8.ValidString(got) {
			t.Errorf("%d characters, valid UTF-8 %t", n, utf8.ValidString(got))
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("not printable at %d: %q", i, got)
		}
	})
}
