package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// DecideUpdate carries a person's [farm.Decision] to a rotation. It is refused,
// with the reason, when it comes at the wrong moment; a refused decision
// leaves nothing behind.
const DecideUpdate = "decide"

// errDecided ends the steps of a rotation that a person, or the farm's policy,
// has decided to end; the verdict says how.
var errDecided = errors.New("ended by decision")

// decisions is where decisions arrive and are waited for.
type decisions struct {
	// parked are the steps that wait, in the order in which they failed.
	parked []*blockedStep
	// released is when a step was last parked no more.
	released time.Time
	// asking is set while an approval is waited for, of this digest.
	asking string
	// approved is the digest that was approved.
	approved string
	// verdict is how the rotation is to end: rolled back or aborted; why says
	// what led to a rollback.
	verdict farm.Choice
	why     string
	// canary is set while a restart proves the new settings on one server.
	canary bool
	// noWayBack says why the rotation cannot be rolled back; empty when it can.
	noWayBack string
	// skipped are the office servers left out by decision.
	skipped []string
}

// ended is errDecided once a verdict is there.
func (k *decisions) ended() error {
	if k.verdict != "" {
		return errDecided
	}
	return nil
}

// goBack has the rotation rolled back, for a reason that the report tells.
func (k *decisions) goBack(format string, args ...any) {
	k.verdict, k.why = farm.RollBack, fmt.Sprintf(format, args...)
}

// turnBack starts the way back, on which only retry, skip and abort are left.
// A server that was left out on the way forth may hold what was done before
// that, so it is not left out of the way back.
func (k *decisions) turnBack() {
	k.verdict, k.asking, k.skipped = "", "", nil
	k.noWayBack = "the rotation is on its way back already"
}

// parkedSince says whether anything was parked after a moment.
func (k *decisions) parkedSince(t time.Time) bool { return k.released.After(t) }

// blockedStep is one step that waits for a person.
type blockedStep struct {
	farm.Blocked
	// skippable says that the rotation can go on without the server, inFarm
	// that the server still belongs to the farm.
	skippable, inFarm bool
	choice            farm.Choice
}

// listen lets decisions in.
func (r *rotation) listen(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, r.decide, workflow.UpdateHandlerOptions{
		Validator:   r.mayDecide,
		Description: "A person's decision: approve, retry, skip, rollback or abort",
	})
}

// mayDecide refuses a decision that makes no sense now.
func (r *rotation) mayDecide(_ workflow.Context, d farm.Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if r.decisions.verdict != "" {
		return fmt.Errorf("%s: %s was decided already", d.Choice, r.decisions.verdict)
	}
	switch d.Choice {
	case farm.Approve:
		return r.decisions.mayApprove(d)
	case farm.RollBack, farm.Abort:
		return r.mayEnd(d)
	}
	return r.decisions.mayRetryOrSkip(d)
}

func (k *decisions) mayApprove(d farm.Decision) error {
	switch {
	case k.asking == "":
		return fmt.Errorf("approve: nothing waits for approval now")
	case d.Digest != k.asking:
		return fmt.Errorf("approve: the digest is now %s: what would be switched is not what %s stands for; look at the plan again", k.asking, d.Digest)
	}
	return nil
}

func (r *rotation) mayEnd(d farm.Decision) error {
	switch {
	case d.Choice == farm.RollBack && r.decisions.noWayBack != "":
		return fmt.Errorf("rollback: %s", r.decisions.noWayBack)
	case r.progress.waiting == nil:
		return fmt.Errorf("%s: the rotation is at work; cancel it to stop and undo it", d.Choice)
	}
	return nil
}

func (k *decisions) mayRetryOrSkip(d farm.Decision) error {
	waits := slices.IndexFunc(k.parked, func(p *blockedStep) bool { return p.concerns(d) })
	switch {
	case waits < 0 && d.Server == "":
		return fmt.Errorf("%s: nothing is parked", d.Choice)
	case waits < 0:
		return fmt.Errorf("%s: nothing is parked on %s", d.Choice, d.Server)
	case d.Choice == farm.Retry:
		return nil
	case !k.parked[waits].skippable:
		return fmt.Errorf("skip: %s cannot be left out: only an office server that is not the master can", d.Server)
	case !d.Force && k.parked[waits].inFarm:
		return fmt.Errorf("skip: %s is still a machine of the farm: without the certificate its data refreshes will fail; take it out of the farm first, or insist", d.Server)
	}
	return nil
}

// concerns says whether a decision is about this step. One that was decided
// about is not parked any more, though it may not have gone on yet.
func (p *blockedStep) concerns(d farm.Decision) bool {
	return p.choice == "" && (d.Server == "" || p.Server == d.Server)
}

// decide takes a decision that mayDecide let in.
func (r *rotation) decide(ctx workflow.Context, d farm.Decision) error {
	k := r.decisions
	switch d.Choice {
	case farm.Approve:
		k.approved = d.Digest
	case farm.RollBack:
		k.goBack("%s decided so: %s", d.By, d.Reason)
	case farm.Abort:
		k.verdict = d.Choice
	case farm.Retry, farm.Skip:
		for _, p := range k.parked {
			if p.concerns(d) {
				p.choice = d.Choice
			}
		}
		if d.Choice == farm.Skip {
			k.skipped = append(k.skipped, d.Server)
		}
	}
	r.progress.report.Decisions = append(r.progress.report.Decisions, farm.RecordedDecision{Decision: d, At: workflow.Now(ctx)})
	r.progress.show(ctx)
	return nil
}

// park waits for a person to decide about a step whose retries ran out, and
// returns the choice. When nobody does in time, the rotation goes back; where
// there is no way back, the step is tried again and, if need be, parked anew.
//
// A policy to go back waits for nobody, and a canary neither: while people
// are found, its users have no service, and the next server must not follow.
func (r *rotation) park(ctx workflow.Context, host string, step farm.Step, cause error) (farm.Choice, error) {
	k := r.decisions
	switch {
	case k.noWayBack != "":
	case k.canary:
		k.goBack("the canary failed, before any other office server was restarted: %s on %s: %s", step, host, explain(cause))
		return k.verdict, nil
	case r.farm.Rotation.OnFailure == farm.OnFailureRollBack:
		k.goBack("%s on %s failed: %s", step, host, explain(cause))
		return k.verdict, nil
	}
	p := r.parkingOf(ctx, host, step, cause)
	k.parked = append(k.parked, p)
	r.progress.park(k.parked)
	if err := r.progress.needs(ctx, true); err != nil {
		return "", err
	}
	err := r.await(ctx, !p.Until.IsZero(), r.farm.Rotation.DecisionTimeout, fmt.Sprintf("%s on %s is parked", step, host),
		func() bool { return p.choice != "" || k.verdict != "" })
	k.parked = slices.DeleteFunc(k.parked, func(q *blockedStep) bool { return q == p })
	k.released = workflow.Now(ctx)
	r.progress.park(k.parked)
	switch {
	case err != nil:
		return "", err
	case p.choice != "":
	case k.verdict != "":
		p.choice = k.verdict
	case k.noWayBack != "":
		p.choice = farm.Retry
	default:
		k.goBack("nobody decided in time about %s on %s: %s", step, host, explain(cause))
		p.choice = k.verdict
	}
	return p.choice, r.progress.needs(ctx, len(k.parked) > 0)
}

// parkingOf says what is parked, until when, and what then follows.
func (r *rotation) parkingOf(ctx workflow.Context, host string, step farm.Step, cause error) *blockedStep {
	p := &blockedStep{
		Blocked: farm.Blocked{
			Server: host, Step: step, Text: explain(cause),
			Until: workflow.Now(ctx).Add(r.farm.Rotation.DecisionTimeout), Then: "then the rotation is rolled back",
		},
		skippable: r.skippable(host), inFarm: r.inFarm(host),
	}
	if r.decisions.noWayBack != "" {
		p.Then = "then it is tried again"
		// Before this version such a park waited for ever, and had no timer.
		if !since(ctx, parksEnd) {
			p.Until, p.Then = time.Time{}, "it waits until somebody decides"
		}
	}
	return p
}

// goesOn says whether the rotation goes on after a choice.
func goesOn(choice farm.Choice) bool { return choice == farm.Retry || choice == farm.Skip }

// await waits until done, for at most patience if bounded.
func (r *rotation) await(ctx workflow.Context, bounded bool, patience time.Duration, summary string, done func() bool) error {
	if !bounded {
		return workflow.Await(ctx, done)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: patience, TimerOptions: workflow.TimerOptions{Summary: summary},
	}, done)
	return err
}

// skippable says whether a rotation can go on without a server: an office
// server other than the master can be left out, a SharePoint server cannot.
func (r *rotation) skippable(host string) bool {
	master, known := r.observed.Master()
	return known && host != master.Machine.Host && slices.Contains(officeHosts(r.farm), host)
}

// inFarm says whether the master lists a server as a machine of the farm.
func (r *rotation) inFarm(host string) bool {
	master, _ := r.observed.Master()
	name := officeServer(r.observed, host).Machine.Name
	return slices.ContainsFunc(master.Settings.Machines, func(m string) bool { return farm.SameMachine(m, name) })
}

// endsRotation says that an error is not for parking: the rotation was cancelled, or
// has been decided to end.
func endsRotation(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, errDecided)
}
