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

// namedSecret is a secret that must not be found anywhere.
type namedSecret struct {
	name  string
	bytes []byte
}

// needle is a part of a secret in one encoding.
type needle struct {
	secret, form string
	bytes        []byte
}

// place is something that could contain a secret.
type place struct {
	name    string
	content []byte
}

// window is the length in bytes of the parts that a long secret is split into, so
// that the search also finds a part of it, or one split across pages or lines.
const window = 24

// search finds secrets in places.
type search struct {
	// byStart has the needles by their first eight bytes; none is shorter.
	byStart map[uint64][]needle
}

func newSearch(secrets ...namedSecret) search {
	s := search{byStart: map[uint64][]needle{}}
	for _, secret := range secrets {
		for part := range slices.Chunk(secret.bytes, window) {
			if len(part) < window && len(secret.bytes) > window {
				continue // too short to be told apart from chance; the other parts remain
			}
			for _, n := range secretForms(secret.name, part) {
				start := binary.LittleEndian.Uint64(n.bytes)
				s.byStart[start] = append(s.byStart[start], n)
			}
		}
	}
	return s
}

// secretForms returns a secret in every supported encoding.
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

// toUTF16 returns each byte as a little-endian UTF-16 code unit.
func toUTF16(text []byte) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, b := range text {
		out = append(out, b, 0)
	}
	return out
}

// inBase64 returns the part of a secret's base64 encoding that does not depend on
// the surrounding bytes. The number of bytes before the secret is given modulo 3.
func inBase64(secret []byte, before int) []byte {
	text := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
	first, last := (before*8+5)/6, (before+len(secret))*8/6
	return []byte(text[first:last])
}

// leak is a secret that was found somewhere.
type leak struct{ place, secret, form string }

// searchPlace searches a place as it is, and once more without its line breaks,
// which can split a long secret.
func (s search) searchPlace(p place) []leak {
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

func (s search) findIn(name string, content []byte) []leak {
	var all []leak
	for i := 0; i+8 <= len(content); i++ {
		for _, n := range s.byStart[binary.LittleEndian.Uint64(content[i:])] {
			if bytes.HasPrefix(content[i:], n.bytes) {
				all = append(all, leak{name, n.secret, n.form})
			}
		}
	}
	return all
}
