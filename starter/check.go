package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// inspectionsInParallel bounds how many farms are inspected at the same time:
// each inspection occupies the worker with all servers of its farm.
const inspectionsInParallel = 8

func (a *app) checkCommand() *cobra.Command {
	var fileOnly bool
	c := &cobra.Command{
		Use:   "check [FARM...]",
		Short: "Check the configuration, then connection, rights and versions of each server",
		Long: `Validates the configuration file, if one is given, lists everything that is wrong with
it, by line, and opens the secrets, the files of CAs and the certificates that it names
on this machine. Then a worker inspects every server of the named farms, or of all farms
in the file, and shows for each server whether it can be reached and signed in to, the
rights there, and the versions. Nothing is changed.

A worker looks with its own configuration. Where that is not the file's, the check says
so and in what they differ: "farmtrust-worker check" checks a file before any worker has
it.

What a rotation would change is not reported as a fault: "farmtrust plan" shows it.`,
		Example: `  farmtrust check --config farmtrust.yaml
  farmtrust check --config farmtrust.yaml --file-only
  farmtrust check contoso fabrikam`,
		ValidArgsFunction: a.completeFarm,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && a.config == "" {
				return usageErrorf("name farms, or give --config FILE")
			}
			if fileOnly && a.config == "" {
				return usageErrorf("--file-only needs --config FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args, fileOnly)
		},
	}
	c.Flags().BoolVar(&fileOnly, "file-only", false, "validate the file, open nothing that it names, and inspect no server")
	return c
}

// checkResult is the JSON object for a check.
type checkResult struct {
	// Problems are what the file names and cannot be opened on this machine.
	Problems []string    `json:"problems,omitempty"`
	Warnings []string    `json:"warnings,omitempty"`
	Farms    []farmCheck `json:"farms"`
}

// farmCheck is what was found on one farm, or why it could not be inspected.
type farmCheck struct {
	Farm       string           `json:"farm"`
	Inspection *farm.Inspection `json:"inspection,omitempty"`
	Error      string           `json:"error,omitempty"`
	// Differs are the settings in which the worker's configuration is not the file's.
	Differs []string `json:"differs,omitempty"`
	err     error
}

func (a *app) check(ctx context.Context, names []string, fileOnly bool) error {
	result := checkResult{Farms: []farmCheck{}}
	var file *config.Config
	if a.config != "" {
		var err error
		if file, err = a.loadConfig(); err != nil {
			return err
		}
		if names, err = selectFarms(file, names); err != nil {
			return err
		}
		for _, w := range file.Warnings {
			result.Warnings = append(result.Warnings, w.String())
		}
	}
	if !fileOnly {
		if file != nil {
			problems, warnings := openNamed(ctx, file)
			result.Problems, result.Warnings = problems, append(result.Warnings, warnings...)
		}
		var err error
		if result.Farms, err = a.inspectAll(ctx, names, file); err != nil {
			return err
		}
	}
	if err := a.show(result, func(w io.Writer) error { return a.writeCheck(w, result) }); err != nil {
		return err
	}
	if len(result.Problems) > 0 {
		return &exitError{code: exitUsage}
	}
	return worstOf(result.Farms)
}

// selectFarms returns the named farms, which must be in the file, or all of it.
func selectFarms(c *config.Config, names []string) ([]string, error) {
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

// inspectAll inspects several farms in parallel, and compares their configurations with
// those of a file, if there is one. A farm that cannot be inspected does not prevent the
// others.
func (a *app) inspectAll(ctx context.Context, names []string, file *config.Config) ([]farmCheck, error) {
	farms, err := a.connectToFarms(ctx, names)
	if err != nil {
		return nil, err
	}
	checks := make([]farmCheck, len(names))
	var group errgroup.Group
	group.SetLimit(inspectionsInParallel)
	for i, f := range farms {
		group.Go(func() error {
			checks[i].Farm = f.Name()
			inspection, err := a.inspect(ctx, f)
			if err != nil {
				checks[i].err, checks[i].Error = err, err.Error()
			} else {
				checks[i].Inspection = &inspection
			}
			if err == nil && file != nil {
				checks[i].Differs = compareWithFile(ctx, file, f, inspection)
			}
			return nil
		})
	}
	return checks, group.Wait()
}

// connectToFarms connects to Temporal, and returns the farms at their sites, at each
// of which a worker must run.
func (a *app) connectToFarms(ctx context.Context, names []string) ([]client.Farm, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	farms := make([]client.Farm, len(names))
	for i, name := range names {
		if farms[i], err = a.findWorker(ctx, c.Farm(name)); err != nil {
			return nil, err
		}
	}
	return farms, nil
}

func (a *app) writeCheck(w io.Writer, result checkResult) error {
	var written []error
	printf := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format, args...)
		written = append(written, err)
	}
	for _, warning := range result.Warnings {
		printf("warning: %s\n", warning)
	}
	if a.config != "" {
		printf("%s: the configuration is valid\n", a.config)
	}
	for _, problem := range result.Problems {
		printf("%s\n", problem)
	}
	if len(result.Problems) > 0 {
		printf("these are files and variables of this machine: what is on the worker's alone, farmtrust-worker check opens there\n")
	}
	for i, f := range result.Farms {
		if i > 0 || a.config != "" {
			printf("\n")
		}
		if f.err != nil {
			printf("%s: %s\n", f.Farm, f.Error)
			continue
		}
		if len(f.Differs) > 0 {
			printf("%s: %s\n\n", f.Farm, describeDiffering(a.config, f.Differs))
		}
		written = append(written, a.writePage(w, report.Check(*f.Inspection)))
	}
	return errors.Join(written...)
}

// worstOf is the exit of a check: a farm or server that could not be inspected
// counts more than a precondition that does not hold. What a rotation would
// change is no fault.
func worstOf(checks []farmCheck) error {
	worst := exitOK
	rank := []int{exitOK, exitRefused, exitFailed, exitUsage}
	for _, f := range checks {
		if code := f.exitCode(); slices.Index(rank, code) > slices.Index(rank, worst) {
			worst = code
		}
	}
	if worst == exitOK {
		return nil
	}
	return &exitError{code: worst}
}

func (f farmCheck) exitCode() int {
	if exit, ok := errors.AsType[*exitError](f.err); ok && exit.code == exitUsage {
		return exitUsage
	}
	if f.err != nil || len(f.Differs) > 0 {
		return exitFailed
	}
	switch report.AssessInspection(*f.Inspection) {
	case report.Unobserved:
		return exitFailed
	case report.Stopped:
		return exitRefused
	default:
		return exitOK
	}
}
