package main

import (
	"strconv"
	"strings"
	"time"
)

// untilForms are what --until understands, for help and errors.
const untilForms = `18h, 2d, "2026-12-05 22:00" (UTC) or 2026-12-05T22:00:00+01:00`

// parseUntil reads a time to come: a length from now, in hours or days; a date and a
// time of day in UTC; or a moment with its offset, as RFC 3339 has it.
func parseUntil(text string, now time.Time) (time.Time, error) {
	until, err := parseMoment(strings.TrimSpace(text), now)
	switch {
	case err != nil:
		return until, usageErrorf("--until %q is not a time: write %s", text, untilForms)
	case !until.After(now):
		return until, usageErrorf("--until %q is over: it is %s now", text, now.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return until.UTC(), nil
}

func parseMoment(text string, now time.Time) (time.Time, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		n, err := strconv.Atoi(days)
		return now.AddDate(0, 0, n), err
	}
	if length, err := time.ParseDuration(text); err == nil {
		return now.Add(length), nil
	}
	if at, err := time.Parse("2006-01-02 15:04", strings.TrimSuffix(text, " UTC")); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, text)
}
