package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// A rollback restores what it can on servers that run before it blocks on one whose
// services do not start: the users of the others have service meanwhile.

// postponeOnRollback is what steps are told to do about a server whose services do
// not run: a rollback leaves it for later, a rotation blocks.
func (r *rotation) postponeOnRollback() func(host string) {
	if r.progress.Phase != farm.PhaseRollingBack {
		return nil
	}
	return r.postpone
}

func (r *rotation) postpone(host string) {
	if !slices.Contains(r.postponed, host) {
		r.postponed = append(r.postponed, host)
	}
}

// withoutPostponed leaves out the servers that are left for later.
func (r *rotation) withoutPostponed(hosts []string) []string {
	return slices.DeleteFunc(hosts, func(host string) bool { return slices.Contains(r.postponed, host) })
}

// postponeStopped leaves for later what was observed with a stopped service.
func (r *rotation) postponeStopped() {
	for _, s := range r.observed.Office {
		if len(s.StoppedServices()) > 0 {
			r.postpone(s.Machine.Host)
		}
	}
	for _, f := range r.observed.SharePoint {
		for _, s := range f.Servers {
			if len(s.StoppedServices()) > 0 {
				r.postpone(s.Machine.Host)
			}
		}
	}
}

// baselineOfRollback is how servers answered before the first change, for the
// rollback of a finished rotation, which has no observation of its own before it. A
// server whose services do not run now is to answer as it did before the rotation.
func (r *rotation) baselineOfRollback() farm.Observed {
	baseline := r.observed
	baseline.Office = slices.Clone(baseline.Office)
	for i, s := range baseline.Office {
		if before := r.snapshot.Before.OfficeServer(s.Machine.Host); len(s.StoppedServices()) > 0 && before.Machine.Host != "" {
			before.Machine = s.Machine
			baseline.Office[i] = before
		}
	}
	baseline.SharePoint = slices.Clone(baseline.SharePoint)
	for i, f := range baseline.SharePoint {
		before, _ := r.snapshot.Before.Farm(f.FrontEnd)
		baseline.SharePoint[i].Servers = slices.Clone(f.Servers)
		for j, s := range f.Servers {
			if was := before.Server(s.Machine.Host); len(s.StoppedServices()) > 0 && was.Machine.Host != "" {
				was.Machine = s.Machine
				baseline.SharePoint[i].Servers[j] = was
			}
		}
	}
	return baseline
}

// startStoppedMasters starts the masters on which nothing can be set now.
func (r *rotation) startStoppedMasters(ctx workflow.Context) error {
	for _, office := range r.farm.Offices() {
		if r.observed.OfficeServer(r.masterHost(office)).Joined {
			continue
		}
		if err := r.startMaster(ctx, office); err != nil {
			return err
		}
		// It may be another one by now.
		master := r.masterHost(office)
		r.postponed = slices.DeleteFunc(r.postponed, func(host string) bool { return host == master })
	}
	return nil
}

func (r *rotation) startMaster(ctx workflow.Context, office farm.Office) error {
	return r.runOnMaster(ctx, office, farm.StepStart, func(host string) workflow.Future { return r.startOffice(ctx, host, true) })
}

// startServices starts what is stopped on an office server.
func (r *rotation) startServices(ctx workflow.Context, host string) error {
	_, err := r.runStep(ctx, stepOn{host: host, step: farm.StepStart}, func() workflow.Future { return r.startOffice(ctx, host, false) })
	return err
}

func (r *rotation) startOffice(ctx workflow.Context, host string, master bool) workflow.Future {
	in := activities.StartOfficeInput{ServerInput: r.onServer(host), Before: r.snapshot.OfficeBefore(host), Name: r.wantedName(host), Master: master}
	return workflow.ExecuteActivity(restartOptions(ctx, "start WACSM and IIS on "+host), a.StartOffice, in)
}

// wantedName is the S2S setting of a server's office farm that this run works
// towards.
func (r *rotation) wantedName(host string) string {
	if r.isGoingBack() {
		return r.settingsBefore(host).Farm.S2SCertificateName
	}
	return r.target.FriendlyName
}

// recoverPostponed gets the servers that were left for later running, one by one,
// and does on each what the others have had. Office servers that are still down keep
// nobody else waiting: SharePoint comes first.
func (r *rotation) recoverPostponed(ctx workflow.Context) error {
	for _, frontEnd := range r.farm.FrontEnds() {
		for _, s := range r.farm.SharePointServers(frontEnd) {
			if !slices.Contains(r.postponed, s.Host) || r.decisions.isSkipped(s.Host) {
				continue
			}
			if _, err := r.restartSharePointServer(ctx, frontEnd, s.Host, nil); err != nil {
				return err
			}
		}
	}
	for _, host := range r.officeHosts() {
		if !slices.Contains(r.postponed, host) {
			continue
		}
		if err := r.recoverOffice(ctx, host); err != nil {
			return err
		}
	}
	return nil
}

func (r *rotation) recoverOffice(ctx workflow.Context, host string) error {
	if err := r.startServices(ctx, host); err != nil || r.decisions.isSkipped(host) {
		return err
	}
	if !r.snapshot.WasClearRefused(r.officeOf(host).Name) {
		if err := r.awaitReplicationTo(ctx, host, nil); err != nil || r.decisions.isSkipped(host) {
			return err
		}
	}
	_, err := r.restartOfficeServer(ctx, host, true)
	return err
}
