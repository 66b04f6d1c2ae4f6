package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func FuzzDecodeConfig(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "- a", "farms: [{}]", "a: &a [*a]", "<<: {a: b}", "farms: [{name: a, name: b}]", "? [a]\n: b", "---\n---\n",
		"farms: [{name: contoso, office: {servers: [a, {host: b, address: 'c:1'}], connection: x}, sharePoint: [{frontEnd: d, sites: ['https://e']}], " +
			"certificate: {source: {selfSigned: {path: p, password: 'env:P', validFor: 90d}}, leadTime: 1d2h}, " +
			"rotation: {approval: none, window: 'Mon-Fri,Sun 22:00-04:00 Europe/Zurich', onFailure: rollback, decisionTimeout: 1m, approvalTimeout: 90d, keepOldFor: 0d, inspectionInterval: 7d, watchInterval: 1d, healthyWithin: 10m, healthyFor: 5m}}]\n" +
			"connections: {x: {auth: ntlm, user: u, password: 'file:p'}}",
		"farms: [{rotation: {window: daily 23:59-00:00 UTC, keepOldFor: 0, decisionTimeout: 106751d, inspectionInterval: 59s}}]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := decodeConfig(newReader("farmtrust.yaml"), content)
		var problems Problems
		switch {
		case err == nil && (len(c.Farms) == 0 || len(c.Connections) == 0):
			t.Error("accepted without a farm or a connection")
		case err != nil && !errors.As(err, &problems):
			t.Errorf("%v is not a list of problems", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Text == "" || p.Remedy == "" {
				t.Errorf("%+v lacks line, text or remedy", p)
			}
		}
		if err == nil {
			for _, f := range c.Farms {
				assertComplete(t, f)
				assertPolicyWithinBounds(t, f.Farm)
			}
		}
	})
}

// assertComplete fails if an accepted farm lacks what every farm must have.
func assertComplete(t *testing.T, f Farm) {
	t.Helper()
	type required struct{ Name, Servers, SharePoint, OneSource bool }
	want := required{Name: true, Servers: true, SharePoint: true, OneSource: true}
	got := required{
		Name: f.Name != "", Servers: len(f.Office.Servers) > 0, SharePoint: len(f.SharePoint) > 0,
		OneSource: (f.Source.Directory == nil) != (f.Source.SelfSigned == nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepted an incomplete farm (-want +got):\n%s", diff)
	}
}

// assertPolicyWithinBounds fails if an accepted policy exceeds what the reference
// promises.
func assertPolicyWithinBounds(t *testing.T, f farm.Farm) {
	t.Helper()
	p := f.Rotation
	if !p.Window.IsZero() && p.Window.Length() < f.CutoverEstimate() {
		t.Errorf("accepted the window %v for a cutover of %v", p.Window, f.CutoverEstimate())
	}
	if p.DecisionTimeout < time.Minute {
		t.Errorf("accepted a decision timeout of %v", p.DecisionTimeout)
	}
	if p.ApprovalTimeout < time.Hour || p.ApprovalTimeout > 90*24*time.Hour {
		t.Errorf("accepted an approval timeout of %v", p.ApprovalTimeout)
	}
	if p.HealthyWithin < time.Second || p.HealthyWithin > 10*time.Minute {
		t.Errorf("accepted %v for a restart", p.HealthyWithin)
	}
	if p.HealthyFor < 100*time.Millisecond || p.HealthyFor > 5*time.Minute {
		t.Errorf("accepted a health watch of %v", p.HealthyFor)
	}
	if p.WatchInterval < time.Minute || p.WatchInterval > day {
		t.Errorf("accepted a watch interval of %v", p.WatchInterval)
	}
	if p.InspectionInterval < time.Minute || p.InspectionInterval > 7*day {
		t.Errorf("accepted an inspection interval of %v", p.InspectionInterval)
	}
	if p.KeepOldFor != 0 && p.KeepOldFor < day {
		t.Errorf("accepted a retention of %v", p.KeepOldFor)
	}
	if p.OnFailure == "" {
		t.Error("accepted no policy for failures")
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"30d", "1d12h", "90m", "d", "-1d", "1d-1h", "106751d", "106751d24h", "24h", "16m", "10h20s", "100m", "99999999999999999999d", "1.5d", "1d1d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err == nil && strings.Contains(s, "d") && d < 0 {
			t.Errorf("parseDuration(%q) = %v", s, d)
		}
		if err != nil || d < 0 {
			return
		}
		if again, err := parseDuration(formatDuration(d)); err != nil || again != d {
			t.Errorf("%v is written as %q, which reads as %v, %v", d, formatDuration(d), again, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       time.Duration
	}{
		{"days", "30d", 720 * time.Hour},
		{"days before hours and minutes", "1d12h30m", 36*time.Hour + 30*time.Minute},
		{"minutes", "90m", 90 * time.Minute},
		{"the largest number of days", "106751d", 106751 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := parseDuration(c.text); err != nil || got != c.want {
				t.Errorf("parseDuration(%q) = %v, %v; want %v", c.text, got, err, c.want)
			}
		})
	}
}
