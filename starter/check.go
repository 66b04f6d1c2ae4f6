package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/console"
)

// checksAtOnce bounds how many farms are looked at at the same time.
const checksAtOnce = 8

func (a *app) checkCommand() *cobra.Command {
	var fileOnly bool
	c := &cobra.Command{
		Use:   "check [FARM...]",
		Short: "Check the configuration, then connection, rights and versions of each server",
		Long: `Checks the configuration file, if one is given, and says everything that is wrong
with it at once, by line. Then has the worker, with its own configuration, look at
every server of the farms, all of the file where none is named, and says for each
server whether it can be reached and signed in to, the rights, and the versions.`,
		Example: `  starter check --config farmtrust.yaml
  starter check --config farmtrust.yaml --file-only
  starter check contoso fabrikam`,
		ValidArgsFunction: a.farmNames,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && a.config == "" {
				return wrong("name farms, or give --config FILE")
			}
			if fileOnly && a.config == "" {
				return wrong("--file-only needs --config FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args, fileOnly)
		},
	}
	c.Flags().BoolVar(&fileOnly, "file-only", false, "check the file, and look at no server")
	return c
}

// checkup is what programs read of a check.
type checkup struct {
	Warnings []string    `json:"warnings,omitempty"`
	Farms    []farmCheck `json:"farms"`
}

// farmCheck is how one farm was found, or why it could not be looked at.
type farmCheck struct {
	Farm       string                `json:"farm"`
	Inspection *farm.Inspection `json:"inspection,omitempty"`
	Error      string                `json:"error,omitempty"`
	err        error
}

func (a *app) check(ctx context.Context, names []string, fileOnly bool) error {
	result := checkup{Farms: []farmCheck{}}
	if a.config != "" {
		c, err := a.load()
		if err != nil {
			return err
		}
		if names, err = farmsToCheck(c, names); err != nil {
			return err
		}
		for _, w := range c.Warnings {
			result.Warnings = append(result.Warnings, w.String())
		}
	}
	if !fileOnly {
		var err error
		if result.Farms, err = a.inspectAll(ctx, names); err != nil {
			return err
		}
	}
	if err := a.show(result, func(w io.Writer) error { return a.checked(w, result) }); err != nil {
		return err
	}
	return worst(result.Farms)
}

// farmsToCheck are the named ones, which must be in the file, or all of it.
func farmsToCheck(c *config.Config, names []string) ([]string, error) {
	for _, name := range names {
		if _, err := c.Farm(name); err != nil {
			return nil, err
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	for _, f := range c.Farms {
		names = append(names, f.Name)
	}
	return names, nil
}

// inspectAll looks at several farms at once; one that cannot be looked at does
// not keep the others from it.
func (a *app) inspectAll(ctx context.Context, names []string) ([]farmCheck, error) {
	c, err := a.connectToWorker(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	checks := make([]farmCheck, len(names))
	var group errgroup.Group
	group.SetLimit(checksAtOnce)
	for i, name := range names {
		group.Go(func() error {
			checks[i].Farm = name
			inspection, err := a.inspect(ctx, c, name)
			if err != nil {
				checks[i].err, checks[i].Error = err, err.Error()
			} else {
				checks[i].Inspection = &inspection
			}
			return nil
		})
	}
	return checks, group.Wait()
}

func (a *app) checked(w io.Writer, result checkup) error {
	var written []error
	say := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		written = append(written, err)
	}
	for _, warning := range result.Warnings {
		say("warning: %s\n", warning)
	}
	if a.config != "" {
		say("%s: the configuration is valid\n", a.config)
	}
	for _, f := range result.Farms {
		say("\n")
		if f.err != nil {
			say("%s: %s\n", f.Farm, f.Error)
			continue
		}
		written = append(written, console.Check(w, *f.Inspection, time.Now()))
	}
	return errors.Join(written...)
}

// worst is the exit of a check: a farm or server that could not be looked at
// counts more than a precondition that does not hold. What a rotation would
// change is no fault.
func worst(checks []farmCheck) error {
	var refused, usage, failed error
	for _, f := range checks {
		var exit *exitError
		switch {
		case errors.As(f.err, &exit) && exit.code == exitUsage:
			usage = &exitError{code: exitUsage}
		case f.err != nil || console.Judge(*f.Inspection) == console.Unseen:
			failed = &exitError{code: exitFailed}
		case console.Judge(*f.Inspection) == console.Stopped:
			refused = &exitError{code: exitRefused}
		}
	}
	for _, err := range []error{usage, failed, refused} {
		if err != nil {
			return err
		}
	}
	return nil
}
