package farm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is a weekly maintenance window in which a cutover may begin: on some days
// of the week, from one wall-clock time to another, in a time zone. A window that
// ends before it begins ends on the next day. The zero Window is always open.
type Window struct {
	// Days are the days it begins on.
	Days []time.Weekday `json:"days,omitempty"`
	// From and To are wall-clock times, as durations since midnight.
	From time.Duration `json:"from,omitempty"`
	To   time.Duration `json:"to,omitempty"`
	// Zone is an IANA name, such as "Europe/Zurich".
	Zone string `json:"zone,omitempty"`
}

// IsZero reports whether there is no window.
func (w Window) IsZero() bool { return len(w.Days) == 0 }

// Length returns the window's length in wall-clock time. An opening during which
// the clocks change is shorter or longer.
func (w Window) Length() time.Duration {
	if w.To < w.From {
		return w.To + 24*time.Hour - w.From
	}
	return w.To - w.From
}

// ParseWindow reads a window such as "Sat 22:00-04:00 Europe/Zurich". Days are a
// name, a list ("Sat,Sun"), a range ("Mon-Fri") or "daily". An error names the
// part that is wrong.
func ParseWindow(s string) (Window, error) {
	fields := strings.Fields(s)
	if len(fields) != 3 {
		return Window{}, fmt.Errorf("window %q is not of the form \"Sat 22:00-04:00 Europe/Zurich\"", s)
	}
	var w Window
	var err error
	if w.Days, err = parseDays(fields[0]); err != nil {
		return Window{}, fmt.Errorf("window %q: %w", s, err)
	}
	from, to, ok := strings.Cut(fields[1], "-")
	if !ok {
		return Window{}, fmt.Errorf("window %q: hours %q are not of the form 22:00-04:00", s, fields[1])
	}
	if w.From, err = parseClock(from); err != nil {
		return Window{}, fmt.Errorf("window %q: %w", s, err)
	}
	if w.To, err = parseClock(to); err != nil {
		return Window{}, fmt.Errorf("window %q: %w", s, err)
	}
	if w.From == w.To {
		return Window{}, fmt.Errorf("window %q is empty", s)
	}
	if _, err := time.LoadLocation(fields[2]); err != nil || fields[2] == "Local" {
		return Window{}, fmt.Errorf("window %q: time zone %q is not an IANA name such as Europe/Zurich", s, fields[2])
	}
	w.Zone = fields[2]
	return w, nil
}

func parseDays(s string) ([]time.Weekday, error) {
	if s == "daily" {
		s = "Sun-Sat"
	}
	var days []time.Weekday
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from, err := parseDay(first)
		if err != nil {
			return nil, err
		}
		to := from
		if ranged {
			if to, err = parseDay(last); err != nil {
				return nil, err
			}
		}
		for d := from; ; d = (d + 1) % 7 {
			days = append(days, d)
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func parseDay(s string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()) || strings.EqualFold(s, d.String()[:3]) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week", s)
}

func parseClock(s string) (time.Duration, error) {
	if s == "24:00" {
		return 0, fmt.Errorf("the end of a day is written 00:00, not %s", s)
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of the form 22:00", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Opening is one opening of a window.
type Opening struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Next returns the opening that contains now if at least need is left of it, and
// otherwise the next opening that is long enough; false when none is. It reads the
// time zone database, so it is for activities and not for workflows.
func (w Window) Next(now time.Time, need time.Duration) (Opening, bool) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return Opening{}, false
	}
	local := now.In(zone)
	// Start with yesterday, whose window may last into today, and try two weeks,
	// so that an opening which a change of clocks makes too short can be skipped.
	for day := -1; day <= 14; day++ {
		// Count by date: if clocks jump forward at midnight, the present time of
		// day may not exist on that date.
		y, m, d := local.Date()
		d += day
		noon := time.Date(y, m, d, 12, 0, 0, 0, zone)
		if !w.opensOn(noon.Weekday()) {
			continue
		}
		o := Opening{From: wallClockTime(y, m, d, w.From, zone), To: wallClockTime(y, m, d, w.To, zone)}
		if w.To < w.From {
			o.To = wallClockTime(y, m, d+1, w.To, zone)
		}
		start := o.From
		if now.After(start) {
			start = now
		}
		if !start.Add(need).After(o.To) && start.Before(o.To) {
			return o, true
		}
	}
	return Opening{}, false
}

// Local returns a moment on the clocks of the window's zone, such as "Sat 2026-12-05
// 22:00 Europe/Zurich". It reads the time zone database, as [Window.Next] does.
func (w Window) Local(t time.Time) string {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return ""
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04 ") + w.Zone
}

func (w Window) opensOn(day time.Weekday) bool {
	return slices.Contains(w.Days, day)
}

// wallClockTime returns the moment at which the clocks of a zone show a time. If
// they skip it, that is the moment at which they would have shown it without the
// change; if they show it twice, the first of the two. time.Date promises neither.
func wallClockTime(y int, m time.Month, d int, clock time.Duration, zone *time.Location) time.Time {
	shown := time.Date(y, m, d, int(clock/time.Hour), int(clock%time.Hour/time.Minute), 0, 0, time.UTC)
	withOffsetAt := func(other time.Time) time.Time {
		_, offset := other.In(zone).Zone()
		return shown.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	shows := func(t time.Time) bool { return t.Hour() == shown.Hour() && t.Minute() == shown.Minute() }
	const day = 24 * time.Hour
	before, after := withOffsetAt(shown.Add(-day)), withOffsetAt(shown.Add(day))
	if shows(after) && !shows(before) {
		return after
	}
	return before
}

// String returns the form that [ParseWindow] reads, or "any time" for the zero
// Window.
func (w Window) String() string {
	if w.IsZero() {
		return "any time"
	}
	show := func(t time.Duration) string { return fmt.Sprintf("%02d:%02d", int(t.Hours()), int(t.Minutes())%60) }
	return fmt.Sprintf("%s %s-%s %s", w.days(), show(w.From), show(w.To), w.Zone)
}

// days returns the days as [ParseWindow] reads them: "daily", a range that follows the
// week, or a list.
func (w Window) days() string {
	if len(w.Days) == 7 {
		return "daily"
	}
	short := make([]string, len(w.Days))
	consecutive := true
	for i, d := range w.Days {
		short[i] = d.String()[:3]
		consecutive = consecutive && d == (w.Days[0]+time.Weekday(i))%7
	}
	if consecutive && len(short) > 2 {
		return short[0] + "-" + short[len(short)-1]
	}
	return strings.Join(short, ",")
}
