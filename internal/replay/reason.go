package replay

import (
	"strings"
	"unicode/utf8"
)

// maxReason is the length of a reason in bytes.
const maxReason = 500

// oneLine returns an error's text as one line.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > maxReason {
		end := maxReason
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	return text
}
