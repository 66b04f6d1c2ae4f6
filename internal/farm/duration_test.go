package farm_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0.0s":    0,
		"0.4s":    412 * time.Millisecond,
		"9.9s":    9940 * time.Millisecond,
		"10s":     9960 * time.Millisecond,
		"59s":     59400 * time.Millisecond,
		"1m":      59600 * time.Millisecond,
		"3m42s":   222100 * time.Millisecond,
		"31m":     31 * time.Minute,
		"1h":      59*time.Minute + 59700*time.Millisecond,
		"2h05m":   2*time.Hour + 5*time.Minute + 4*time.Second,
		"1d":      24 * time.Hour,
		"2d04h":   52*time.Hour + 12*time.Minute,
		"14d":     14 * 24 * time.Hour,
		"365d01h": 365*24*time.Hour + 50*time.Minute,
	} {
		if got := farm.FormatDuration(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}
