package wsman

import (
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// codePage is how a shell writes text. Windows' default for a US system is 437
// [MS-WSMV, WINRS_CODEPAGE]; most clients ask for 65001, UTF-8.
type codePage int

const utf8Page codePage = 65001

// codePageOf reads the option; what is no number is the default (assumed).
func codePageOf(option string) codePage {
	if n, err := strconv.Atoi(option); err == nil {
		return codePage(n)
	}
	return 437
}

// table is nil for pages that are unknown here; they get ASCII only.
func (p codePage) table() *charmap.Charmap {
	switch p {
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 1252:
		return charmap.Windows1252
	}
	return nil
}

// encodeText translates UTF-8; what the page does not have becomes a question mark
// (Windows' default character; its best-fit characters are left out).
func (p codePage) encodeText(text []byte) []byte {
	if p == utf8Page {
		return text
	}
	table := p.table()
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		c, ok := byte(r), r < utf8.RuneSelf
		if !ok && table != nil {
			c, ok = table.EncodeRune(r)
		}
		if !ok {
			c = '?'
		}
		out = append(out, c)
	}
	return out
}
