package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// app is one run of the program.
type app struct {
	// program is the name that the program was called by.
	program  string
	in       io.Reader
	out, err io.Writer
	// config, site and output are the flags that all commands share.
	config, site, output string
	color                console.Color
	// payloadKeys is the file of the key ring for payloads, acceptClear whether those in
	// clear are read although there is one.
	payloadKeys string
	acceptClear bool
	// plaintext permits an unprotected connection to Temporal on another machine.
	plaintext bool
	// parsed reports whether the arguments were understood, printed whether out
	// holds a JSON object.
	parsed, printed bool
	// interactive reports whether an operator is there to answer questions.
	interactive bool
	// temporal is nil until something connects.
	temporal temporal.Client
	// options are those that temporal was connected with.
	options temporal.Options
}

// siteVariable is the environment variable that --site defaults to.
const siteVariable = "FARMTRUST_SITE"

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputHTML  = "html" // of reports, plans and what is to be approved
)

// newRoot returns the root command with all others.
func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "farmtrust",
		Short: "Renews the trust between Office Online Server and SharePoint",
		Long: `Renews the S2S certificate with which the Office Online Servers of a farm sign their
calls to SharePoint.

A farm is one Office Online Server farm and the SharePoint farms that use it. It has
a controller, a Temporal workflow that inspects the farm, receives expiry events, and
starts a rotation when one is due. A worker (farmtrust-worker) does the work; this
program only talks to Temporal, which it finds by the standard TEMPORAL_* variables
and profiles (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...).

Begin with check, which validates the configuration and every server, and plan, which
shows what a rotation would do. rotate does it. farms lists what expires when, and status
shows what runs and what waits for an operator; approve, postpone, retry, skip, rollback,
forward, abort and cancel decide about it. undo goes back behind a rotation that was
verified. After a rollback or an undo, resume lets the farm be rotated automatically
again.

Nothing happens before somebody allowed it: a farm that nobody has released is only
inspected. release lets it be rotated by itself, observe takes that back.

` + exitHelp,
		Example: `  farmtrust check --config farmtrust.yaml
  farmtrust plan contoso                    what a rotation would do, and why
  farmtrust rotate contoso                  do it, and watch
  farmtrust status contoso --watch
  farmtrust approve contoso                 what waits for approval, and its digest
  farmtrust undo contoso --reason "data refresh fails since the change"`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if all := outputsOf(c); !slices.Contains(all, a.output) {
				return usageErrorf("unknown output %q: use -o %s", a.output, strings.Join(all, " or -o "))
			}
			if a.site != "" && !farm.IsName(a.site) {
				return usageErrorf("unknown site %q: a site is called like berlin", a.site)
			}
			a.parsed = true
			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.config, "config", "", "farmtrust's configuration `file`, for check and event")
	root.PersistentFlags().StringVar(&a.site, "site", os.Getenv(siteVariable), "the `site` of a farm that has no controller yet")
	root.PersistentFlags().StringVar(&a.payloadKeys, "payload-keys", os.Getenv(payload.KeysVariable), "key ring `file` of payloads (also "+payload.KeysVariable+")")
	root.PersistentFlags().BoolVar(&a.acceptClear, "accept-clear-payloads", false, "also read what was stored before it was encrypted")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", outputTable, "`format`: table, json (last line); some also html")
	root.PersistentFlags().Var(&a.color, "color", "`when` to use colour: auto, always or never")
	root.PersistentFlags().BoolVar(&a.plaintext, "plaintext", false, "reach Temporal elsewhere without TLS (also "+connect.PlaintextVariable+"=true)")
	must(root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{string(console.ColorAuto), string(console.ColorAlways), string(console.ColorNever)}, cobra.ShellCompDirectiveNoFileComp)))
	must(root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return outputsOf(c), cobra.ShellCompDirectiveNoFileComp
	}))
	must(root.MarkPersistentFlagFilename("config", "yaml", "yml"))
	a.wrapHelp(root)
	root.AddCommand(a.checkCommand(), a.planCommand(), a.rotateCommand(), a.statusCommand(), a.farmsCommand(), a.reportCommand(), a.eventCommand(),
		a.approveCommand(), a.retryCommand(), a.skipCommand(), a.rollbackCommand(), a.undoCommand(), a.forwardCommand(), a.abortCommand(), a.resumeCommand(),
		a.releaseCommand(), a.observeCommand(), a.postponeCommand(), a.cancelCommand(), a.withdrawCommand(), a.acceptCommand(), a.forgetCommand(), a.listenCommand(), a.keysCommand(), a.auditCommand(), a.versionCommand(), exitCodesTopic())
	return root
}

// wrapHelp has the help of all commands fit the terminal.
func (a *app) wrapHelp(root *cobra.Command) {
	write := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		var help bytes.Buffer
		c.SetOut(&help)
		write(c, args)
		c.SetOut(nil)
		_ = console.WriteHelp(a.out, help.String()) // there is nowhere to report a failure to
	})
}

// withSubcommands lists a command and all below it.
func withSubcommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, withSubcommands(sub)...)
	}
	return all
}

// must stops a program whose own flags contradict each other.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// outputsOf lists what -o may be for a command.
func outputsOf(c *cobra.Command) []string {
	if slices.Contains([]string{"report", "plan", "approve"}, c.Name()) {
		return []string{outputTable, outputJSON, outputHTML}
	}
	return []string{outputTable, outputJSON}
}

// oneFarm accepts exactly one farm's name.
func oneFarm(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usageErrorf("name the farm")
	case len(args) > 1:
		return usageErrorf("name one farm, not %d", len(args))
	case strings.TrimSpace(args[0]) == "":
		return usageErrorf("name the farm: the name is empty")
	}
	return nil
}

// completeFarm completes the names of farms from the configuration, if given.
func (a *app) completeFarm(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if a.config != "" {
		if c, err := config.Load(a.config); err == nil {
			for _, f := range c.Farms {
				names = append(names, f.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// commandLine is a command as it is typed, with the program as it was called.
func (a *app) commandLine(c report.Command) string { return c.Line(a.program) }

// connect connects to Temporal.
func (a *app) connect(ctx context.Context) (client.Client, error) {
	payloads, err := payload.Open(a.payloadKeys, a.acceptClear)
	if err != nil {
		return client.Client{}, &exitError{code: exitUsage, err: err}
	}
	options, err := connect.Settings(connect.Options{Log: logging.New(a.err, logging.Text, zap.WarnLevel), Plaintext: a.plaintext})
	if err != nil {
		return client.Client{}, &exitError{code: exitUsage, err: err}
	}
	payloads.Apply(&options)
	a.options = options
	if a.temporal, err = connect.Dial(ctx, options); err != nil {
		return client.Client{}, err
	}
	return client.New(a.temporal).Reading(options.DataConverter, options.FailureConverter).At(a.site), nil
}

func (a *app) disconnect() {
	if a.temporal != nil {
		a.temporal.Close()
	}
}

// connectToFarm connects to Temporal and makes sure that a worker answers for the farm:
// without one, what is asked would only wait.
func (a *app) connectToFarm(ctx context.Context, farmName string) (client.Farm, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return client.Farm{}, err
	}
	return a.findWorker(ctx, c.Farm(farmName))
}

// explain adds the remedy to an error of Temporal's, where it is known.
func (a *app) explain(ctx context.Context, err error) error {
	var noNamespace *serviceerror.NamespaceNotFound
	var invalid *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &noNamespace):
		return &exitError{code: exitUsage, err: &connect.NamespaceError{Address: a.options.HostPort, Namespace: a.options.Namespace, Err: err}}
	case connect.IsRefusal(err):
		return &exitError{code: exitCannotTell, err: &connect.RefusedError{Address: a.options.HostPort, Namespace: a.options.Namespace, Err: err}}
	case errors.As(err, &invalid):
		// The usual cause is a search attribute that was never registered.
		var missing *connect.SearchAttributesError
		if check := connect.CheckSearchAttributes(ctx, a.temporal, a.options, workflows.SearchAttributes()); errors.As(check, &missing) {
			return missing
		}
	}
	return err
}
