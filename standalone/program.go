package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// retention is how long finished rotations stay visible in the UI.
const retention = 30 * 24 * time.Hour

// program is one run of the command.
type program struct {
	options
	// out takes reports, err whatever else operators should see.
	out, err io.Writer
}

// run does all that was asked for and reports whether the trust is as desired.
func (p *program) run(ctx context.Context) (verified bool, err error) {
	log, closeLog, err := openLog(p.log, p.err)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	j, err := p.newJob(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	server, err := embedded.Start(ctx, embedded.Options{
		Port: p.port, UIPort: p.uiPort, DataDir: j.data, Retention: retention,
		SearchAttributes: workflows.SearchAttributes(), Logger: log.Named("temporal"),
	})
	var port *embedded.PortError
	var data *embedded.DataError
	switch {
	case errors.As(err, &port), errors.As(err, &data):
		return false, &usageError{err}
	case err != nil:
		return false, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c, err := connect.Dial(ctx, temporal.Options{
		HostPort: server.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(log.Named("sdk")),
	})
	if err != nil {
		return false, err
	}
	defer c.Close()
	return p.runWorker(ctx, j, c, addresses{ui: server.UI(), temporal: server.Address()}, log)
}

// addresses are where the UI and Temporal itself are reached.
type addresses struct{ ui, temporal string }

// pageOf is the address of a run in the UI.
func (a addresses) pageOf(run *client.Run) string {
	return a.ui + "/namespaces/" + embedded.Namespace + "/workflows/" + url.PathEscape(run.ID()) + "/" + run.RunID()
}

// runWorker runs the worker, the rotations and, unless it is to end then, the UI
// until ctx is done.
func (p *program) runWorker(ctx context.Context, j *job, c temporal.Client, at addresses, log *zap.Logger) (bool, error) {
	if err := j.prepare(ctx, c); err != nil {
		return false, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	worker := make(chan error, 1)
	go func() {
		worker <- host.Run(working, host.Options{Config: j.config, Client: c, Namespace: embedded.Namespace, Log: log.Named("worker")})
		stop()
	}()
	verified, err := p.rotateFarm(working, j, client.New(c), at)
	if err == nil && !p.exit {
		fmt.Fprintf(p.err, "\nTemporal UI: %s\nCtrl-C ends.\n", at.ui)
		<-working.Done()
	}
	stop()
	if failed := <-worker; failed != nil {
		return false, failed
	}
	if err != nil && ctx.Err() != nil {
		return false, errors.New("stopped before the rotation ended; the next one inspects the farm and does what is left")
	}
	return verified, err
}

// rotateFarm has the farm rotated once for each round, as long as the rotations end
// well.
func (p *program) rotateFarm(ctx context.Context, j *job, c client.Client, at addresses) (verified bool, err error) {
	configured, err := j.config.Farm(j.farm)
	if err != nil {
		return false, err
	}
	// The worker starts the controller too; whichever is first starts it alike.
	f := c.Farm(j.farm).Under(configured.Rotation)
	var last farm.Report
	for _, prepareTrigger := range j.rounds {
		t, err := prepareTrigger()
		if err != nil {
			return false, err
		}
		if last, err = p.rotateOnce(ctx, f, t, at); err != nil {
			return false, fmt.Errorf("rotate %s: %w", j.farm, err)
		}
		if err := p.showReport(last); err != nil {
			return false, err
		}
		if verified = last.Outcome == farm.Verified || last.Outcome == farm.NoChange; !verified {
			break
		}
	}
	if p.json {
		return verified, report.WriteJSON(p.out, last)
	}
	return verified, nil
}

// rotateOnce triggers a rotation, and shows it until it ends.
func (p *program) rotateOnce(ctx context.Context, f client.Farm, t trigger, at addresses) (farm.Report, error) {
	fmt.Fprintf(p.err, "%s: %s\n", f.Name(), t.reason())
	run, err := t.startRotation(ctx, f)
	if err != nil {
		return farm.Report{}, err
	}
	if run.Attached {
		fmt.Fprintln(p.err, "attached to the rotation that an earlier start left")
	}
	fmt.Fprintf(p.err, "Temporal UI: %s\n\n", at.pageOf(run))
	progress := console.NewProgress(p.err)
	progress.Program = "TEMPORAL_ADDRESS=" + at.temporal + " " + report.Program
	last, err := run.Watch(ctx, func(s farm.Status) error { return progress.Show(s, time.Now()) })
	return last, errors.Join(err, progress.Close())
}

// showReport shows a report to operators. Where programs read standard output,
// it goes to standard error.
func (p *program) showReport(r farm.Report) error {
	w := p.out
	if p.json {
		w = p.err
	}
	if err := console.WritePage(w, report.Run(farm.Status{Phase: farm.PhaseDone, Report: r})); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
