package workflows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// suspends is what follows every end of a rotation that is not as planned.
const suspends = "; the farm is then suspended"

// options lists what an operator can decide while a rotation waits, each with its
// effect on what is really there, and what follows if nobody decides.
func (r *rotation) options(w farm.Wait) ([]farm.Option, string) {
	reversed := r.describeRollback()
	all := r.forwardOptions(w)
	if w.CanPostpone() && r.decisions.postponable {
		all = append(all, farm.Option{Choice: farm.Postpone, Effect: "waits until a time, with what is staged; what was approved by then is to be approved again"})
	}
	if r.canRollBack(w) {
		all = append(all, farm.Option{Choice: farm.RollBack, Effect: reversed + suspends})
	}
	if w.For != farm.ForController {
		effect := "leaves everything as it is now: " + r.progress.Report.DescribeChanges(r.farm)
		if r.admitted { // one that has not begun is given up, and the farm goes on as before
			effect += suspends
		}
		all = append(all, farm.Option{Choice: farm.Abort, Effect: effect})
	}
	return all, r.thenOf(w, reversed)
}

// forwardOptions are those with which the rotation goes on.
func (r *rotation) forwardOptions(w farm.Wait) []farm.Option {
	switch w.For {
	case farm.ForApproval:
		return []farm.Option{{Choice: farm.Approve, Effect: describeApproval(*w.Approval)}}
	case farm.ForDecision:
		all := append(retryOptions(w.Blocked), r.skipOptions(w.Blocked)...)
		if r.isGoingBack() {
			all = append(all, farm.Option{Choice: farm.Forward, Effect: "leaves the way back, and brings every server to " + r.target.Thumbprint.Short() + " after all; servers restart that have not loaded it"})
		}
		return all
	}
	return nil
}

// canRollBack reports whether the decision to roll back is taken now.
func (r *rotation) canRollBack(w farm.Wait) bool {
	return w.For != farm.ForController && r.decisions.rollbackBlocked == ""
}

// describeRollback says what a rollback would do now: about what this run has changed,
// and about what an unfinished rotation before it had, or this run before it was reset.
func (r *rotation) describeRollback() string {
	reversals := r.progress.Report.Reversals(r.farm)
	if r.inherited || r.wasReset {
		s := *r.snapshot
		s.Staged = r.onlyStaged()
		reversals = append(reversals, farm.PlanRollback(s, r.farm, r.observed).Reversals...)
	}
	return farm.DescribeReversals(reversals, farm.PlanRestarts(r.farm, reversals, r.masterHost, nil))
}

// describeApproval says what begins with an approval, when, and what users notice of it.
func describeApproval(a farm.Approval) string {
	text := "begins " + a.What + " now"
	if !a.Opening.From.IsZero() {
		text = fmt.Sprintf("begins %s in the window, from %s", a.What, farm.FormatTime(a.Opening.From))
	}
	return fmt.Sprintf("%s; %s; takes about %s", text, farm.DescribeRestarts(a.Restarts), farm.FormatEstimate(a.Estimate()))
}

// retryOptions are the retry of all blocked steps, and the one that accepts what blocks
// them.
func retryOptions(blocked []farm.Blocked) []farm.Option {
	if len(blocked) == 0 {
		return nil
	}
	effect := fmt.Sprintf("tries the %d blocked steps again", len(blocked))
	if len(blocked) == 1 {
		effect = fmt.Sprintf("tries %q on %s again", blocked[0].Step, blocked[0].Server)
	}
	all := []farm.Option{{Choice: farm.Retry, Effect: effect}}
	var refs []string
	for _, b := range blocked {
		refs = append(refs, b.Accept...)
	}
	if len(refs) > 0 {
		refs = farm.ShortenRefs(refs)
		all = append(all, farm.Option{Choice: farm.Retry, Accept: refs, Effect: "goes on in spite of " + strings.Join(refs, ", ") + "; what was approved is to be approved again"})
	}
	return all
}

// maxSkips is up to how many servers are offered to be skipped. Beyond it something is
// wrong that skipping servers does not cure.
const maxSkips = 5

// skipOptions leave out blocked servers that the run can go on without.
func (r *rotation) skipOptions(blocked []farm.Blocked) []farm.Option {
	var all []farm.Option
	for _, b := range blocked {
		isOffered := slices.ContainsFunc(all, func(o farm.Option) bool { return o.Server == b.Server })
		if !b.Skippable || isOffered || len(all) == maxSkips {
			continue
		}
		effect := fmt.Sprintf("goes on without %s, which keeps what it has", b.Server)
		if b.Serving {
			effect += "; " + r.costOfSkipping(b.Server)
		}
		all = append(all, farm.Option{Choice: farm.Skip, Server: b.Server, Force: b.Serving, Effect: effect + suspends})
	}
	return all
}

// costOfSkipping says what users notice where a server is left out that still serves
// them.
func (r *rotation) costOfSkipping(host string) string {
	if r.farm.FrontEndOf(host) != "" {
		return "it is not restarted, and may not accept what the others accept until it is"
	}
	return "while it stays in the farm, its data refreshes fail unless it uses the certificate of the others"
}

// plannedAgain is what follows the end of a rotation that nobody approved. It does not
// say whether the farm is released: that may change until then.
const plannedAgain = "the next inspection plans it again if the farm is released"

// thenOf says what follows if nobody decides until the wait times out. Reversed is what a
// rollback does.
func (r *rotation) thenOf(w farm.Wait, reversed string) string {
	switch {
	case w.For == farm.ForWindow && r.isGoingBack():
		return "the undo begins"
	case w.For == farm.ForWindow:
		return "the cutover begins"
	case w.For == farm.ForPostponement:
		return "the farm is looked at again, and what it takes is asked for again"
	case w.For == farm.ForApproval:
		return r.thenUnapproved(w, reversed)
	case w.For != farm.ForDecision:
		return ""
	}
	first, ok := firstTimeout(w.Blocked)
	if !ok || !r.decisions.rollsBackByItself() {
		return first.Then
	}
	return first.Then + ": " + reversed + suspends
}

// thenUnapproved says what follows if nobody approves in time.
func (r *rotation) thenUnapproved(w farm.Wait, reversed string) string {
	switch {
	case w.Until.IsZero():
		return ""
	case w.Until.Equal(r.openingPasses()):
		return "the approval is asked for again, for the next opening of the window"
	case r.isGoingBack():
		return "nothing is undone"
	case r.inherited || r.decisions.rollbackBlocked != "":
		return "the rotation ends and rolls nothing back; " + plannedAgain
	}
	return "the rotation is rolled back, and " + plannedAgain + ": " + reversed
}

// firstTimeout returns the blocked step whose wait times out first; the first one, and
// false, where none does.
func firstTimeout(blocked []farm.Blocked) (farm.Blocked, bool) {
	var first farm.Blocked
	for i, b := range blocked {
		if i == 0 || first.Until.IsZero() || (!b.Until.IsZero() && b.Until.Before(first.Until)) {
			first = b
		}
	}
	return first, !first.Until.IsZero()
}

// options lists what an operator can decide while a retirement waits, and what follows
// if nobody does.
func (r *retirement) options(w farm.Wait) ([]farm.Option, string) {
	const keeps = "the old certificate is unarchived, and kept for another retention"
	abort := farm.Option{Choice: farm.Abort, Effect: "unarchives the old certificate, and keeps it until its retirement is due again"}
	switch w.For {
	case farm.ForApproval:
		effect := fmt.Sprintf("begins %s from %s, with its key; no restart", w.Approval.What, farm.NameServers(r.officeHosts()))
		return []farm.Option{{Choice: farm.Approve, Effect: effect}, abort}, keeps
	case farm.ForDecision:
		first, _ := firstTimeout(w.Blocked)
		return append(retryOptions(w.Blocked), abort), first.Then
	}
	return nil, ""
}
