package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/preflight"
	"github.com/farmtrust/farmtrust/internal/report"
)

const checkHelp = `Checks a configuration on the machine of the worker, without Temporal and before any
worker has it: the file, then the secrets, the files of CAs and the folders of
certificates that it names, then every server that it names, with the accounts that it
names: whether it can be reached and signed in to, the rights there, and the versions.
Nothing is changed, and nothing is started.

Name farms after the flags to look at the servers of those alone.

Examples:
  farmtrust-worker check -config /etc/farmtrust/farmtrust.yaml
  farmtrust-worker check -no-servers
  farmtrust-worker check contoso

Flags:
`

const checkExitHelp = `
Exit codes:
  0  a worker with this configuration can do its work
  1  a server cannot be observed, or a precondition of a rotation does not hold
  2  a flag or the configuration is wrong, or what it names cannot be opened
`

// checkWidth is what the pages of a check are wrapped to, in characters.
const checkWidth = 100

// runCheck checks a configuration on this machine and on its servers.
func runCheck(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(name+" check", flag.ContinueOnError)
	file := flags.String("config", "farmtrust.yaml", "the configuration `file`")
	noServers := flags.Bool("no-servers", false, "connect to no server")
	if err := parseFlagsBefore(flags, args, checkHelp, checkExitHelp, stderr); err != nil {
		return err
	}
	c, err := config.Load(*file)
	if err != nil {
		return &usageError{err}
	}
	farms, err := c.Names(flags.Args()...)
	if err != nil {
		return &usageError{err}
	}
	if err := showOpened(stdout, c, preflight.Open(ctx, c, time.Now())); err != nil || *noServers {
		return err
	}
	return inspectFarms(ctx, stdout, c, farms)
}

// showOpened shows what the file warns of, and what was found when everything that it
// names was opened. What cannot be opened is an error.
func showOpened(w io.Writer, c *config.Config, findings []farm.Finding) error {
	for _, warning := range c.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	var stops []error
	for _, f := range findings {
		if f.Severity == farm.Stop {
			stops = append(stops, fmt.Errorf("%s: %s", c.Path, f.Explain()))
			continue
		}
		fmt.Fprintf(w, "warning: %s: %s\n", c.Path, f.Explain())
	}
	if len(stops) > 0 {
		return &usageError{errors.Join(stops...)}
	}
	if c.Audit == nil {
		fmt.Fprintf(w, "%s: no audit log: what is decided and changed is recorded by Temporal alone; name a file under audit\n", c.Path)
	}
	fmt.Fprintf(w, "%s: valid, and everything that it names on this machine can be opened\n", c.Path)
	for _, f := range c.Farms {
		if _, err := fmt.Fprintf(w, "%s: configuration %s, by which the farm's page names it\n", f.Name, c.HashFarm(f)); err != nil {
			return err
		}
	}
	return nil
}

// inspectFarms inspects farms one after the other, and shows each when it is done.
func inspectFarms(ctx context.Context, w io.Writer, c *config.Config, farms []string) error {
	inspector, err := host.NewInspector(c, zap.NewNop())
	if err != nil {
		return err
	}
	defer inspector.Close()
	bad := 0
	for _, name := range farms {
		inspection, err := inspector.Inspect(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintln(w)
		if err := report.Check(inspection, report.ListDoubts(inspection)).WriteText(w, report.TextStyle{Width: checkWidth}); err != nil {
			return err
		}
		if a := report.AssessInspection(inspection); a == report.Unobserved || a == report.Stopped {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d farms could not be rotated as they are", bad, len(farms))
	}
	return nil
}
