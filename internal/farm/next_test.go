package farm_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// TestNext_Sentence has what an operator reads of each kind of decision: what will be
// done by itself, when, why, and what would prevent it.
func TestNext_Sentence(t *testing.T) {
	const day = 24 * time.Hour
	saturdays, err := farm.ParseWindow("Sat 22:00-04:00 Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	short := func(name string) string { return testThumbprint(name).Short() }
	in := func(change func(*farm.DecisionInput)) farm.DecisionInput {
		input := farm.DecisionInput{
			Now:     epoch, // a Sunday
			Current: farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotAfter: epoch.Add(200 * day)},
			Target:  farm.Certificate{Thumbprint: testThumbprint("current")},
		}
		input.Farm.Certificate.LeadTime = 30 * day
		change(&input)
		return input
	}
	newer := func(i *farm.DecisionInput) {
		i.Target = farm.Certificate{Thumbprint: testThumbprint("newer"), NotAfter: epoch.Add(400 * day)}
		i.Differences = []farm.Difference{{Step: farm.StepImport, Server: "oos-01", Text: "x"}}
	}
	due := func(i *farm.DecisionInput) { newer(i); i.Current.NotAfter = epoch.Add(20 * day) }
	for name, c := range map[string]struct {
		input farm.DecisionInput
		want  string
	}{
		"in order": {
			in(func(*farm.DecisionInput) {}),
			"next: rotate, if the source then holds a newer certificate, at 2027-04-20 12:00 UTC, because " + short("current") +
				" expires on 2027-05-20 12:00 UTC, unless an operator postpones it or takes the release back",
		},
		"a renewal that is due": {
			in(due), "next: rotate, now, because from " + short("current") + ", which expires on 2026-11-21 12:00 UTC, to " + short("newer") +
				", unless an operator postpones it or takes the release back",
		},
		"one that waits for an approval and a window": {
			in(func(i *farm.DecisionInput) {
				due(i)
				i.Farm.Rotation.Approval, i.Farm.Rotation.Window = true, saturdays
			}),
			"next: stage a rotation, and wait for an approval and for the window Sat 22:00-04:00 Europe/Zurich, which then opens at 2026-11-07 21:00 UTC (Sat 2026-11-07 22:00 Europe/Zurich), now, because from " +
				short("current") + ", which expires on 2026-11-21 12:00 UTC, to " + short("newer") + ", unless an operator postpones it or takes the release back",
		},
		"not released": {
			in(func(i *farm.DecisionInput) { due(i); i.NotReleased = true }),
			"next: nothing by itself, because not released: farmtrust only looks; otherwise it would rotate: from " + short("current") +
				", which expires on 2026-11-21 12:00 UTC, to " + short("newer") + ", unless an operator releases the farm, or rotates",
		},
		"not released, and in order": {
			in(func(i *farm.DecisionInput) { i.NotReleased = true }),
			"next: nothing by itself, because not released: farmtrust only looks; otherwise it would rotate, if the source then holds a newer certificate, at 2027-04-20 12:00 UTC: " +
				"trusted until 2027-05-20 12:00 UTC, unless an operator releases the farm, or rotates",
		},
		"observed only": {
			in(func(i *farm.DecisionInput) { due(i); i.Farm.Rotation.Mode = farm.ModeObserve }),
			"next: nothing by itself, because the configuration says mode: observe: farmtrust only looks; otherwise it would rotate: from " + short("current") +
				", which expires on 2026-11-21 12:00 UTC, to " + short("newer") + ", unless the configuration is changed to mode: rotate",
		},
		"postponed": {
			in(func(i *farm.DecisionInput) {
				due(i)
				i.PostponedUntil, i.PostponedBy = epoch.Add(5*day), "ada (freeze)"
			}),
			"next: rotate, at 2026-11-06 12:00 UTC, because postponed until 2026-11-06 12:00 UTC by ada (freeze); then: from " + short("current") +
				", which expires on 2026-11-21 12:00 UTC, to " + short("newer") + ", unless an operator postpones it or takes the release back",
		},
		"stopped": {
			in(func(i *farm.DecisionInput) {
				due(i)
				i.Findings = []farm.Finding{{Severity: farm.Stop, Text: "a restart is pending", Remedy: "restart it"}}
			}),
			"next: nothing by itself, because a restart is pending: restart it, unless an inspection no longer finds that",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := farm.Decide(c.input).Sentence(epoch); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestDecide_Postponed(t *testing.T) {
	const day = 24 * time.Hour
	input := farm.DecisionInput{
		Now: epoch, PostponedUntil: epoch.Add(30 * day), PostponedBy: "ada (freeze)",
		Current:     farm.StoreCertificate{Thumbprint: testThumbprint("current"), NotAfter: epoch.Add(20 * day)},
		Target:      farm.Certificate{Thumbprint: testThumbprint("newer"), NotAfter: epoch.Add(400 * day)},
		Differences: []farm.Difference{{Step: farm.StepImport}},
	}
	if got := farm.Decide(input); got.Action != farm.ActionWait || !got.NeedsOperator {
		t.Errorf("beyond the end of the certificate in use: %+v, want an operator to be needed", got)
	}
	input.Now = input.PostponedUntil
	if got := farm.Decide(input); got.Action != farm.ActionRotate {
		t.Errorf("at its end: %+v, want a rotation", got)
	}
}
