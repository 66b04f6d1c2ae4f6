package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// restartSharePoint restarts the servers of each farm one after the other, so
// that its sites stay up behind their load balancer; farms in parallel.
func (r *rotation) restartSharePoint(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, frontEnd string) error {
		// A rollback leaves out a server that does not start, for the sake of the others,
		// but not before one of them has shown that servers do start.
		var postpone func(host string)
		for _, s := range r.farm.SharePointServers(frontEnd) {
			if slices.Contains(r.postponed, s.Host) || r.decisions.isSkipped(s.Host) {
				continue
			}
			result, err := r.restartSharePointServer(ctx, frontEnd, s.Host, postpone)
			if err != nil {
				return err
			}
			if result.Changed {
				postpone = r.postponeOnRollback()
			}
		}
		return nil
	})
}

func (r *rotation) restartSharePointServer(ctx workflow.Context, frontEnd, host string, postpone func(host string)) (activities.StepResult, error) {
	in := activities.RestartSharePointInput{ServerInput: r.onServer(host), Since: r.trustChangeOf(frontEnd)}
	sharePoint, _ := r.baseline.Farm(frontEnd)
	in.Baseline = sharePoint.Server(host)
	return r.runStep(ctx, stepOn{host: host, step: r.restartStep, postpone: postpone}, func() workflow.Future {
		return workflow.ExecuteActivity(restartOptions(ctx, "restart IIS and SPTimerV4 on "+host), a.RestartSharePoint, in)
	})
}

// trustChangeOf returns when the trust of a SharePoint farm was last changed, by
// this run or, as far as issuers tell, before it.
func (r *rotation) trustChangeOf(frontEnd string) time.Time {
	observed, _ := r.observed.Farm(frontEnd)
	since := observed.TrustChangedAt()
	if changed := r.trustChangedAt[frontEnd]; changed.After(since) {
		since = changed
	}
	return since
}

// restartOffice restarts one office server alone, the canary, and the others in
// batches; a batch starts only when every server before it answers again. The
// master is the last, alone: while its service is down nothing can be set. A
// server that was restarted before, as where a rotation is resumed, proves
// nothing: the canary is the first that really restarts. Office farms follow one
// another, so that never two of them are restarted at once. [farm.PlanRestarts] plans
// this order.
func (r *rotation) restartOffice(ctx workflow.Context) error {
	canaryPassed := false
	for _, office := range r.farm.Offices() {
		for hosts := r.masterLast(office); len(hosts) > 0; {
			batch := hosts[:r.farm.Rotation.RestartBatch(canaryPassed, len(hosts))]
			hosts = hosts[len(batch):]
			isCanary := !canaryPassed
			if err := forEach(ctx, batch, len(batch), func(ctx workflow.Context, host string) error {
				result, err := r.restartOfficeServer(ctx, host, isCanary)
				canaryPassed = canaryPassed || result.Changed
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// masterLast lists the servers of an office farm that take part and are not
// postponed, the master last.
func (r *rotation) masterLast(office farm.Office) []string {
	hosts := r.withoutPostponed(slices.DeleteFunc(office.Hosts(), r.decisions.isSkipped))
	return farm.MasterLast(hosts, r.masterHost(office))
}

func (r *rotation) restartOfficeServer(ctx workflow.Context, host string, canary bool) (activities.StepResult, error) {
	s := stepOn{host: host, step: r.restartStep, canary: canary}
	if !canary {
		s.postpone = r.postponeOnRollback()
	}
	var trusted time.Time
	for _, frontEnd := range r.farm.FrontEnds() {
		if at := r.trustChangeOf(frontEnd); at.After(trusted) {
			trusted = at
		}
	}
	changed := r.settingsChangedAt[r.officeOf(host).Name]
	if arrived := r.settingsArrivedAt[host]; arrived.After(changed) {
		changed = arrived
	}
	return r.runStep(ctx, s, func() workflow.Future {
		return workflow.ExecuteActivity(restartOptions(ctx, "restart WACSM and IIS on "+host), a.RestartOffice, activities.RestartOfficeInput{
			ServerInput: r.onServer(host), Baseline: r.baseline.OfficeServer(host), NotBefore: changed, UnlessNoted: trusted,
		})
	})
}

// blockAndRestart blocks on what a verification found left to do. When an operator
// asks for another attempt, the restarts among it are made: a service may have
// stopped after its server's turn. Where restarts alone are left, they are made once
// without asking: a server may have loaded its settings while they were written.
func (r *rotation) blockAndRestart(ctx workflow.Context, cause error, left []farm.Difference) error {
	restartsAlone := !slices.ContainsFunc(left, func(d farm.Difference) bool { return d.Step != r.restartStep })
	if restartsAlone && !r.restartedAgain {
		r.restartedAgain = true
		return r.makeRestarts(ctx, left)
	}
	choice, err := r.block(ctx, failedStep{host: left[0].Server, step: farm.StepVerify, cause: cause, everywhere: true})
	switch {
	case err != nil:
		return err
	case choice == farm.Skip:
		return nil
	case choice != farm.Retry:
		return errResolved
	}
	return r.makeRestarts(ctx, left)
}

// makeRestarts makes the restarts among what is left to do.
func (r *rotation) makeRestarts(ctx workflow.Context, left []farm.Difference) error {
	for _, d := range left {
		if d.Step != r.restartStep || r.decisions.isSkipped(d.Server) {
			continue
		}
		var err error
		if _, office := r.farm.OfficeServer(d.Server); office {
			_, err = r.restartOfficeServer(ctx, d.Server, false)
		} else {
			_, err = r.restartSharePointServer(ctx, r.farm.FrontEndOf(d.Server), d.Server, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
