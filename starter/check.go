package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) checkCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check [FARM...]",
		Short: "Check the configuration, then connection, rights and versions of each server",
		Long: `Validates the configuration file, if one is given, lists everything that is wrong with
it, by line, and opens the secrets, the files of CAs and the certificates that it names
on this machine. Then a worker inspects every server of the named farms, or of all farms
in the file, and shows for each server whether it can be reached and signed in to, the
rights there, and the versions. Nothing is changed. A file of "farmtrust listen" or
"farmtrust pull" needs no farms, and then no worker.

A worker looks with its own configuration. Where that is not the file's, the check says
so and in what they differ: "farmtrust-worker check" checks a file before any worker has
it.

A worker that a server has refused does not send the password again, to any server, before
it is another one: no account is to be locked. With --retry-logon the worker that looks
sends it once more, at most once in half an hour; other workers of the site do not.

What a rotation would change is not reported as a fault: "farmtrust plan" shows it. The
exit code is 5 if data refreshes fail already, if the certificate in use ends within
--warn-days, or if the farm waits for an operator.`,
		Example: `  farmtrust check --config farmtrust.yaml
  farmtrust check --config farmtrust.yaml --file-only
  farmtrust check contoso fabrikam`,
		ValidArgsFunction: a.completeFarm,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && a.config == "" {
				return usageErrorf("name farms, or give --config FILE")
			}
			if o.fileOnly && a.config == "" {
				return usageErrorf("--file-only needs --config FILE")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), args, o)
		},
	}
	c.Flags().BoolVar(&o.fileOnly, "file-only", false, "validate the file, open nothing that it names, and inspect no server")
	c.Flags().BoolVar(&o.retryLogon, "retry-logon", false, "have the worker send a password that servers have refused once more")
	o.warn.addFlag(c)
	return c
}

// checkOptions are the flags of check.
type checkOptions struct {
	fileOnly, retryLogon bool
	warn                 warning
}

func (a *app) check(ctx context.Context, names []string, o checkOptions) error {
	result, farms := report.CheckResult{Farms: []report.FarmCheck{}}, []farmCheck{}
	var file *config.Config
	if a.config != "" {
		var err error
		if file, err = a.loadConfig(config.LoadAny); err != nil {
			return err
		}
		if names, err = file.Names(names...); err != nil {
			return err
		}
		for _, w := range file.Warnings {
			result.Warnings = append(result.Warnings, w.String())
		}
	}
	if !o.fileOnly && file != nil {
		problems, warnings := openNamed(ctx, file)
		result.Problems, result.Warnings = problems, append(result.Warnings, warnings...)
	}
	if !o.fileOnly && len(names) > 0 { // a file about events alone has no farms
		var err error
		if farms, err = a.inspectAll(ctx, names, file, o); err != nil {
			return err
		}
	}
	for _, f := range farms {
		result.Farms = append(result.Farms, f.FarmCheck)
	}
	if err := a.show(result, func(w io.Writer) error { return a.writeCheck(w, result, farms) }); err != nil {
		return err
	}
	if len(result.Problems) > 0 {
		return &exitError{code: exitUsage}
	}
	return worstOf(farms)
}

func (a *app) writeCheck(w io.Writer, result report.CheckResult, farms []farmCheck) error {
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
	if len(result.Problems) > 0 && len(farms) > 0 {
		printf("these are files and variables of this machine: what is on the worker's alone, farmtrust-worker check opens there\n")
	}
	for i, f := range farms {
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
		written = append(written, a.writePage(w, report.Check(f.found, f.Troubles)))
	}
	return errors.Join(written...)
}
