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

// maxDiagnostics bounds what of a server's own words goes into an error, in characters.
const maxDiagnostics = 600

// cliXMLMark begins standard error where PowerShell serializes its streams.
const cliXMLMark = "#< CLIXML"

// diagnostics returns the errors on a command's standard error, on one
// bounded line. PowerShell writes CLIXML there, with progress records and
// warnings beside errors, or plain text.
func diagnostics(stderr []byte) string {
	if bytes.Contains(stderr, []byte(cliXMLMark)) {
		return printable(cliXMLErrors(stderr), maxDiagnostics)
	}
	return printable(string(bytes.ToValidUTF8(stderr, []byte("?"))), maxDiagnostics)
}

// cliXMLErrors joins the error items of all CLIXML documents in stderr. What
// cannot be parsed is left out: it is only diagnostics.
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
				return run // Not reached: the expression admits only digits.
			}
			units = append(units, uint16(unit))
		}
		return string(utf16.Decode(units))
	})
}

// printable puts s on one line of at most limit characters, without control
// characters: a server's words must not steer a terminal or fake a log line.
func printable(s string, limit int) string {
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
