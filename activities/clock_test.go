package activities_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestObserve_Clock observes a server whose service started a minute ago.
func TestObserve_Clock(t *testing.T) {
	const late = 3 * time.Second
	type clock struct {
		Skew      time.Duration
		StartedAt time.Time
		// Reads is how often the server was observed.
		Reads int
	}
	for name, c := range map[string]struct {
		behind time.Duration
		// delays are how long each answer is on its way.
		delays []time.Duration
		skew   time.Duration
	}{
		"no answer was delayed":        {delays: []time.Duration{0}},
		"the first answer was delayed": {delays: []time.Duration{late, 0}},
		"behind":                       {behind: 48 * time.Hour, delays: []time.Duration{0, 0}, skew: -48 * time.Hour},
		"ahead":                        {behind: -10 * time.Minute, delays: []time.Duration{0, 0}, skew: 10 * time.Minute},
		"a little behind, and the first was delayed":      {behind: 2 * time.Second, delays: []time.Duration{late, 0}, skew: -2 * time.Second},
		"a little behind, and the second was delayed":     {behind: 2 * time.Second, delays: []time.Duration{0, late}, skew: -2 * time.Second},
		"ahead by minutes, and the first one was delayed": {behind: -10 * time.Minute, delays: []time.Duration{late, 0}, skew: 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			now, reads := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), 0
			want := clock{Skew: c.skew, StartedAt: now.Add(-time.Minute), Reads: len(c.delays)}
			started := want.StartedAt.Add(-c.behind)
			a := &activities.Activities{Farms: testFarm{}, Now: func() time.Time { return now }, Remote: testServer{"Get-SharePointServer": func(result any) error {
				*result.(*powershell.SharePointServer) = powershell.SharePointServer{
					Machine: powershell.Machine{Clock: now.Add(-c.behind)}, Timer: powershell.Service{Running: true, Since: &started},
				}
				now = now.Add(c.delays[reads])
				reads++
				return nil
			}}}
			seen := observeSharePointServer(t, a)
			if diff := cmp.Diff(want, clock{Skew: seen.Machine.Skew, StartedAt: seen.Timer.StartedAt.UTC(), Reads: reads}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
