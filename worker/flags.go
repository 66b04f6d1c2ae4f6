package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/deployment"
	"github.com/farmtrust/farmtrust/internal/logging"
)

// program stands in the help for the name that the program was called by.
const program = "farmtrust-worker"

const help = `Runs farmtrust's workflows and activities, and a controller for each configured
farm, until Ctrl-C or SIGTERM. Running steps get 20 seconds to finish; any that are
cut off continue at the next start.

Each controller inspects its farm at once. On a farm that an operator has released
("farmtrust release") it starts a rotation if one is due; on any other, nothing is
changed that nobody has asked for. "farmtrust status" shows what follows. Before the cutover, the first step that takes effect,
the rotation waits for an approval or a maintenance window if the configuration asks
for one ("approval", "window").

It connects to Temporal by the standard TEMPORAL_* variables and profiles
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...). It waits for a server
that is not up yet and for a namespace that does not exist yet, and ends if the
namespace lacks a search attribute for a minute: the error names the command that
adds it.

What Temporal stores is encrypted with the key ring that the configuration names
("keys.payloads"), or FARMTRUST_PAYLOAD_KEYS; "farmtrust keys new" makes one.

Where the configuration has "listen" or "pull", it takes expiry events in; each is a hint
to inspect a farm at once.

It logs to standard error, a line for each thing that happens: why a rotation begins,
what changes on which server, what fails and is tried again, what waits and until when,
who decides what, and how it ends.

With -deployment and -build, Temporal keeps each rotation on the version that it
began on, and nothing runs until a version is made current: the log names the
command. Without them, this version continues what an older one began.

Several workers may run side by side. Those of a site must have the same configuration.

Other commands, each with -h:
  check      check a configuration, and every server that it names, without Temporal
  namespace  make the namespace of a self-hosted Temporal server ready
  replay     show the open workflows that this version could not continue
  health     report whether a worker on this machine asks Temporal for work
  guard      let only the Temporal UI's own pages reach it
  certificates
             make the certificates of a Temporal server of your own and its clients
  codec      show in the Temporal UI, to those who may, what is encrypted

Examples:
  farmtrust-worker
  farmtrust-worker -config /etc/farmtrust/farmtrust.yaml -log-level warn
  farmtrust-worker -log-format json 2>> /var/log/farmtrust.jsonl
  farmtrust-worker -deployment farmtrust -build v1.4.0
  farmtrust-worker -fingerprints

Flags:
`

const exitHelp = `
Exit codes:
  0  stopped as asked
  1  Temporal refuses the credentials or, for two minutes, every poll; or it lacks
     search attributes
  2  a flag or the configuration is wrong
`

// usageError is an error that the user can correct: a flag, the configuration, or
// Temporal's settings.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// options are the flags.
type options struct {
	config       string
	level        zapcore.Level
	format       logging.Format
	version      bool
	fingerprints bool
	deployment   deployment.Version
	payloads     payloadFlags
	plaintext    *bool
}

// parse reads the flags of the worker itself. Help goes to w.
func parse(name string, args []string, w io.Writer) (options, error) {
	o := options{level: zapcore.InfoLevel, format: logging.DefaultFormat(w)}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&o.config, "config", "farmtrust.yaml", "the configuration `file`: the farms and how to reach them")
	flags.Var(&o.level, "log-level", "log entries of this `level` and above: debug, info, warn or error (default info)")
	flags.Var(&o.format, "log-format", "log lines of this `format`: text for people, json for programs; by itself text on a terminal, json elsewhere")
	flags.BoolVar(&o.version, "version", false, "show the version, commit and Go version of this build")
	flags.BoolVar(&o.fingerprints, "fingerprints", false, "show the SHA-256 of what this version runs on servers, to find it in their logs")
	flags.StringVar(&o.deployment.Name, "deployment", "", "be one version of the Temporal worker deployment of this `name`; needs -build")
	flags.StringVar(&o.deployment.Build, "build", "", "the build `ID` that names this version in its deployment")
	o.payloads = addPayloadFlags(flags)
	o.plaintext = plaintextFlag(flags)
	if err := parseFlags(flags, args, help, exitHelp, w); err != nil {
		return o, err
	}
	if err := o.deployment.Validate(); err != nil {
		return o, &usageError{fmt.Errorf("-deployment and -build: %w; see %s -h", err, name)}
	}
	return o, nil
}

// plaintextFlag adds the flag of all commands that connect to Temporal.
func plaintextFlag(flags *flag.FlagSet) *bool {
	return flags.Bool("plaintext", false, "reach Temporal on another machine without verified TLS, over a network that nobody else\nreaches; "+connect.PlaintextVariable+"=true does the same")
}

// parseFlags reads the flags of a command, named by flags, that takes no arguments.
// Help, with the flags between before and after, goes to w, and the error is then
// [flag.ErrHelp]; any other is a [*usageError].
func parseFlags(flags *flag.FlagSet, args []string, before, after string, w io.Writer) error {
	err := parseFlagsBefore(flags, args, before, after, w)
	if err == nil && flags.NArg() > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q; see %s -h", flags.Arg(0), flags.Name())}
	}
	return err
}

// parseFlagsBefore is parseFlags for a command that takes arguments after its flags.
func parseFlagsBefore(flags *flag.FlagSet, args []string, before, after string, w io.Writer) error {
	flags.SetOutput(io.Discard)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		var text strings.Builder
		flags.SetOutput(&text)
		call, _, _ := strings.Cut(flags.Name(), " ")
		if call == "worker" { // go run names it after its folder
			call = "go run ./worker"
		}
		text.WriteString(strings.ReplaceAll(before, program, call))
		flags.PrintDefaults()
		text.WriteString(after)
		return errors.Join(err, console.WriteHelp(w, text.String()))
	case err != nil:
		return &usageError{fmt.Errorf("%w; see %s -h", err, flags.Name())}
	}
	return nil
}
