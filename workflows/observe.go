package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// observe looks at every server and keeps what it saw in r.observed, in
// configured order. A look that is not complete replaces nothing.
func (r *rotation) observe(ctx workflow.Context, step farm.Step) error {
	look := newLook(r.farm, r.target, observing)
	look.skip = r.decisions.skipped
	for i, s := range r.farm.Office.Servers {
		if slices.Contains(look.skip, s.Host) {
			// A server that was left out may be gone: what was seen last stands.
			look.observed.Office[i] = officeServer(r.observed, s.Host)
		}
	}
	look.begin = func(ctx workflow.Context, host string) { r.progress.begin(ctx, host, step) }
	look.finish = func(ctx workflow.Context, host string, err error) { r.progress.looked(ctx, host, step, err) }
	if err := look.all(ctx); err != nil {
		return err
	}
	r.observed = look.observed
	return nil
}

// serverError says on which server a look failed, or found what must not be.
type serverError struct {
	host  string
	cause error
}

func (e *serverError) Error() string { return e.cause.Error() }

func (e *serverError) Unwrap() error { return e.cause }

// orPark repeats a look until it succeeds, and parks on the server that it
// fails on; what fails on no server in particular is returned.
func (r *rotation) orPark(ctx workflow.Context, step farm.Step, look func() error) error {
	for {
		err := look()
		var failed *serverError
		if !errors.As(err, &failed) || endsRotation(err) {
			return err
		}
		if choice, err := r.park(ctx, failed.host, step, failed.cause); err != nil || !goesOn(choice) {
			return errors.Join(err, errDecided)
		}
	}
}

// look is one observation of a whole farm.
type look struct {
	farm   farm.Farm
	target farm.Certificate
	// options is the class of the look's activities.
	options func(workflow.Context, string) workflow.Context
	// skip are office servers that are not looked at.
	skip     []string
	begin    func(ctx workflow.Context, host string)
	finish   func(ctx workflow.Context, host string, err error)
	observed farm.Observed
}

func newLook(f farm.Farm, target farm.Certificate, options func(workflow.Context, string) workflow.Context) *look {
	l := &look{farm: f, target: target, options: options}
	l.observed.Office = make([]farm.OfficeServer, len(f.Office.Servers))
	l.observed.SharePoint = make([]farm.SharePointFarm, len(f.SharePoint))
	for i, sp := range f.SharePoint {
		l.observed.SharePoint[i].FrontEnd = sp.FrontEnd.Host
	}
	return l
}

// all observes office servers and SharePoint servers, bounded together.
func (l *look) all(ctx workflow.Context) error {
	hosts := append(officeHosts(l.farm), sharePointHosts(l.farm)...)
	servers := make([]farm.SharePointServer, len(hosts))
	looked := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return slices.Contains(l.skip, host) })
	err := each(ctx, looked, l.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		l.begin(ctx, host)
		err := l.server(ctx, host, &servers[slices.Index(hosts, host)])
		l.finish(ctx, host, err)
		if err != nil {
			return &serverError{host: host, cause: err}
		}
		return nil
	})
	next := len(l.farm.Office.Servers)
	for i, sp := range l.farm.SharePoint {
		l.observed.SharePoint[i].Servers = servers[next : next+len(sp.Servers)]
		next += len(sp.Servers)
	}
	return err
}

func (l *look) server(ctx workflow.Context, host string, server *farm.SharePointServer) error {
	in := activities.ServerInput{Farm: l.farm.Name, Host: host, Target: l.target}
	for i, s := range l.farm.Office.Servers {
		if s.Host == host {
			return workflow.ExecuteActivity(l.options(ctx, "observe "+host), a.ObserveOffice, in).Get(ctx, &l.observed.Office[i])
		}
	}
	for i, sp := range l.farm.SharePoint {
		if sp.FrontEnd.Host != host {
			continue
		}
		err := workflow.ExecuteActivity(l.options(ctx, "observe SharePoint farm on "+host), a.ObserveSharePoint, in).Get(ctx, &l.observed.SharePoint[i])
		if err != nil {
			return err
		}
	}
	return workflow.ExecuteActivity(l.options(ctx, "observe services of "+host), a.ObserveSharePointServer, in).Get(ctx, server)
}
