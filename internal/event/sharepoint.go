package event

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// subjectInText is the subject in the English text of event 8311.
var subjectInText = regexp.MustCompile(`Subject Name:\s*([^\r\n]+)`)

// notTimeValid is how .NET names, in any language, that a certificate is outside its
// validity period.
//
// Source: Microsoft, "X509ChainStatusFlags Enum".
const notTimeValid = "NotTimeValid"

// readNotAccepted reads event 8311 of SharePoint: a certificate has validation errors.
// Only that it is outside its validity period is about expiry. The event has no field
// for the thumbprint, so it is the one that the texts have.
//
// Source: Microsoft, "Event ID 8311, certificate validation errors"; OfficeDocs-SharePoint,
// issue 1383, on NotTimeValid. Which strings the event has besides its message is not
// published.
func (w windowsEvent) readNotAccepted(e *Expiry) error {
	// Older versions write line breaks as two characters.
	text := strings.ReplaceAll(strings.Join(w.texts, "\n"), `\n`, "\n")
	if !strings.Contains(text, notTimeValid) {
		return &Error{
			Place: w.place, Text: "SharePoint does not accept a certificate, but not because it has expired (no NotTimeValid)",
			Remedy: "read event 8311 on " + w.computer, Err: ErrUnknownType,
		}
	}
	thumbprints := findThumbprints(text)
	if len(thumbprints) != 1 {
		return &Error{
			Place: w.place, Text: fmt.Sprintf("event 8311 has %d thumbprints in its texts, so that it is open which certificate it is about", len(thumbprints)),
			Remedy: "send the message of the event as Windows renders it, or its XML", Err: ErrIncomplete,
		}
	}
	e.Thumbprint = thumbprints[0]
	e.Kind = Expired
	if match := subjectInText.FindStringSubmatch(text); match != nil {
		e.setSubject(strings.TrimSpace(match[1]))
	}
	if len(e.Names) > 0 {
		e.Certificate = e.Names[0]
	}
	return nil
}

// findThumbprints returns the words of a text that are SHA-1 thumbprints, each once.
func findThumbprints(text string) []farm.Thumbprint {
	var found []farm.Thumbprint
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, word := range words {
		if t, err := farm.ParseThumbprint(word); err == nil && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	return found
}
