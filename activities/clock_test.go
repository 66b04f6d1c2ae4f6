package activities_test

import (
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestAnAnswerThatIsHeldUpIsNoClockThatIsBehind(t *testing.T) {
	const held = 3 * time.Second
	for claim, c := range map[string]struct {
		behind time.Duration
		// held is how long each answer is on its way.
		held []time.Duration
		want time.Duration
	}{
		"the first answer was held up":      {held: []time.Duration{held, 0}},
		"no answer was held up":             {held: []time.Duration{0}},
		"a clock that is behind stays so":   {behind: 48 * time.Hour, held: []time.Duration{0, 0}, want: -48 * time.Hour},
		"a little behind, and held up":      {behind: 2 * time.Second, held: []time.Duration{held, 0}, want: -2 * time.Second},
		"a little behind, and held up then": {behind: 2 * time.Second, held: []time.Duration{0, held}, want: -2 * time.Second},
		"ahead, and held up":                {behind: -10 * time.Minute, held: []time.Duration{held, 0}, want: 10 * time.Minute},
	} {
		t.Run(claim, func(t *testing.T) {
			now, looks := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), 0
			started := now.Add(-time.Minute - c.behind)
			a := &activities.Activities{Farms: one{}, Now: func() time.Time { return now }, Remote: remote{"Get-SharePointServer": func(result any) error {
				*result.(*powershell.SharePointServer) = powershell.SharePointServer{
					Machine: powershell.Machine{Clock: now.Add(-c.behind)}, Timer: powershell.Service{Running: true, Since: &started},
				}
				now = now.Add(c.held[looks])
				looks++
				return nil
			}}}
			seen := observed(t, a)
			if want := time.Date(2026, 11, 23, 7, 59, 0, 0, time.UTC); seen.Machine.Skew != c.want || !seen.Timer.StartedAt.Equal(want) {
				t.Errorf("skew %s, service since %s; want %s and %s", seen.Machine.Skew, seen.Timer.StartedAt, c.want, want)
			}
			if looks != len(c.held) {
				t.Errorf("looked %d times, want %d", looks, len(c.held))
			}
		})
	}
}

func observed(t *testing.T, a *activities.Activities) (seen farm.SharePointServer) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	value, err := env.ExecuteActivity(a.ObserveSharePointServer, activities.ServerInput{Farm: "contoso", Host: "sp-01"})
	if err != nil {
		t.Fatal(err)
	}
	if err := value.Get(&seen); err != nil {
		t.Fatal(err)
	}
	return seen
}
