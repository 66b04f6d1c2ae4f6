package farm_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name zones; not every machine has the database

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestWindow_Next(t *testing.T) {
	const (
		zurichWeekend = "Sat 22:00-04:00 Europe/Zurich"
		zurichSunday  = "Sun 02:30-05:00 Europe/Zurich"
	)
	for _, c := range []struct {
		name, window, now string
		need              time.Duration
		from, to          string
	}{
		{"on its next day", zurichWeekend, "2026-11-23T08:00:00Z", 0, "2026-11-28T21:00:00Z", "2026-11-29T03:00:00Z"},
		{"now, while it is open", zurichWeekend, "2026-11-29T01:00:00Z", time.Hour, "2026-11-28T21:00:00Z", "2026-11-29T03:00:00Z"},
		{"now, while just enough is left", zurichWeekend, "2026-11-29T02:00:00Z", time.Hour, "2026-11-28T21:00:00Z", "2026-11-29T03:00:00Z"},
		{"next week, when too little is left", zurichWeekend, "2026-11-29T02:30:00Z", time.Hour, "2026-12-05T21:00:00Z", "2026-12-06T03:00:00Z"},
		{"next week, once it has closed", zurichWeekend, "2026-11-29T03:00:00Z", 0, "2026-12-05T21:00:00Z", "2026-12-06T03:00:00Z"},
		{"an hour shorter when clocks go forward", zurichWeekend, "2027-03-27T12:00:00Z", 0, "2027-03-27T21:00:00Z", "2027-03-28T02:00:00Z"},
		{"an hour longer when clocks go back", zurichWeekend, "2026-10-24T12:00:00Z", 0, "2026-10-24T20:00:00Z", "2026-10-25T03:00:00Z"},
		{"a week later, when the shortened one is too short", zurichWeekend, "2027-03-27T12:00:00Z", 6 * time.Hour, "2027-04-03T20:00:00Z", "2027-04-04T02:00:00Z"},
		{"at the wall-clock time of its zone in summer", "Mon-Fri 20:00-23:00 America/New_York", "2026-07-01T12:00:00Z", 0, "2026-07-02T00:00:00Z", "2026-07-02T03:00:00Z"},
		{"every day", "daily 01:00-02:00 UTC", "2026-11-23T02:00:00Z", 0, "2026-11-24T01:00:00Z", "2026-11-24T02:00:00Z"},
		{"on a day without midnight", "Sun 00:15-05:00 America/Santiago", "2026-09-05T04:30:00Z", 0, "2026-09-06T04:15:00Z", "2026-09-06T08:00:00Z"},
		{"at the first of two equal times, east of Greenwich", zurichSunday, "2026-10-24T12:00:00Z", 0, "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z"},
		{"at the first of two equal times, west of Greenwich", "Sat 23:15-05:00 America/Santiago", "2026-04-04T12:00:00Z", 0, "2026-04-05T02:15:00Z", "2026-04-05T09:00:00Z"},
		{"at once, when clocks skip its beginning", zurichSunday, "2027-03-27T12:00:00Z", 0, "2027-03-28T01:30:00Z", "2027-03-28T03:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := requireWindow(t, c.window).Next(parseTime(t, c.now), c.need)
			if !ok {
				t.Fatal("never opens")
			}
			want := farm.Opening{From: parseTime(t, c.from), To: parseTime(t, c.to)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("opening (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("never, when it is always too short", func(t *testing.T) {
		if o, ok := requireWindow(t, "daily 01:00-02:00 UTC").Next(epoch, 2*time.Hour); ok {
			t.Errorf("an hour's window has room for two hours: %v", o)
		}
	})
}

func TestWindow_Length(t *testing.T) {
	for _, c := range []struct {
		name, window string
		want         time.Duration
	}{
		{"within a day", "Sat 01:00-04:30 Europe/Zurich", 3*time.Hour + 30*time.Minute},
		{"into the next day", "Sat 22:00-04:00 Europe/Zurich", 6 * time.Hour},
		{"almost a day", "daily 00:01-00:00 UTC", 24*time.Hour - time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := requireWindow(t, c.window).Length(); got != c.want {
				t.Errorf("%s lasts %v, want %v", c.window, got, c.want)
			}
		})
	}
}

func TestParseWindow_Refused(t *testing.T) {
	for _, c := range []struct{ name, text, reason string }{
		{"empty", "", "not of the form"},
		{"no zone", "Sat 22:00-04:00", "not of the form"},
		{"unknown day", "Someday 22:00-04:00 UTC", `"Someday" is not a day of the week`},
		{"unknown day at the end of a range", "Mon-Someday 22:00-04:00 UTC", `"Someday" is not a day of the week`},
		{"hours without minutes", "Sat 22-04 UTC", `"22" is not a time`},
		{"no closing time", "Sat 22:00 UTC", "not of the form 22:00-04:00"},
		{"closes when it opens", "Sat 22:00-22:00 UTC", "is empty"},
		{"unknown zone", "Sat 22:00-04:00 Mars/Olympus", "not an IANA name"},
		{"the machine's zone", "Sat 22:00-04:00 Local", "not an IANA name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := farm.ParseWindow(c.text); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("ParseWindow(%q) = %v, want an error that contains %q", c.text, err, c.reason)
			}
		})
	}
}

func FuzzParseWindow(f *testing.F) {
	f.Add("Sat 22:00-04:00 Europe/Zurich")
	f.Add("Mon-Fri,Sun 00:00-23:59 UTC")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := farm.ParseWindow(s)
		if err != nil {
			return
		}
		again, err := farm.ParseWindow(w.String())
		if err != nil || again.String() != w.String() {
			t.Errorf("%q is written as %q, which reads as %q, %v", s, w, again, err)
		}
	})
}

func requireWindow(t *testing.T, text string) farm.Window {
	t.Helper()
	w, err := farm.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
