package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func formatMilliseconds(n int64) string {
	return farm.FormatDuration(time.Duration(n) * time.Millisecond)
}

// formatMoment is a moment of a run to the second, with the date where that is not the
// day on which the run began.
func formatMoment(t, began time.Time) string {
	switch t, began = t.UTC(), began.UTC(); {
	case t.IsZero():
		return "-"
	case t.Format(time.DateOnly) == began.Format(time.DateOnly):
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// formatUntil is " until" a time, or nothing where there is none.
func formatUntil(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + farm.FormatTime(t)
}

// formatDaysLeft is how long until a certificate expires, in whole days.
func formatDaysLeft(notAfter, now time.Time) string {
	if notAfter.IsZero() {
		return "expiry unknown"
	}
	days := daysLeft(notAfter, now)
	switch {
	case !notAfter.After(now):
		return fmt.Sprintf("EXPIRED %s ago", countThings(-days-1, "day"))
	case days == 0:
		return "expires within a day"
	default:
		return countThings(days, "day") + " left"
	}
}

func countThings(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// formatCertificate names a certificate.
func formatCertificate(t farm.Thumbprint, friendlyName string) string {
	if friendlyName == "" {
		return string(t)
	}
	return fmt.Sprintf("%s %q", t, friendlyName)
}

// describeCertificate names a certificate, and says when it expires, with the days left
// from now.
func describeCertificate(t farm.Thumbprint, friendlyName string, notAfter, now time.Time) string {
	text := formatCertificate(t, friendlyName)
	if notAfter.IsZero() {
		return text
	}
	return text + ", until " + farm.FormatTime(notAfter) + ", " + formatDaysLeft(notAfter, now)
}

// orDash stands in for what is not known.
func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}

// joinNonEmpty joins what is there.
func joinNonEmpty(separator string, texts ...string) string {
	var present []string
	for _, text := range texts {
		if text != "" {
			present = append(present, text)
		}
	}
	return strings.Join(present, separator)
}

// CleanText puts a text on one line and replaces what could control a terminal
// or reorder what is read.
func CleanText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == utf8.RuneError:
			return '?'
		default:
			return r
		}
	}, s)
}
