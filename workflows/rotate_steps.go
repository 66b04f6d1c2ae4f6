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
		return workflow.ExecuteActivity(changeOptions(ctx, "import certificate on "+host), a.ImportCertificate,
			activities.ImportInput{ServerInput: r.onServer(host), WindowsBuild: r.baseline.OfficeServer(host).Machine.WindowsBuild})
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
	return r.awaitReplicationTo(ctx, r.officeHosts(), func(string) string { return r.target.FriendlyName })
}

// awaitReplicationTo waits until office servers have the S2S setting of their
// office farm.
func (r *rotation) awaitReplicationTo(ctx workflow.Context, hosts []string, nameFor func(host string) string) error {
	return r.runOnHosts(ctx, hosts, farm.StepReplication, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "wait for the S2S certificate on "+host), a.AwaitReplication,
			activities.ReplicationInput{ServerInput: r.onServer(host), Name: nameFor(host)})
	})
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
// nothing: the canary is the first that really restarts. Office farms follow one
// another, so that never two of them are restarted at once.
func (r *rotation) restartOffice(ctx workflow.Context) error {
	canaryPassed := false
	for _, office := range r.farm.Offices() {
		for hosts := r.mastersLast(office); len(hosts) > 0; {
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
	}
	return nil
}

// mastersLast lists the servers of an office farm that take part, the master last:
// while a member is the canary, the settings can still be set back.
func (r *rotation) mastersLast(office farm.Office) []string {
	hosts := slices.DeleteFunc(office.Hosts(), r.decisions.isSkipped)
	master := r.masterHost(office)
	if i := slices.Index(hosts, master); i >= 0 {
		hosts = append(slices.Delete(hosts, i, i+1), master)
	}
	return hosts
}

func (r *rotation) restartOfficeServer(ctx workflow.Context, host string, canary bool) (activities.StepResult, error) {
	return r.runStep(ctx, stepOn{host: host, step: r.restartStep, canary: canary}, func() workflow.Future {
		return workflow.ExecuteActivity(restartOptions(ctx, "restart WACSM and IIS on "+host), a.RestartOffice,
			activities.RestartOfficeInput{ServerInput: r.onServer(host), Baseline: r.baseline.OfficeServer(host), Since: r.settingsChangedAt[r.officeOf(host).Name]})
	})
}

// onServer names a server and the target for an activity.
func (r *rotation) onServer(host string) activities.ServerInput {
	return activities.ServerInput{Farm: r.farm.Name, Host: host, Target: r.target}
}

// masterHost returns the host of an office farm's master.
func (r *rotation) masterHost(office farm.Office) string {
	master, _ := r.observed.Master(office.Name)
	return master.Machine.Host
}

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
	host := r.masterHost(office)
	for range office.Servers {
		result, err := r.runStep(ctx, stepOn{host: host, step: step}, func() workflow.Future { return run(host) })
		if err != nil || result.MovedTo == "" {
			r.noteSettingsChange(office, result)
			return err
		}
		r.progress.removeStep(host, step)
		if host = r.observed.HostOf(office.Name, result.MovedTo); host == "" {
			return fmt.Errorf("the master is now %s, which is not configured: add it to the servers of its office farm", result.MovedTo)
		}
	}
	return errors.New("no office server keeps the master role long enough to be configured: the last was " + host)
}

func (r *rotation) noteSettingsChange(office farm.Office, result activities.StepResult) {
	if result.Changed {
		r.settingsChangedAt[office.Name] = result.At
	}
	if result.ClearRefused {
		r.clearRefused[office.Name] = true
	}
}

// forgetChanges begins to note what this run changes.
func (r *rotation) forgetChanges() {
	r.trustChangedAt, r.settingsChangedAt = map[string]time.Time{}, map[string]time.Time{}
}

func (r *rotation) noteTrustChange(frontEnd string, result activities.StepResult) {
	if result.Changed {
		r.trustChangedAt[frontEnd] = result.At
	}
}
