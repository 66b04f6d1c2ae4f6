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
		situation farm.DecisionInput
		want      farm.Action
		person    bool
		why       string
	}{
		"rests while all is well":                                        {farm.DecisionInput{Current: current, Target: same}, farm.ActionNone, false, "trusted until"},
		"rests although an event asked":                                  {farm.DecisionInput{Current: current, Target: same, EventPending: true}, farm.ActionNone, false, "trusted until"},
		"waits for a newer certificate near the end":                     {farm.DecisionInput{Current: ending, Target: same}, farm.ActionAwaitCertificate, true, "waits for a newer certificate"},
		"says that it has expired, and replaces it":                      {farm.DecisionInput{Current: expired, Target: newer, Differences: differs}, farm.ActionRotate, false, "EXPIRED: " + current.Thumbprint.Short() + " ended on"},
		"says that it has expired, with none newer":                      {farm.DecisionInput{Current: expired, Findings: []farm.Finding{{Severity: farm.Stop, Text: "x"}}}, farm.ActionNone, true, "EXPIRED"},
		"rests on a short-lived one that was just issued, whatever asks": {farm.DecisionInput{Current: brief, Target: same, EventPending: true}, farm.ActionNone, false, "trusted until"},
		"rotates near the end":                                           {farm.DecisionInput{Current: ending, Target: newer, Differences: differs}, farm.ActionRotate, false, "to " + newer.Thumbprint.Short()},
		"lets a newer certificate wait for its time":                     {farm.DecisionInput{Current: current, Target: newer, Differences: differs}, farm.ActionWait, false, "the rotation begins on"},
		"rotates early when an event asks":                               {farm.DecisionInput{Current: current, Target: newer, Differences: differs, EventPending: true}, farm.ActionRotate, false, "from"},
		"does not set up by itself":                                      {farm.DecisionInput{Target: newer, Differences: differs}, farm.ActionNone, true, "not set up"},
		"sets up when an event asks":                                     {farm.DecisionInput{Target: newer, Differences: differs, EventPending: true}, farm.ActionRotate, false, "first set-up"},
		"mends drift":                                                    {farm.DecisionInput{Current: current, Target: same, Differences: differs}, farm.ActionRotate, false, "drift on sp-01"},
		"leaves a restart alone to people":                               {farm.DecisionInput{Current: current, Target: same, Differences: differs[:1]}, farm.ActionNone, true, "a restart is owed"},
		"never goes back to an older certificate":                        {farm.DecisionInput{Current: farm.StoreCertificate{Thumbprint: print40("by hand"), NotAfter: epoch.Add(500 * day)}, Target: newer, Differences: differs, EventPending: true}, farm.ActionNone, true, "ends before"},
		"does nothing by itself while held":                              {farm.DecisionInput{Current: ending, Target: newer, Differences: differs, Suspended: "undone"}, farm.ActionNone, true, "held: undone"},
		"needs a person where a precondition fails":                      {farm.DecisionInput{Current: ending, Target: newer, Differences: differs, Findings: []farm.Finding{{Severity: farm.Stop, Text: "x"}}}, farm.ActionNone, true, "x"},
		"needs a person where it cannot look":                            {farm.DecisionInput{Unobserved: "oos-01: no route"}, farm.ActionNone, true, "cannot look: oos-01"},
	} {
		t.Run(claim, func(t *testing.T) {
			c.situation.Now, c.situation.Farm.Certificate.LeadTime = epoch, 30*day
			next := farm.Decide(c.situation)
			if next.Action != c.want || next.NeedsOperator != c.person || !strings.Contains(next.Reason, c.why) {
				t.Errorf("decides %+v, want %q, a person needed %t, because %q", next, c.want, c.person, c.why)
			}
		})
	}
}
