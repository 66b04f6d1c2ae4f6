package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestAKeeperDecidesByTheFarmsOwnState(t *testing.T) {
	const day = 24 * time.Hour
	current := farm.StoreCertificate{Thumbprint: print40("current"), NotAfter: epoch.Add(200 * day)}
	ending := farm.StoreCertificate{Thumbprint: print40("current"), NotAfter: epoch.Add(20 * day)}
	expired := farm.StoreCertificate{Thumbprint: print40("current"), NotAfter: epoch.Add(-day)}
	brief := farm.StoreCertificate{Thumbprint: print40("current"), NotBefore: epoch.Add(-day), NotAfter: epoch.Add(6 * day)}
	newer := farm.Certificate{Thumbprint: print40("newer"), NotAfter: epoch.Add(400 * day)}
	same := farm.Certificate{Thumbprint: current.Thumbprint}
	differs := []farm.Difference{{Step: farm.StepRestart, Server: "oos-01", Text: "restart"}, {Step: farm.StepIssuer, Server: "sp-01", Text: "issuer"}}
	for claim, c := range map[string]struct {
		situation farm.Situation
		want      farm.Do
		person    bool
		why       string
	}{
		"rests while all is well":                                        {farm.Situation{Current: current, Target: same}, farm.Rest, false, "trusted until"},
		"rests although an event asked":                                  {farm.Situation{Current: current, Target: same, Asked: true}, farm.Rest, false, "trusted until"},
		"waits for a newer certificate near the end":                     {farm.Situation{Current: ending, Target: same}, farm.AwaitCertificate, true, "waits for a newer certificate"},
		"says that it has expired, and replaces it":                      {farm.Situation{Current: expired, Target: newer, Differences: differs}, farm.Turn, false, "EXPIRED: " + current.Thumbprint.Short() + " ended on"},
		"says that it has expired, with none newer":                      {farm.Situation{Current: expired, Findings: []farm.Finding{{Severity: farm.Stop, Text: "x"}}}, farm.Rest, true, "EXPIRED"},
		"rests on a short-lived one that was just issued, whatever asks": {farm.Situation{Current: brief, Target: same, Asked: true}, farm.Rest, false, "trusted until"},
		"rotates near the end":                                           {farm.Situation{Current: ending, Target: newer, Differences: differs}, farm.Turn, false, "to " + newer.Thumbprint.Short()},
		"lets a newer certificate wait for its time":                     {farm.Situation{Current: current, Target: newer, Differences: differs}, farm.AwaitTime, false, "the rotation begins on"},
		"rotates early when an event asks":                               {farm.Situation{Current: current, Target: newer, Differences: differs, Asked: true}, farm.Turn, false, "from"},
		"does not set up by itself":                                      {farm.Situation{Target: newer, Differences: differs}, farm.Rest, true, "not set up"},
		"sets up when an event asks":                                     {farm.Situation{Target: newer, Differences: differs, Asked: true}, farm.Turn, false, "first set-up"},
		"mends drift":                                                    {farm.Situation{Current: current, Target: same, Differences: differs}, farm.Turn, false, "drift on sp-01"},
		"leaves a restart alone to people":                               {farm.Situation{Current: current, Target: same, Differences: differs[:1]}, farm.Rest, true, "a restart is owed"},
		"never goes back to an older certificate":                        {farm.Situation{Current: farm.StoreCertificate{Thumbprint: print40("by hand"), NotAfter: epoch.Add(500 * day)}, Target: newer, Differences: differs, Asked: true}, farm.Rest, true, "ends before"},
		"does nothing by itself while held":                              {farm.Situation{Current: ending, Target: newer, Differences: differs, Held: "undone"}, farm.Rest, true, "held: undone"},
		"needs a person where a precondition fails":                      {farm.Situation{Current: ending, Target: newer, Differences: differs, Findings: []farm.Finding{{Severity: farm.Stop, Text: "x"}}}, farm.Rest, true, "x"},
		"needs a person where it cannot look":                            {farm.Situation{Unseen: "oos-01: no route"}, farm.Rest, true, "cannot look: oos-01"},
	} {
		t.Run(claim, func(t *testing.T) {
			c.situation.Now, c.situation.Farm.Certificate.LeadTime = epoch, 30*day
			next := farm.Decide(c.situation)
			if next.Do != c.want || next.NeedsPerson != c.person || !strings.Contains(next.Why, c.why) {
				t.Errorf("decides %+v, want %q, a person needed %t, because %q", next, c.want, c.person, c.why)
			}
		})
	}
}
