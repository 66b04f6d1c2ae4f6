package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// retention is how long finished rotations stay visible in the UI.
const retention = 30 * 24 * time.Hour

// program is one run of the command.
type program struct {
	options
	// out receives the reports, err everything else that operators should see.
	out, err io.Writer
}

// run sets up the job, the Temporal server and a client, and reports whether the
// job's last rotation left the trust as desired.
func (p *program) run(ctx context.Context) (verified bool, err error) {
	log, closeLog, err := openLog(p.log, p.err)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if p.serverOnly {
		return true, p.runServer(ctx, log)
	}
	j, err := p.newJob(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	server, err := p.startServer(ctx, j.data, log)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	c, err := connect.Dial(ctx, server.ClientOptions(log.Named("sdk")))
	if err != nil {
		return false, err
	}
	defer c.Close()
	return p.runJob(ctx, j, c, addressesOf(server), log)
}

// runServer runs nothing but the Temporal server, until ctx is done.
func (p *program) runServer(ctx context.Context, log *zap.Logger) error {
	server, err := p.startServer(ctx, p.data, log)
	if err != nil {
		return err
	}
	at := addressesOf(server)
	fmt.Fprintf(p.err, "Temporal: %s\nTemporal UI: %s\n", at.temporal, at.ui)
	if at.profile != "" {
		fmt.Fprintf(p.err, "Only your programs can use them, with: export %s\n", at.variable())
	}
	fmt.Fprintln(p.err, "Press Ctrl-C to quit.")
	<-ctx.Done()
	return server.Stop()
}

// startServer starts the Temporal server. What the user can correct is a
// [*usageError].
func (p *program) startServer(ctx context.Context, data string, log *zap.Logger) (*embedded.Server, error) {
	server, err := embedded.Start(ctx, embedded.Options{
		Port: p.port, UIPort: p.uiPort, DataDir: data, Retention: retention,
		SearchAttributes: workflows.SearchAttributes(), Logger: log.Named("temporal"),
		Private: p.isPrivate(), ReadOnlyUI: p.isPrivate() && !p.uiWrite,
	})
	var port *embedded.PortError
	var dir *embedded.DataError
	if errors.As(err, &port) || errors.As(err, &dir) {
		return nil, &usageError{err}
	}
	return server, err
}

// isPrivate reports whether other users of this machine are kept out: what they could
// steer may be real. A simulated farm is for everybody to look at.
func (p *program) isPrivate() bool { return p.config != "" || p.serverOnly && !p.open }

// addresses are those of the Temporal UI and of Temporal's frontend, and the file
// that a private one is reached with.
type addresses struct{ ui, temporal, profile string }

func addressesOf(s *embedded.Server) addresses {
	return addresses{ui: s.UI(), temporal: s.Address(), profile: s.Profile()}
}

// pageOf returns the URL of a run's page in the UI.
func (a addresses) pageOf(run *client.Run) string {
	return a.ui + "/namespaces/" + embedded.Namespace + "/workflows/" + url.PathEscape(run.ID()) + "/" + run.RunID()
}

// commandLine is how the command line is called that reaches this Temporal.
func (a addresses) commandLine() string { return a.variable() + " " + report.Program }

// variable is the environment variable, as it is typed, that leads to this Temporal.
func (a addresses) variable() string {
	if a.profile != "" {
		return "TEMPORAL_CONFIG_FILE=" + report.QuoteArgument(a.profile)
	}
	return "TEMPORAL_ADDRESS=" + a.temporal
}

// runJob runs a worker and the job's rotations. After them it waits until ctx is
// done, so that the UI stays up, unless -exit was given.
func (p *program) runJob(ctx context.Context, j *job, c temporal.Client, at addresses, log *zap.Logger) (bool, error) {
	if err := j.prepare(ctx, c); err != nil {
		return false, err
	}
	keys, err := openSealKeys(p.data)
	if err != nil {
		return false, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	worker := make(chan error, 1)
	go func() {
		worker <- host.Run(working, host.Options{Config: j.config, Client: c, Namespace: embedded.Namespace, SealKeys: keys, Log: log.Named("worker")})
		stop()
	}()
	verified, err := p.runRounds(working, j, client.New(c).At(j.config.Site), at)
	if err == nil && !p.exit {
		fmt.Fprintf(p.err, "\nTemporal UI: %s\nPress Ctrl-C to quit.\n", at.ui)
		<-working.Done()
	}
	stop()
	if failed := <-worker; failed != nil {
		return false, failed
	}
	if err != nil && ctx.Err() != nil {
		return false, errors.New("stopped before the rotation ended; the next one inspects the farm and continues from there")
	}
	return verified, err
}

// openSealKeys returns the keys that the worker seals with: they last as long as the data
// of Temporal, so that what is sealed can be used after a restart.
func openSealKeys(data string) (*keyring.Ring, error) {
	if data == "" {
		return keyring.Generated(), nil
	}
	path := filepath.Join(data, "seal.keys")
	if err := keyring.Create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return keyring.Open(path)
}

// runRounds runs the job's rotations in turn and stops after the first that leaves
// the trust other than desired.
func (p *program) runRounds(ctx context.Context, j *job, c client.Client, at addresses) (verified bool, err error) {
	configured, err := j.config.Farm(j.farm)
	if err != nil {
		return false, err
	}
	// The worker starts the controller as well. Both pass the same policy, so it does
	// not matter which of them is first.
	f := c.Farm(j.farm).Under(configured.Rotation)
	if j.release.By != "" {
		if err := f.Release(ctx, j.release); err != nil {
			return false, fmt.Errorf("release %s: %w", j.farm, err)
		}
		fmt.Fprintf(p.err, "%s: released by %s: %s; without that, farmtrust only looks\n", j.farm, j.release.By, j.release.Reason)
	}
	var last farm.Report
	for _, prepareTrigger := range j.rounds {
		t, err := prepareTrigger()
		if err != nil {
			return false, err
		}
		if last, err = p.rotateOnce(ctx, f, t, at); err != nil {
			return false, fmt.Errorf("rotate %s: %w", j.farm, err)
		}
		if err := p.showReport(last, at); err != nil {
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

// rotateOnce triggers a rotation and shows its progress until it ends.
func (p *program) rotateOnce(ctx context.Context, f client.Farm, t trigger, at addresses) (farm.Report, error) {
	if err := (console.Messages{Program: report.Program}).Write(p.err, f.Name()+": "+t.reason()); err != nil {
		return farm.Report{}, err
	}
	run, err := t.startRotation(ctx, f)
	if err != nil {
		return farm.Report{}, err
	}
	if run.Attached {
		fmt.Fprintln(p.err, "attached to a rotation that an earlier run of this program started")
	}
	fmt.Fprintf(p.err, "Temporal UI: %s\n\n", at.pageOf(run))
	progress := console.NewProgress(p.err, p.color)
	progress.Program = at.commandLine()
	last, err := run.Watch(ctx, func(s farm.Status) error { return progress.Show(s, time.Now()) },
		func() error { return nil }) // the worker is this process
	return last, errors.Join(err, progress.Close())
}

// showReport shows a report to operators: all of it where nothing stays up that could
// be asked for the rest. With -o json it goes to standard error, since programs read
// standard output.
func (p *program) showReport(r farm.Report, at addresses) error {
	w := p.out
	if p.json {
		w = p.err
	}
	show := report.BriefRun
	if p.exit {
		show = report.RunAt
	}
	page := show(farm.Status{Phase: farm.PhaseDone, Report: r}, time.Now())
	page.Program = at.commandLine()
	if err := console.WritePage(w, page, p.color); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
