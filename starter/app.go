package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/workflows"
)

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	// config and output are the flags that all commands share.
	config, output string
	// started says that the arguments were understood, printed that out holds
	// a JSON object.
	started, printed bool
	// interactive says that somebody is there to answer questions.
	interactive bool
	namespace   string
}

// The values of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputHTML  = "html" // of reports only
)

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Starts, shows and steers rotations of the trust between Office Online Server and SharePoint",
		Long: `Starts, shows and steers rotations of the trust between Office Online Server and
SharePoint. Each farm has a keeper, which takes events and wishes; what it has at work
takes decisions.

It reaches Temporal by the standard TEMPORAL_* variables and profiles
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...); a worker does the work.

` + exitHelp,
		Example: `  starter plan contoso                      what a rotation would do, and why
  starter rotate contoso                    do it, and watch
  starter event near-expiry.json --config farmtrust.yaml
  starter status contoso --watch
  starter approve contoso                   what waits for approval, and its digest
  starter undo contoso --reason "data refresh fails since the change"`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if all := formats(c); !slices.Contains(all, a.output) {
				return wrong("unknown output %q: use -o %s", a.output, strings.Join(all, " or -o "))
			}
			a.started = true
			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.config, "config", "", "farmtrust's configuration `file`, for event and check")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", outputTable, "`format`: table, or json: one object on the last line")
	must(root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return formats(c), cobra.ShellCompDirectiveNoFileComp
	}))
	must(root.MarkPersistentFlagFilename("config", "yaml", "yml"))
	root.AddCommand(a.rotateCommand(), a.planCommand(), a.statusCommand(), a.eventCommand(), a.checkCommand(), a.reportCommand(),
		a.undoCommand(), a.releaseCommand(), a.versionCommand())
	root.AddCommand(a.decisionCommands()...)
	return root
}

// must stops a program whose own flags contradict each other.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// oneFarm accepts exactly one farm's name.
func oneFarm(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return wrong("name the farm")
	case len(args) > 1:
		return wrong("name one farm, not %d", len(args))
	case strings.TrimSpace(args[0]) == "":
		return wrong("name the farm: the name is empty")
	}
	return nil
}

// farmNames completes the names of farms from the configuration, if given.
func (a *app) farmNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
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

// connect reaches Temporal; the caller closes the client.
func (a *app) connect(ctx context.Context) (client.Client, error) {
	encoder := zap.NewDevelopmentEncoderConfig()
	encoder.TimeKey, encoder.CallerKey = zapcore.OmitKey, zapcore.OmitKey
	log := zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(encoder), zapcore.AddSync(a.err), zap.WarnLevel))
	options, err := connect.Settings(log)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	a.namespace = options.Namespace
	return connect.Dial(ctx, options)
}

// explain names what mends an error of Temporal's, where that is known.
func (a *app) explain(ctx context.Context, c client.Client, err error) error {
	var noNamespace *serviceerror.NamespaceNotFound
	var invalid *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &noNamespace):
		return wrong("temporal has no namespace %q: run: temporal operator namespace create --namespace %s, or set TEMPORAL_NAMESPACE", a.namespace, a.namespace)
	case errors.As(err, &invalid):
		// The usual cause is a search attribute that nobody registered.
		var missing *connect.SearchAttributesError
		if check := connect.CheckSearchAttributes(ctx, c, a.namespace, workflows.SearchAttributes()); errors.As(check, &missing) {
			return missing
		}
	}
	return err
}

// show writes v as JSON or, for people, by table.
func (a *app) show(v any, table func(io.Writer) error) error {
	if a.output == outputTable {
		return table(a.out)
	}
	a.printed = true
	return console.JSON(a.out, v)
}
