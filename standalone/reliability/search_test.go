package reliability

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// hidden is a secret that must not be found anywhere.
type hidden struct {
	name  string
	bytes []byte
}

// needle is one form of a part of a secret.
type needle struct {
	secret, form string
	bytes        []byte
}

// place is where a secret could have been left.
type place struct {
	name    string
	content []byte
}

// window is how many bytes of a long secret are looked for at a time, so that
// a part is found too, and one that a page or a line divides.
const window = 24

// search finds secrets in places.
type search struct {
	// byStart are the needles by their first eight bytes; all have as many.
	byStart map[uint64][]needle
}

func newSearch(secrets ...hidden) search {
	s := search{byStart: map[uint64][]needle{}}
	for _, secret := range secrets {
		for part := range slices.Chunk(secret.bytes, window) {
			if len(part) < window && len(secret.bytes) > window {
				continue // The rest was in a window that was whole.
			}
			for _, n := range secretForms(secret.name, part) {
				start := binary.LittleEndian.Uint64(n.bytes)
				s.byStart[start] = append(s.byStart[start], n)
			}
		}
	}
	return s
}

// forms are the ways in which a secret can be written.
func secretForms(name string, secret []byte) []needle {
	texts := map[string][]byte{}
	for form, raw := range map[string][]byte{"UTF-8": secret, "UTF-16": toUTF16(secret)} {
		texts[form] = raw
		texts["hex of "+form] = []byte(hex.EncodeToString(raw))
		texts["HEX of "+form] = []byte(strings.ToUpper(hex.EncodeToString(raw)))
		for alignment := range 3 {
			text := inBase64(raw, alignment)
			texts[fmt.Sprintf("base64+%d of %s", alignment, form)] = text
			texts[fmt.Sprintf("URL base64+%d of %s", alignment, form)] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(string(text)))
		}
	}
	var all []needle
	for form, text := range texts {
		all = append(all, needle{name, form, text})
		if form != "UTF-8" && form != "UTF-16" {
			all = append(all, needle{name, form + " in UTF-16", toUTF16(text)})
		}
	}
	return all
}

// wide is UTF-16, little endian, of ASCII.
func toUTF16(text []byte) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, b := range text {
		out = append(out, b, 0)
	}
	return out
}

// inBase64 is what of a secret's base64 is the same whatever stands around it,
// when so many bytes more than a multiple of three stand before it.
func inBase64(secret []byte, before int) []byte {
	text := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
	first, last := (before*8+5)/6, (before+len(secret))*8/6
	return []byte(text[first:last])
}

// found is a secret that was left somewhere.
type found struct{ place, secret, form string }

// in looks through a place as it is and without its ends of lines, which divide
// what is long.
func (s search) in(p place) []found {
	all := s.findIn(p.name, p.content)
	joined := p.content
	for _, end := range []string{"\r", "\n", `\r`, `\n`} {
		joined = bytes.ReplaceAll(joined, []byte(end), nil)
	}
	if len(joined) < len(p.content) {
		all = append(all, s.findIn(p.name+", lines joined", joined)...)
	}
	return all
}

func (s search) findIn(name string, content []byte) []found {
	var all []found
	for i := 0; i+8 <= len(content); i++ {
		for _, n := range s.byStart[binary.LittleEndian.Uint64(content[i:])] {
			if bytes.HasPrefix(content[i:], n.bytes) {
				all = append(all, found{name, n.secret, n.form})
			}
		}
	}
	return all
}
