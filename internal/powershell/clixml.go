package powershell

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxDiagnostics bounds how much of a server's own error text an error quotes,
// in characters.
const maxDiagnostics = 600

// cliXMLMark begins standard error when PowerShell serializes its streams.
const cliXMLMark = "#< CLIXML"

// readDiagnostics returns the errors on a command's standard error as one bounded
// line. PowerShell writes CLIXML there, with progress records and
// warnings beside errors, or plain text.
func readDiagnostics(stderr []byte) string {
	if bytes.Contains(stderr, []byte(cliXMLMark)) {
		return printableLine(cliXMLErrors(stderr), maxDiagnostics)
	}
	return printableLine(string(bytes.ToValidUTF8(stderr, []byte("?"))), maxDiagnostics)
}

// cliXMLErrors joins the error items of all CLIXML documents in stderr. It
// leaves out what cannot be parsed, since this is diagnostics only.
func cliXMLErrors(stderr []byte) string {
	var b strings.Builder
	for _, document := range bytes.Split(stderr, []byte(cliXMLMark))[1:] {
		var objects struct {
			Items []struct {
				Stream string `xml:"S,attr"`
				Text   string `xml:",chardata"`
			} `xml:"S"`
		}
		if err := xml.Unmarshal(document, &objects); err != nil {
			continue // Cut off, or not CLIXML after all.
		}
		for _, item := range objects.Items {
			if item.Stream == "Error" {
				b.WriteString(unescapeCLIXML(item.Text))
			}
		}
	}
	return b.String()
}

var escapedUnits = regexp.MustCompile(`(?:_x[0-9A-Fa-f]{4}_)+`)

// unescapeCLIXML turns runs of _xHHHH_ back into the UTF-16 units they stand
// for. Source: MS-PSRP, 2.2.5.3.2, encoding strings.
func unescapeCLIXML(s string) string {
	return escapedUnits.ReplaceAllStringFunc(s, func(run string) string {
		var units []uint16
		for i := 0; i < len(run); i += len("_xHHHH_") {
			unit, err := strconv.ParseUint(run[i+2:i+6], 16, 16)
			if err != nil {
				return run // Unreachable: the expression admits only hexadecimal digits.
			}
			units = append(units, uint16(unit))
		}
		return string(utf16.Decode(units))
	})
}

// printableLine puts s on one line of at most limit characters and removes
// control characters, so that a server cannot control a terminal or forge a log
// line.
func printableLine(s string, limit int) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			blank = n > 0
			continue
		}
		if n >= limit {
			b.WriteString("...")
			break
		}
		if blank {
			b.WriteByte(' ')
			n, blank = n+1, false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
