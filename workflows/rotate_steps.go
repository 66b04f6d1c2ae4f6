package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func (r *rotation) importCertificate(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepImport, func(ctx workflow.Context, host string) workflow.Future {
		before := r.baseline.OfficeServer(host)
		return workflow.ExecuteActivity(changeOptions(ctx, "import certificate on "+host), a.ImportCertificate,
			activities.ImportInput{ServerInput: r.onServer(host), WindowsBuild: before.Machine.WindowsBuild, Archived: before.ImportsArchived(r.target)})
	})
}

func (r *rotation) grantKey(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepGrant, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "grant NETWORK SERVICE the key on "+host), a.GrantKey, r.onServer(host))
	})
}

func (r *rotation) exportCertificate(ctx workflow.Context) error {
	master, _ := r.observed.Master()
	host := master.Machine.Host
	_, err := r.runStep(ctx, stepOn{host: host, step: farm.StepExport}, func() workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "export public certificate from "+host), a.ExportCertificate, r.onServer(host))
	})
	return err
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
	_, err := r.runOnMaster(ctx, farm.StepS2SName, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "set S2S certificate on master "+host), a.SetS2SCertificate,
			activities.SetS2SInput{ServerInput: r.onServer(host), Archive: r.observed.OfficeServer(host).VisibleSharers(r.target)})
	})
	return err
}

func (r *rotation) awaitReplication(ctx workflow.Context) error {
	return r.awaitReplicationOf(ctx, r.target.FriendlyName, func(host string) (unarchive, archive []farm.Thumbprint) {
		return []farm.Thumbprint{r.target.Thumbprint}, r.observed.OfficeServer(host).VisibleSharers(r.target)
	})
}

// awaitReplicationOf waits until every office server has the farm's S2S setting, and
// has each make the certificates visible that go with it.
func (r *rotation) awaitReplicationOf(ctx workflow.Context, name string, visibility func(host string) (unarchive, archive []farm.Thumbprint)) error {
	return r.runOnOffice(ctx, farm.StepReplication, func(ctx workflow.Context, host string) workflow.Future {
		unarchive, archive := visibility(host)
		return workflow.ExecuteActivity(changeOptions(ctx, "wait for the S2S certificate on "+host), a.AwaitReplication,
			activities.ReplicationInput{ServerInput: r.onServer(host), Name: name, Unarchive: unarchive, Archive: archive})
	})
}

func (r *rotation) setHTTPSettings(ctx workflow.Context) error {
	if !r.farm.Office.HasHTTPSettings() {
		return nil
	}
	_, err := r.runOnMaster(ctx, farm.StepHTTPSettings, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "set HTTP settings on master "+host), a.SetHTTPSettings, r.onServer(host))
	})
	return err
}

// trustIssuers registers the two issuers one after the other: SharePoint
// answers concurrent changes with an update conflict.
func (r *rotation) trustIssuers(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		for _, issuer := range farm.Issuers() {
			result, err := r.runStep(ctx, stepOn{host: host, step: farm.StepIssuer}, func() workflow.Future {
				return workflow.ExecuteActivity(changeOptions(ctx, "trust issuer "+issuer.Product+" on "+host), a.TrustIssuer,
					activities.TrustIssuerInput{ServerInput: r.onServer(host), Issuer: issuer.RegisteredName})
			})
			if err != nil {
				return err
			}
			r.noteTrustChange(host, result)
		}
		return nil
	})
}

// restartSharePoint restarts the servers of each farm one after the other, so
// that its sites stay up behind their load balancer; farms in parallel.
func (r *rotation) restartSharePoint(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, frontEnd string) error {
		observed, _ := r.observed.Farm(frontEnd)
		since := observed.TrustChangedAt()
		if changed := r.trustChangedAt[frontEnd]; changed.After(since) {
			since = changed
		}
		for _, s := range r.farm.SharePointServers(frontEnd) {
			_, err := r.runStep(ctx, stepOn{host: s.Host, step: r.restartStep}, func() workflow.Future {
				return workflow.ExecuteActivity(restartOptions(ctx, "restart IIS and SPTimerV4 on "+s.Host), a.RestartSharePoint,
					activities.RestartSharePointInput{ServerInput: r.onServer(s.Host), Since: since})
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// restartOffice restarts one office server alone, the canary, and the others in
// batches; a batch starts only when every server before it answers again. A
// server that was restarted before, as where a rotation is resumed, proves
// nothing: the canary is the first that really restarts.
func (r *rotation) restartOffice(ctx workflow.Context) error {
	canaryPassed := false
	for hosts := r.officeHosts(); len(hosts) > 0; {
		size := 1
		if canaryPassed {
			size = max(r.farm.Rotation.RestartAtOnce, 1)
		}
		batch := hosts[:min(size, len(hosts))]
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
	return nil
}

func (r *rotation) restartOfficeServer(ctx workflow.Context, host string, canary bool) (activities.StepResult, error) {
	return r.runStep(ctx, stepOn{host: host, step: r.restartStep, canary: canary}, func() workflow.Future {
		return workflow.ExecuteActivity(restartOptions(ctx, "restart WACSM and IIS on "+host), a.RestartOffice,
			activities.RestartOfficeInput{ServerInput: r.onServer(host), Baseline: r.baseline.OfficeServer(host), Since: r.settingsChangedAt})
	})
}

// onServer names a server and the target for an activity.
func (r *rotation) onServer(host string) activities.ServerInput {
	return activities.ServerInput{Farm: r.farm.Name, Host: host, Target: r.target}
}

// runOnMaster runs a step on the master. The master is rediscovered just before
// use: a server that is not, or no longer, the master says which machine is.
func (r *rotation) runOnMaster(ctx workflow.Context, step farm.Step, run func(host string) workflow.Future) (activities.StepResult, error) {
	master, _ := r.observed.Master()
	host := master.Machine.Host
	for range r.farm.Office.Servers {
		result, err := r.runStep(ctx, stepOn{host: host, step: step}, func() workflow.Future { return run(host) })
		if err != nil || result.MovedTo == "" {
			if result.Changed && !result.SettingsKept {
				r.settingsChangedAt = result.At
			}
			return result, err
		}
		r.progress.removeStep(host, step)
		if host = r.observed.HostOf(result.MovedTo); host == "" {
			return result, fmt.Errorf("the master is now %s, which is not configured: add it to office.servers", result.MovedTo)
		}
	}
	return activities.StepResult{}, errors.New("no office server keeps the master role long enough to be configured: the last was " + host)
}

func (r *rotation) noteTrustChange(frontEnd string, result activities.StepResult) {
	if result.Changed {
		r.trustChangedAt[frontEnd] = result.At
	}
}
