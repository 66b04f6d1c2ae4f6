package controller_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// acceptedReboot is a finding that an operator accepted.
func acceptedReboot() farm.Finding {
	return farm.Finding{Code: "pending-reboot", Severity: farm.Warn, Accepted: &farm.Acceptance{Code: "pending-reboot", By: "ada", Reason: "patch day"}}
}

// withFindings adds to a result a finding that was accepted, and one that warns.
func withFindings(r farm.RotationResult) farm.RotationResult {
	r.Findings = []farm.Finding{{Code: "fips", Severity: farm.Warn}, acceptedReboot()}
	return r
}

func settled(r farm.RotationResult) farm.RotationResult {
	r.Settled = true
	return r
}

func TestEndRotation(t *testing.T) {
	ended := epoch.Add(time.Hour)
	compromised := snapshot("B", "C")
	compromised.Compromised = true
	for _, c := range []struct {
		name    string
		from    controller.State
		result  farm.RotationResult
		problem string
		want    func(*controller.State)
	}{
		{
			"verified: the snapshot is kept and the retention begins", idle(rotating), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: what was accepted is kept", idle(rotating), withFindings(result(farm.Verified, snapshot("B", "C"))), "",
			func(s *controller.State) {
				s.Last.Accepted = []farm.Finding{acceptedReboot()}
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: it ends a suspension", idle(rotating, suspended), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = ""
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: a certificate that is not retired yet is retired first", idle(rotating, retaining), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{
					Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor), Older: []farm.StoreCertificate{{Thumbprint: "A"}},
				}
			},
		},
		{
			"verified: so is one whose retirement a suspension deferred", idle(rotating, retaining, suspended), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = ""
				s.Retention = controller.Retention{
					Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor), Older: []farm.StoreCertificate{{Thumbprint: "A"}},
				}
			},
		},
		{
			"verified: so is one that an unfinished rotation replaced",
			idle(rotating, unfinished("A", "B")), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Unfinished = nil
				s.Retention = controller.Retention{
					Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor), Older: []farm.StoreCertificate{{Thumbprint: "A"}},
				}
			},
		},
		{
			"verified: one that an unfinished rotation did not replace is the previous one",
			idle(rotating, unfinished("B", "X")), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Unfinished = nil
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: a first set-up left nothing to retire",
			idle(rotating, retaining, func(s *controller.State) { s.Retention.Snapshot = snapshot("", "B") }), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: the same rotation once more adds no older certificate", idle(rotating, retaining), result(farm.Verified, snapshot("A", "B")), "",
			func(s *controller.State) {
				s.Retention.VerifiedAt, s.Retention.Until = ended, ended.Add(policy.KeepOldFor)
			},
		},
		{
			"verified: a repair leaves what is kept of the renewal before it", idle(rotating, retaining), result(farm.Verified, takenLater("B", "B")), "",
			func(*controller.State) {},
		},
		{
			"verified: a repair that finishes a renewal begins its retention",
			idle(rotating, retaining, func(s *controller.State) { s.Retention.Unsettled = true }), result(farm.Verified, takenLater("B", "B")), "",
			func(s *controller.State) {
				s.Retention.Unsettled, s.Retention.Until = false, ended.Add(policy.KeepOldFor)
			},
		},
		{
			"verified: a compromised certificate is not retained", idle(rotating), result(farm.Verified, compromised), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{Snapshot: compromised, VerifiedAt: ended, Until: ended}
			},
		},
		{
			"rolled back: suspended, and its snapshot is forgotten", idle(rotating, unfinished("B", "C")), result(farm.RolledBack, snapshot("B", "C")), "",
			func(s *controller.State) { s.Suspended, s.Unfinished = "the rotation was rolled back", nil },
		},
		{
			"rolled back: one before it that is unfinished stays so", idle(rotating, unfinished("B", "X")), result(farm.RolledBack, snapshot("B", "C")), "",
			func(s *controller.State) { s.Suspended = "the rotation was rolled back" },
		},
		{
			"rolled back: the renewal before it can still be undone, and is left to retire", idle(rotating, retaining), result(farm.RolledBack, snapshot("B", "C")), "",
			func(s *controller.State) { s.Suspended = "the rotation was rolled back" },
		},
		{
			"undone: the renewal is over", idle(rotating, retaining), result(farm.RolledBack, snapshot("A", "B")), "",
			func(s *controller.State) {
				s.Suspended, s.UndoneAt, s.Retention = "the rotation was undone", ended, controller.Retention{}
			},
		},
		{
			"an undo that does not end well: the renewal is unfinished", idle(rotating, retaining), result(farm.Incomplete, snapshot("A", "B")), "",
			func(s *controller.State) {
				s.Suspended, s.Retention = "the rotation did not end as planned: as stated", controller.Retention{}
				s.Unfinished = []farm.Snapshot{*snapshot("A", "B")}
			},
		},
		{
			"refused: an operator is needed", idle(rotating, retaining), result(farm.Refused, nil), "",
			func(s *controller.State) {
				s.Next = farm.Next{NeedsOperator: true, Code: farm.CodeRefused, Reason: "as stated"}
			},
		},
		{
			"cancelled before its first change: suspended, so that it does not begin again", idle(rotating, retaining),
			farm.RotationResult{Report: result(farm.Refused, nil).Report, Cancelled: true},
			"",
			func(s *controller.State) {
				s.Retention = idle(retaining).Retention
				s.Suspended, s.Inspected.Due = "the rotation was cancelled", false
			},
		},
		{
			"unchanged: nothing", idle(rotating, retaining), result(farm.NoChange, snapshot("B", "B")), "",
			func(*controller.State) {},
		},
		{
			"incomplete: suspended, and its snapshot is of an unfinished rotation", idle(rotating, retaining), result(farm.Incomplete, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: as stated"
				s.Unfinished = []farm.Snapshot{*snapshot("B", "C")}
			},
		},
		{
			"verified but for servers left out: the certificate before is retired first, and its successor not before the farm is in order",
			idle(rotating, retaining), settled(result(farm.Partial, snapshot("B", "C"))), "",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: as stated"
				s.Retention = controller.Retention{
					Snapshot: snapshot("B", "C"), VerifiedAt: ended, Until: ended.Add(policy.KeepOldFor), Unsettled: true, Older: []farm.StoreCertificate{{Thumbprint: "A"}},
				}
			},
		},
		{
			"no report: suspended, and what was kept stays", idle(rotating, retaining),
			farm.RotationResult{},
			"rotate/contoso left no report",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: rotate/contoso left no report"
				s.Last.Statement = "rotate/contoso left no report"
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assertTransition(t, c.from, func(s *controller.State) { s.EndRotation(ended, c.result, c.problem) }, func(s *controller.State) {
				s.Active = nil
				s.Last = controller.LastRun{At: ended, RunID: "r1", Outcome: c.result.Outcome, Statement: c.result.Statement}
				s.Inspected.Due = c.result.Outcome != farm.Refused
				s.Inspected.Outdated = s.Inspected.Due
				if o := c.result.Outcome; o != "" && o != farm.NoChange && o != farm.Refused {
					s.Reports.Rotation = &c.result.Report
				}
				c.want(s)
			})
		})
	}
}

func TestEndRetirement(t *testing.T) {
	ended := epoch.Add(2 * day)
	older := func(s *controller.State) { s.Retention.Older = []farm.StoreCertificate{{Thumbprint: "0"}} }
	compromise := func(s *controller.State) { s.Retention.Snapshot.Compromised = true }
	deletes := []farm.ServerReport{{Host: "oos-01", Steps: []farm.StepReport{{Step: farm.StepDelete, State: farm.StateChanged}}}}
	for _, c := range []struct {
		name   string
		from   controller.State
		report farm.Report
		want   func(*controller.State)
	}{
		{
			"verified: the snapshot is forgotten", idle(retiring, retaining),
			farm.Report{Outcome: farm.Verified, Target: "A", Servers: deletes},
			func(s *controller.State) { s.Retention = controller.Retention{} },
		},
		{
			"verified: an older certificate is forgotten, and the snapshot is not", idle(retiring, retaining, older),
			farm.Report{Outcome: farm.Verified, Target: "0", Servers: deletes},
			func(s *controller.State) { s.Retention.Older = nil },
		},
		{
			"verified, of one that is compromised: older ones are still to be retired", idle(retiring, retaining, older, compromise),
			farm.Report{Outcome: farm.Verified, Target: "A", Servers: deletes},
			func(s *controller.State) { s.Retention.Retired, s.Retention.Snapshot.Deleting = true, true },
		},
		{
			"verified, of the last older one after that: the snapshot is forgotten",
			idle(retiring, retaining, older, compromise, func(s *controller.State) { s.Retention.Retired = true }),
			farm.Report{Outcome: farm.Verified, Target: "0", Servers: deletes},
			func(s *controller.State) { s.Retention = controller.Retention{Older: []farm.StoreCertificate{}} },
		},
		{
			"aborted: the retention begins again", idle(retiring, retaining),
			farm.Report{Outcome: farm.Partial, Target: "A"},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.KeepOldFor) },
		},
		{
			"cancelled after the deletion began: the certificate is no longer to be rolled back to",
			idle(retiring, retaining),
			farm.Report{Outcome: farm.Incomplete, Target: "A", Servers: deletes},
			func(s *controller.State) {
				s.Retention.Until, s.Retention.Snapshot.Deleting = ended.Add(policy.KeepOldFor), true
			},
		},
		{
			"cancelled after the deletion of an older one began: the snapshot can still be rolled back to",
			idle(retiring, retaining, older),
			farm.Report{Outcome: farm.Incomplete, Target: "0", Servers: deletes},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.KeepOldFor) },
		},
		{
			"without a retention it is tried again at the next inspection",
			idle(retiring, retaining, func(s *controller.State) { s.Policy.KeepOldFor = 0 }),
			farm.Report{Outcome: farm.Partial, Target: "A"},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.InspectionInterval) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assertTransition(t, c.from, func(s *controller.State) { s.EndRetirement(ended, farm.RotationResult{Report: c.report}, "") }, func(s *controller.State) {
				s.Active, s.Inspected.Due, s.Inspected.Outdated = nil, true, true
				s.Last = controller.LastRun{At: ended, RunID: "t1", Outcome: c.report.Outcome}
				s.Reports.Retirement = &c.report
				c.want(s)
			})
		})
	}
}

func TestNextToRetire_IsACompromisedCertificateBeforeOlderOnes(t *testing.T) {
	s := idle(retaining, func(s *controller.State) {
		s.Retention.Older = []farm.StoreCertificate{{Thumbprint: "0"}}
		s.Retention.Snapshot.Compromised = true
	})
	var order []farm.Thumbprint
	for s.RetirementDue(s.Retention.Until) {
		next := s.NextToRetire().Thumbprint
		order = append(order, next)
		s.EndRetirement(s.Retention.Until, farm.RotationResult{Report: farm.Report{Outcome: farm.Verified, Target: next}}, "")
	}
	if !slices.Equal(order, []farm.Thumbprint{"A", "0"}) || s.Retention.Snapshot != nil {
		t.Errorf("retired in the order %v, and kept %+v", order, s.Retention)
	}
}
