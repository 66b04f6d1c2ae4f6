package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// retention is how long finished rotations can be looked at in the UI.
const retention = 30 * 24 * time.Hour

// program is one run of the command.
type program struct {
	options
	// out takes reports, err whatever else people should see.
	out, err io.Writer
}

// run does all that was asked for and reports whether the trust is as desired.
func (p *program) run(ctx context.Context) (verified bool, err error) {
	log, closeLog, err := openLog(p.log, p.err)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	s, err := p.scene(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	server, err := embedded.Start(ctx, embedded.Options{
		Port: p.port, UIPort: p.uiPort, DataDir: s.data, Retention: retention,
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
	c, err := connect.Dial(ctx, client.Options{
		HostPort: server.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(log.Named("sdk")),
	})
	if err != nil {
		return false, err
	}
	defer c.Close()
	return p.work(ctx, s, c, places{ui: server.UI(), temporal: server.Address()}, log)
}

// places are where people find the UI and Temporal itself.
type places struct{ ui, temporal string }

// work runs the worker, the rotations and, unless it is to end then, the UI
// until ctx is done.
func (p *program) work(ctx context.Context, s *scene, c client.Client, at places, log *zap.Logger) (bool, error) {
	if err := s.prepare(ctx, c); err != nil {
		return false, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	worker := make(chan error, 1)
	go func() {
		worker <- host.Run(working, host.Options{Config: s.config, Client: c, Namespace: embedded.Namespace, Log: log.Named("worker")})
		stop()
	}()
	verified, err := p.rotate(working, s, c, at)
	if err == nil && !p.exit {
		fmt.Fprintf(p.err, "\nTemporal UI: %s\nCtrl-C ends.\n", at.ui)
		<-working.Done()
	}
	stop()
	if failed := <-worker; failed != nil {
		return false, failed
	}
	if err != nil && ctx.Err() != nil {
		return false, errors.New("stopped before the rotation ended; the next one looks at the farm and does what is left")
	}
	return verified, err
}

// rotate asks the farm's keeper for one rotation after the other, as long as
// they end well.
func (p *program) rotate(ctx context.Context, s *scene, c client.Client, at places) (verified bool, err error) {
	configured, err := s.config.Farm(s.farm)
	if err != nil {
		return false, err
	}
	// The worker starts the keeper too; whoever is first does it alike.
	keeper := rotation.KeeperOf(c, s.farm).Under(configured.Rotation)
	var report farm.Report
	for _, next := range s.rounds {
		asked, err := next()
		if err != nil {
			return false, err
		}
		reason := asked.reason()
		fmt.Fprintf(p.err, "%s: %s\n", s.farm, reason)
		run, err := ask(ctx, keeper, asked)
		if err != nil {
			return false, fmt.Errorf("rotate %s: %w", s.farm, err)
		}
		if run.Joined {
			fmt.Fprintln(p.err, "joined the rotation that an earlier start left")
		}
		fmt.Fprintf(p.err, "Temporal UI: %s\n\n", pageOf(at.ui, run))
		progress := console.NewProgress(p.err)
		progress.Starter = "TEMPORAL_ADDRESS=" + at.temporal + " starter"
		if report, err = run.Follow(ctx, progress); err != nil {
			return false, fmt.Errorf("rotate %s: %w", s.farm, err)
		}
		if err := p.show(report); err != nil {
			return false, err
		}
		if verified = report.Outcome == farm.Verified || report.Outcome == farm.NoChange; !verified {
			break
		}
	}
	if p.json {
		return verified, console.JSON(p.out, report)
	}
	return verified, nil
}

// ask asks a keeper, and returns the rotation that comes of it.
func ask(ctx context.Context, k rotation.Keeper, r request) (*rotation.Run, error) {
	if r.wish != nil {
		return k.Wish(ctx, *r.wish)
	}
	told, err := k.Tell(ctx, *r.event)
	if err != nil {
		return nil, err
	}
	judgement, err := told.Judged(ctx, func(controller.State) {})
	if err == nil && judgement.Run == nil {
		err = fmt.Errorf("the keeper does nothing: %s", judgement.Next.Reason)
	}
	return judgement.Run, err
}

// show shows a report to people; where programs read standard output, the
// standard error is theirs.
func (p *program) show(report farm.Report) error {
	w := p.out
	if p.json {
		w = p.err
	}
	if err := console.Report(w, report); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// pageOf is the address of a rotation in the UI.
func pageOf(ui string, run *rotation.Run) string {
	return ui + "/namespaces/" + embedded.Namespace + "/workflows/" + url.PathEscape(run.ID()) + "/" + run.RunID()
}
