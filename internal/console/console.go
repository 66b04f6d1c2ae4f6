// Package console shows plan, status, check and report to people as text, and
// to programs as JSON.
//
// It asks nobody for anything: what it shows, it is given. Its own words and
// lines are ASCII and mean the same without colour, so that they can be read
// on any Windows console and in any log.
package console

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// JSON writes v as one JSON object on one line.
func JSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// daysLeft says how long until a certificate ends, in whole days.
func daysLeft(notAfter, now time.Time) string {
	if notAfter.IsZero() {
		return "end unknown"
	}
	days := int(math.Floor(notAfter.Sub(now).Hours() / 24))
	switch {
	case !notAfter.After(now):
		return fmt.Sprintf("EXPIRED %s ago", count(-days-1, "day"))
	case days == 0:
		return "ends within a day"
	default:
		return count(days, "day") + " left"
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// certificate describes one: thumbprint, friendly name and end.
func certificate(t farm.Thumbprint, friendlyName string, notAfter time.Time) string {
	text := string(t)
	if friendlyName != "" {
		text += fmt.Sprintf(" %q", friendlyName)
	}
	if !notAfter.IsZero() {
		text += ", until " + notAfter.UTC().Format(time.DateOnly)
	}
	return text
}
