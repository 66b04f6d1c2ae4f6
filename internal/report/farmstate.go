package report

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// farmState is how a farm is doing, in a word or two.
func farmState(s controller.State) string {
	switch phase := s.Phase(); {
	case s.Active.GoesBack() && s.Active.Intent == farm.Undo:
		return "undoing"
	case s.Active.GoesBack():
		return string(farm.PhaseRollingBack)
	case s.AwaitsInspection() && (phase == controller.Idle || phase == controller.Waiting):
		return "being inspected"
	default:
		return string(phase)
	}
}

// addCurrent says which certificate is in use, and until when it is trusted.
func addCurrent(b *Block, s controller.State, now time.Time) {
	c := s.Inspected.Current
	if c.Thumbprint == "" {
		return
	}
	if s.AwaitsInspection() {
		b.addFact("certificate", "being inspected; before the last run it was "+describeCertificate(c.Thumbprint, c.FriendlyName, c.NotAfter, now))
		return
	}
	expiry := farm.FormatTime(c.NotAfter) + ", " + formatDaysLeft(c.NotAfter, now)
	switch {
	case !c.NotAfter.After(now):
		b.addAlert("not trusted", formatDaysLeft(c.NotAfter, now)+": "+urgentRemedy(s))
	case s.Urgency(now) > farm.NotUrgent:
		b.addAlert("expires", expiry+": "+urgentRemedy(s))
	case s.IsTrusted(now):
		b.addFact("trusted until", expiry)
	default:
		b.addFact("expires", expiry)
	}
	b.addFact("certificate", formatCertificate(c.Thumbprint, c.FriendlyName))
}

// urgentRemedy is what is to be done about a certificate that is about to end.
func urgentRemedy(s controller.State) string {
	switch run := s.Active; {
	case run.GoesBack():
		return run.WorkflowID + " is rolling back"
	case run != nil && !run.Retirement && run.Wait != nil:
		return run.WorkflowID + " waits, and replaces it once it goes on"
	case run != nil && !run.Retirement:
		return run.WorkflowID + " is replacing it"
	case s.Suspended != "":
		return "resume the farm, or rotate"
	}
	return "put a newer certificate into the source, then rotate"
}

func addInspections(b *Block, s controller.State, now time.Time) {
	isAlert := s.IsOverdue(now) || s.Next.NeedsOperator && !s.AwaitsInspection()
	b.Facts = append(b.Facts, Fact{"inspected", Cell{describeInspected(s, now), isAlert}})
	if next := nextInspection(s); !next.IsZero() && !s.AwaitsInspection() {
		b.addFact("next inspection", farm.FormatTime(next))
	}
}

// describeInspected says when the farm was last inspected, and what was decided then, as
// far as that still counts.
func describeInspected(s controller.State, now time.Time) string {
	at := farm.FormatTime(s.Inspected.At)
	switch run := s.Active; {
	case s.Inspected.At.IsZero():
		return "not yet"
	case run != nil && !run.Retirement && s.Inspected.At.After(run.Since):
		return at + ", while " + run.WorkflowID + " waited"
	case run != nil && !run.Retirement:
		return at + ", before " + run.WorkflowID + " began"
	case s.AwaitsInspection():
		return "now; what was found on " + at + " does not count any more"
	case s.IsOverdue(now):
		return at + ", which is too long ago: is an activity of farm/" + s.Farm + " paused, or no worker there?"
	case s.Next.Code == farm.CodeTrusted && !s.IsTrusted(now):
		return at
	}
	return at + ": " + s.Next.Reason
}
