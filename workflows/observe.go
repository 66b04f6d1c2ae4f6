package workflows

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// observe observes every server and keeps the result in r.observed. An
// observation that is not complete replaces nothing, but may tell who is the master
// now.
func (r *rotation) observe(ctx workflow.Context, step farm.Step) error {
	o := &observation{farm: r.farm, target: r.target, previous: r.knownPrevious(), options: observeOptionsFor(step), isSkipped: r.decisions.isSkipped}
	o.started = func(ctx workflow.Context, host string) { r.progress.startStep(ctx, host, step) }
	o.finished = func(ctx workflow.Context, host string, err error) { r.progress.finishObservation(ctx, host, step, err) }
	observed, err := o.run(ctx, r.observed)
	r.noteMasters(observed)
	if err == nil {
		r.observed = observed
	}
	return err
}

// noteMasters keeps what is known of the masters: while its service is stopped, one
// is who it was, with the settings that it had, unless the other servers say that it
// is another one now.
func (o *operation) noteMasters(observed farm.Observed) {
	for _, master := range observed.Masters() {
		if master.Joined || master.Machine.Host != o.knownMasters[master.OfficeFarm].Machine.Host {
			o.knownMasters[master.OfficeFarm] = master
		}
	}
}

// master returns the master of an office farm as far as it is known. Before anything
// is, that is its first server, which knows who is.
func (o *operation) master(office farm.Office) farm.OfficeServer {
	if known, ok := o.knownMasters[office.Name]; ok {
		return known
	}
	return farm.OfficeServer{Machine: farm.Machine{Host: office.Servers[0].Host}}
}

// knownPrevious returns what is known of the certificates that a rollback would
// restore, by host; nil before the first observation.
func (r *rotation) knownPrevious() func(host string) farm.Thumbprint {
	s := r.snapshot
	if given := r.input.Snapshot; s == nil && given != nil && given.Target.Thumbprint == r.target.Thumbprint {
		s = given
	}
	if s == nil {
		return nil
	}
	return func(host string) farm.Thumbprint { return s.PreviousOn(host).Thumbprint }
}

// observation observes a whole farm.
type observation struct {
	farm   farm.Farm
	target farm.Certificate
	// previous is the certificate that a rollback would restore on an office server;
	// nil when that is not known.
	previous func(host string) farm.Thumbprint
	// options are the class of its activities.
	options func(workflow.Context, string) workflow.Context
	// isSkipped reports whether a server is not to be observed.
	isSkipped func(host string) bool
	started   func(ctx workflow.Context, host string)
	finished  func(ctx workflow.Context, host string, err error)
}

// run observes the farm. Where a server does not show by itself that it could sign
// with the certificate in use, as when it has it under another name, it is observed
// again with that certificate.
func (o *observation) run(ctx workflow.Context, before farm.Observed) (farm.Observed, error) {
	observed, err := o.observeServers(ctx, before)
	if err != nil || o.previous != nil {
		return observed, err
	}
	current, unproven := observed.UnprovenCurrent(o.target.Thumbprint)
	if !unproven {
		return observed, nil
	}
	o.previous = func(string) farm.Thumbprint { return current }
	return o.observeServers(ctx, before)
}

// observeServers observes office servers and SharePoint servers, bounded together,
// and returns them in configured order. What was observed before stands for servers
// that are skipped: they may be gone.
func (o *observation) observeServers(ctx workflow.Context, before farm.Observed) (farm.Observed, error) {
	readings := farm.Readings{}
	hosts := slices.DeleteFunc(slices.Concat(o.farm.OfficeHosts(), o.farm.SharePointHosts()), o.isSkipped)
	err := forEach(ctx, hosts, o.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		o.started(ctx, host)
		reading, err := o.observeServer(ctx, host)
		readings[host] = reading
		o.finished(ctx, host, err)
		if err != nil {
			return &serverError{host: host, cause: err}
		}
		return nil
	})
	if tooMuch := readings.FindTooMuch(hosts); err == nil && tooMuch != nil {
		err = &serverError{host: tooMuch.Host, cause: temporal.NewNonRetryableApplicationError(tooMuch.Error(), activities.TooMuch, nil)}
	}
	readings.Keep(o.farm, before, o.isSkipped)
	return readings.Observed(o.farm), err
}

func (o *observation) previousOn(host string) farm.Thumbprint {
	if o.previous == nil {
		return ""
	}
	return o.previous(host)
}

func (o *observation) observeServer(ctx workflow.Context, host string) (reading farm.Reading, err error) {
	in := activities.ServerInput{Farm: o.farm.Name, Host: host, Target: o.target}
	if _, office := o.farm.OfficeServer(host); office {
		in := activities.ObserveInput{ServerInput: in, Previous: o.previousOn(host)}
		err = workflow.ExecuteActivity(o.options(ctx, "observe "+host), a.ObserveOffice, in).Get(ctx, &reading.Office)
		return reading, err
	}
	if o.farm.IsFrontEnd(host) {
		if err := workflow.ExecuteActivity(o.options(ctx, "observe SharePoint farm on "+host), a.ObserveSharePoint, in).Get(ctx, &reading.Farm); err != nil {
			return farm.Reading{}, err
		}
	}
	err = workflow.ExecuteActivity(o.options(ctx, "observe services of "+host), a.ObserveSharePointServer, in).Get(ctx, &reading.SharePoint)
	return reading, err
}
