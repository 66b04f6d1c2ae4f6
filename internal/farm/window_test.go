package farm_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name zones; not every machine has the database

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestWindowOpens(t *testing.T) {
	for claim, c := range map[string]struct {
		window, now string
		need        time.Duration
		want        string // from..to in UTC
	}{
		"on its next day":                                     {"Sat 22:00-04:00 Europe/Zurich", "2026-11-23T08:00:00Z", 0, "2026-11-28T21:00..2026-11-29T03:00"},
		"now, while it is open":                               {"Sat 22:00-04:00 Europe/Zurich", "2026-11-29T01:00:00Z", time.Hour, "2026-11-28T21:00..2026-11-29T03:00"},
		"next week, if what is left does not suffice":         {"Sat 22:00-04:00 Europe/Zurich", "2026-11-29T02:30:00Z", time.Hour, "2026-12-05T21:00..2026-12-06T03:00"},
		"an hour shorter when clocks go forward":              {"Sat 22:00-04:00 Europe/Zurich", "2027-03-27T12:00:00Z", 0, "2027-03-27T21:00..2027-03-28T02:00"},
		"an hour longer when clocks go back":                  {"Sat 22:00-04:00 Europe/Zurich", "2026-10-24T12:00:00Z", 0, "2026-10-24T20:00..2026-10-25T03:00"},
		"a week later, if the shortened one does not suffice": {"Sat 22:00-04:00 Europe/Zurich", "2027-03-27T12:00:00Z", 6 * time.Hour, "2027-04-03T20:00..2027-04-04T02:00"},
		"at the wall-clock time of its zone in summer":        {"Mon-Fri 20:00-23:00 America/New_York", "2026-07-01T12:00:00Z", 0, "2026-07-02T00:00..2026-07-02T03:00"},
		"every day":                       {"daily 01:00-02:00 UTC", "2026-11-23T02:00:00Z", 0, "2026-11-24T01:00..2026-11-24T02:00"},
		"on a day without midnight":       {"Sun 00:15-05:00 America/Santiago", "2026-09-05T04:30:00Z", 0, "2026-09-06T04:15..2026-09-06T08:00"},
		"the first time, east of it":      {"Sun 02:30-05:00 Europe/Zurich", "2026-10-24T12:00:00Z", 0, "2026-10-25T00:30..2026-10-25T04:00"},
		"the first time, west of it":      {"Sat 23:15-05:00 America/Santiago", "2026-04-04T12:00:00Z", 0, "2026-04-05T02:15..2026-04-05T09:00"},
		"where clocks skip its beginning": {"Sun 02:30-05:00 Europe/Zurich", "2027-03-27T12:00:00Z", 0, "2027-03-28T01:30..2027-03-28T03:00"},
	} {
		t.Run(claim, func(t *testing.T) {
			w, err := farm.ParseWindow(c.window)
			if err != nil {
				t.Fatal(err)
			}
			now, _ := time.Parse(time.RFC3339, c.now)
			o, ok := w.Next(now, c.need)
			got := o.From.UTC().Format("2006-01-02T15:04") + ".." + o.To.UTC().Format("2006-01-02T15:04")
			if !ok || got != c.want {
				t.Errorf("%s at %s for %s opens %s (%t), want %s", c.window, c.now, c.need, got, ok, c.want)
			}
		})
	}
}

func TestWindowThatIsNeverLongEnoughIsNamed(t *testing.T) {
	w, err := farm.ParseWindow("daily 01:00-02:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := w.Next(epoch, 2*time.Hour); ok {
		t.Errorf("an hour's window fits two hours: %v", o)
	}
}

func TestWindowLastsAsItsClockSays(t *testing.T) {
	for window, want := range map[string]time.Duration{
		"Sat 01:00-04:30 Europe/Zurich": 3*time.Hour + 30*time.Minute,
		"Sat 22:00-04:00 Europe/Zurich": 6 * time.Hour,
		"daily 00:01-00:00 UTC":         24*time.Hour - time.Minute,
	} {
		w, err := farm.ParseWindow(window)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Length(); got != want {
			t.Errorf("%s lasts %v, want %v", window, got, want)
		}
	}
}

func TestWindowsAreRefusedWithAReason(t *testing.T) {
	for bad, want := range map[string]string{
		"":                             "not of the form",
		"Sat 22:00-04:00":              "not of the form",
		"Someday 22:00-04:00 UTC":      `"Someday" is not a day of the week`,
		"Sat 22-04 UTC":                `"22" is not a time`,
		"Sat 22:00 UTC":                "not of the form 22:00-04:00",
		"Sat 22:00-22:00 UTC":          "is empty",
		"Sat 22:00-04:00 Mars/Olympus": "not an IANA name",
		"Sat 22:00-04:00 Local":        "not an IANA name",
	} {
		if _, err := farm.ParseWindow(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseWindow(%q) = %v, want an error that says %q", bad, err, want)
		}
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
