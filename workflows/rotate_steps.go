package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func (r *rotation) importCertificate(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepImport, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "import certificate on "+host), a.ImportCertificate, r.onServer(host))
	})
}

func (r *rotation) grantKey(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepGrant, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "grant NETWORK SERVICE the key on "+host), a.GrantKey, r.onServer(host))
	})
}

func (r *rotation) exportCertificate(ctx workflow.Context) error {
	for _, office := range r.farm.Offices() {
		host := r.masterHost(office)
		if _, err := r.runStep(ctx, stepOn{host: host, step: farm.StepExport}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "export public certificate from "+host), a.ExportCertificate, r.onServer(host))
		}); err != nil {
			return err
		}
	}
	return nil
}

// runOnFrontEnds runs a step on the front end of every SharePoint farm.
func (o *operation) runOnFrontEnds(ctx workflow.Context, step func(ctx workflow.Context, host string) error) error {
	return forEach(ctx, o.farm.FrontEnds(), o.farm.Rotation.AtOnce, step)
}

func (r *rotation) trustRootAuthorities(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		result, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRootAuthority}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "trust root authority on "+host), a.TrustRootAuthorities, r.onServer(host))
		})
		r.noteTrustChange(host, result)
		return err
	})
}

func (r *rotation) setS2SCertificate(ctx workflow.Context) error {
	return r.runOnMasters(ctx, farm.StepS2SName, everyOffice, func(_ farm.Office, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "set S2S certificate on master "+host), a.SetS2SCertificate, r.onServer(host))
	})
}

func (r *rotation) awaitReplication(ctx workflow.Context) error {
	return r.awaitReplicationOn(ctx, r.officeHosts())
}

// awaitReplicationOn waits until office servers that are not postponed have the S2S
// setting of their office farm.
func (r *rotation) awaitReplicationOn(ctx workflow.Context, hosts []string) error {
	return forEach(ctx, r.withoutPostponed(hosts), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		return r.awaitReplicationTo(ctx, host, r.postponeOnRollback())
	})
}

// awaitReplicationTo waits until an office server has the S2S setting that this run
// works towards, and has it show the certificate that goes with it.
func (r *rotation) awaitReplicationTo(ctx workflow.Context, host string, postpone func(host string)) error {
	s := stepOn{host: host, step: r.replicationStep, postpone: postpone}
	s.beforeRetry = func(ctx workflow.Context) error { return r.startServices(ctx, host) }
	result, err := r.runStep(ctx, s, func() workflow.Future {
		in := activities.ReplicationInput{ServerInput: r.onServer(host)}
		if r.isGoingBack() {
			before := r.settingsBefore(host)
			in.Before = &before
		}
		return workflow.ExecuteActivity(changeOptions(ctx, "wait for the S2S certificate on "+host), a.AwaitReplication, in)
	})
	// A service that was started while the setting was on its way has not loaded it.
	if !r.settingsChangedAt[r.officeOf(host).Name].IsZero() || slices.Contains(r.postponed, host) {
		r.settingsArrivedAt[host] = result.At
	}
	return err
}

func (r *rotation) setHTTPSettings(ctx workflow.Context) error {
	return r.runOnMasters(ctx, farm.StepHTTPSettings, farm.Office.HasHTTPSettings, func(_ farm.Office, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "set HTTP settings on master "+host), a.SetHTTPSettings, r.onServer(host))
	})
}

// trustIssuers registers the two issuers one after the other: SharePoint
// answers concurrent changes with an update conflict.
func (r *rotation) trustIssuers(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		observed, _ := r.observed.Farm(host)
		for _, issuer := range farm.Issuers() {
			held, _ := observed.Issuer(issuer.RegisteredName)
			result, err := r.runStep(ctx, stepOn{host: host, step: farm.StepIssuer}, func() workflow.Future {
				return workflow.ExecuteActivity(changeOptions(ctx, "trust issuer "+issuer.Product+" on "+host), a.TrustIssuer,
					activities.TrustIssuerInput{
						ServerInput: r.onServer(host), Issuer: issuer.RegisteredName, Held: held.Thumbprint, Permissions: observed.Permissions,
					})
			})
			if err != nil {
				return err
			}
			r.noteTrustChange(host, result)
		}
		return nil
	})
}

// onServer names a server and the target for an activity, with the run's mandate.
func (r *rotation) onServer(host string) activities.ServerInput {
	return activities.ServerInput{Farm: r.farm.Name, Host: host, Target: r.target, Mandate: r.mandate}
}

// masterHost returns the host of an office farm's master, as far as it is known.
func (r *rotation) masterHost(office farm.Office) string { return r.master(office).Machine.Host }

// officeOf returns the office farm of an office server.
func (r *rotation) officeOf(host string) farm.Office {
	office, _ := r.farm.OfficeOf(host)
	return office
}

func everyOffice(farm.Office) bool { return true }

// runOnMasters runs a step on the master of each office farm that is wanted, one
// after the other.
func (r *rotation) runOnMasters(ctx workflow.Context, step farm.Step, wanted func(farm.Office) bool, run func(office farm.Office, host string) workflow.Future) error {
	for _, office := range r.farm.Offices() {
		if !wanted(office) {
			continue
		}
		if err := r.runOnMaster(ctx, office, step, func(host string) workflow.Future { return run(office, host) }); err != nil {
			return err
		}
	}
	return nil
}

// runOnMaster runs a step on the master of an office farm. The master is
// rediscovered just before use: a server that is not, or no longer, the master says
// which machine is.
func (r *rotation) runOnMaster(ctx workflow.Context, office farm.Office, step farm.Step, run func(host string) workflow.Future) error {
	s := stepOn{host: r.masterHost(office), step: step}
	if step != farm.StepStart {
		s.beforeRetry = func(ctx workflow.Context) error { return r.startMaster(ctx, office) }
	}
	for moves := 1; ; moves++ {
		result, err := r.runStep(ctx, s, func() workflow.Future { return run(s.host) })
		if err != nil || result.MovedTo == "" {
			if step != farm.StepStart {
				r.noteSettingsChange(office, result)
			}
			return err
		}
		r.progress.removeStep(s.host, step)
		next, cause := r.observed.HostOf(office.Name, result.MovedTo), error(nil)
		switch {
		case next == "":
			cause = fmt.Errorf("the master is now %s, which is not configured: make a configured server the master, then retry", result.MovedTo)
		case moves%(len(office.Servers)+1) == 0:
			cause = errors.New("no office server keeps the master role long enough to be configured: leave it where it is, then retry")
		default:
			s.host, r.knownMasters[office.Name] = next, r.observed.OfficeServer(next)
			continue
		}
		failed := failedStep{host: s.host, step: step, cause: cause}
		if r.tries {
			return &stepFailure{failed}
		}
		if err := r.blockUnlessResolved(ctx, failed); err != nil {
			return err
		}
	}
}

func (r *rotation) noteSettingsChange(office farm.Office, result activities.StepResult) {
	if result.Changed && !result.SettingsKept {
		r.settingsChangedAt[office.Name] = result.At
	}
	if result.ClearRefused {
		r.snapshot.ClearRefused = append(r.snapshot.ClearRefused, office.Name)
	}
}

// forgetChanges begins to note what this run changes.
func (r *rotation) forgetChanges() {
	r.trustChangedAt, r.settingsChangedAt, r.settingsArrivedAt = map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
}

func (r *rotation) noteTrustChange(frontEnd string, result activities.StepResult) {
	if result.Changed {
		r.trustChangedAt[frontEnd] = result.At
	}
}
