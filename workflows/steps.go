package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func (r *rotation) importCertificate(ctx workflow.Context) error {
	return r.eachOffice(ctx, farm.StepImport, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "import certificate on "+host), a.ImportCertificate,
			activities.ImportInput{ServerInput: r.on(host), WindowsBuild: officeServer(r.baseline, host).Machine.WindowsBuild})
	})
}

func (r *rotation) grantKey(ctx workflow.Context) error {
	return r.eachOffice(ctx, farm.StepGrant, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "grant NETWORK SERVICE the key on "+host), a.GrantKey, r.on(host))
	})
}

func (r *rotation) exportCertificate(ctx workflow.Context) error {
	master, _ := r.observed.Master()
	host := master.Machine.Host
	_, err := r.step(ctx, farm.StepExport, host, func() workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "export public certificate from "+host), a.ExportCertificate, r.on(host))
	})
	return err
}

func (r *rotation) trustRootAuthorities(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		result, err := r.step(ctx, farm.StepRootAuthority, host, func() workflow.Future {
			return workflow.ExecuteActivity(changing(ctx, "trust root authority on "+host), a.TrustRootAuthorities, r.on(host))
		})
		r.noteTrustChange(host, result)
		return err
	})
}

func (r *rotation) setS2SCertificate(ctx workflow.Context) error {
	_, err := r.onMaster(ctx, farm.StepS2SName, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "set S2S certificate on master "+host), a.SetS2SCertificate, r.on(host))
	})
	return err
}

func (r *rotation) seeS2SCertificate(ctx workflow.Context) error {
	return r.awaitName(ctx, r.target.FriendlyName)
}

// awaitName waits until every office server sees the farm's S2S setting.
func (r *rotation) awaitName(ctx workflow.Context, name string) error {
	return r.eachOffice(ctx, farm.StepReplication, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "see S2S certificate on "+host), a.AwaitReplication,
			activities.ReplicationInput{ServerInput: r.on(host), Name: name})
	})
}

func (r *rotation) setHTTPSwitches(ctx workflow.Context) error {
	if r.farm.Office.AllowOutboundHTTP == nil && r.farm.Office.AllowHTTPSecureStoreConnections == nil {
		return nil
	}
	_, err := r.onMaster(ctx, farm.StepHTTPSettings, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "set HTTP switches on master "+host), a.SetHTTPSettings, r.on(host))
	})
	return err
}

// onMaster runs a step on the master. The master is rediscovered just before
// use: a server that is not, or no longer, the master says which machine is.
func (r *rotation) onMaster(ctx workflow.Context, step farm.Step, run func(host string) workflow.Future) (activities.StepResult, error) {
	master, _ := r.observed.Master()
	host := master.Machine.Host
	for range r.farm.Office.Servers {
		result, err := r.step(ctx, step, host, func() workflow.Future { return run(host) })
		if err != nil || result.MovedTo == "" {
			if result.Changed {
				r.settingsChanged = result.At
			}
			return result, err
		}
		r.progress.withdraw(host, step)
		if host = hostOf(r.observed, result.MovedTo); host == "" {
			return result, fmt.Errorf("the master is now %s, which is not configured: add it to office.servers", result.MovedTo)
		}
	}
	return activities.StepResult{}, fmt.Errorf("no office server keeps the master role long enough to be configured: the last was %s", host)
}

// trustIssuers registers the two issuers one after the other: SharePoint
// answers concurrent changes with an update conflict.
func (r *rotation) trustIssuers(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		for _, issuer := range farm.Issuers() {
			result, err := r.step(ctx, farm.StepIssuer, host, func() workflow.Future {
				return workflow.ExecuteActivity(changing(ctx, "trust issuer "+issuer.Product+" on "+host), a.TrustIssuer,
					activities.TrustIssuerInput{ServerInput: r.on(host), Issuer: issuer.RegisteredName})
			})
			if err != nil {
				return err
			}
			r.noteTrustChange(host, result)
		}
		return nil
	})
}

func (r *rotation) noteTrustChange(frontEnd string, result activities.StepResult) {
	if result.Changed {
		r.trustChanged[frontEnd] = result.At
	}
}

// restartSharePoint restarts the servers of each farm one after the other, so
// that its sites stay up behind their load balancer; farms in parallel.
func (r *rotation) restartSharePoint(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, frontEnd string) error {
		seen, _ := r.observed.Farm(frontEnd)
		since := seen.TrustChangedAt()
		if changed := r.trustChanged[frontEnd]; changed.After(since) {
			since = changed
		}
		for _, s := range sharePointServers(r.farm, frontEnd) {
			_, err := r.step(ctx, r.restart, s.Host, func() workflow.Future {
				return workflow.ExecuteActivity(restarting(ctx, "restart IIS and SPTimerV4 on "+s.Host), a.RestartSharePoint,
					activities.RestartSharePointInput{ServerInput: r.on(s.Host), Since: since})
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// restartOffice restarts one office server alone, the canary, and the others
// in batches; a batch starts only when every server before it answers again.
// A server that was restarted before, as where a rotation is resumed, proves
// nothing: the canary is the first that really restarts.
func (r *rotation) restartOffice(ctx workflow.Context) error {
	defer func() { r.decisions.canary = false }()
	r.decisions.canary = true
	for hosts := r.officeHosts(); len(hosts) > 0; {
		size := 1
		if !r.decisions.canary {
			size = max(r.farm.Rotation.RestartAtOnce, 1)
		}
		batch := hosts[:min(size, len(hosts))]
		hosts = hosts[len(batch):]
		if err := each(ctx, batch, len(batch), r.restartOfficeServer); err != nil {
			return err
		}
	}
	return nil
}

func (r *rotation) restartOfficeServer(ctx workflow.Context, host string) error {
	result, err := r.step(ctx, r.restart, host, func() workflow.Future {
		return workflow.ExecuteActivity(restarting(ctx, "restart WACSM and IIS on "+host), a.RestartOffice,
			activities.RestartOfficeInput{ServerInput: r.on(host), Baseline: officeServer(r.baseline, host), Since: r.settingsChanged})
	})
	if result.Changed {
		r.decisions.canary = false
	}
	return err
}

func officeServer(o farm.Observed, host string) farm.OfficeServer {
	for _, s := range o.Office {
		if s.Machine.Host == host {
			return s
		}
	}
	return farm.OfficeServer{}
}

func hostOf(o farm.Observed, machine string) string {
	for _, s := range o.Office {
		if farm.SameMachine(s.Machine.Name, machine) {
			return s.Machine.Host
		}
	}
	return ""
}

func sharePointServers(f farm.Farm, frontEnd string) []farm.Server {
	for _, sp := range f.SharePoint {
		if sp.FrontEnd.Host == frontEnd {
			return sp.Servers
		}
	}
	return nil
}
