package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/farmtrust/farmtrust/internal/console"
)

// options are the values of the flags.
type options struct {
	config, farm string
	serverOnly   bool
	data         string
	port, uiPort int
	log          string
	exit, json   bool
	// open lets all users of the machine in, uiWrite has the UI change things.
	open, uiWrite bool
	color         console.Color
	version       bool
}

const help = `Runs farmtrust in one process: an embedded Temporal server with its UI, the
worker, the controllers of the farms, and the rotation of one farm.

Without -config the farm is a simulated one that speaks WinRM over HTTPS. One
expiry event sets up its trust from scratch, a second one renews it.

With -config one of your own farms is rotated to its newest certificate. If its
configuration requires approval or has a maintenance window, the rotation waits
for it, even with -exit, and prints the farmtrust command that decides.

With -server-only there is no worker and no farm: only the Temporal server and its
UI, for farmtrust-worker and farmtrust to be tried with. It is for one user on one
machine, not for production.

With -config and with -server-only, other users of this machine are kept out: your
own programs connect with the file that is named at the start
(TEMPORAL_CONFIG_FILE), the UI answers only at the address that is shown, which is as
secret as a password, and changes nothing. Who can read your files, such as an
administrator of this machine, can use both. A simulated farm is open to all.

Relative paths start in the current directory; with go run -C DIR that is DIR.

Examples:
  farmtrust-standalone
  farmtrust-standalone -exit -o json
  farmtrust-standalone -server-only -open
  farmtrust-standalone -config /etc/farmtrust.yaml -data /var/lib/farmtrust

Flags:
`

// programName stands in the help for how the program was called.
const programName = "farmtrust-standalone"

const exitHelp = `
Exit codes:
  0  the trust was verified, or was already as desired; with -server-only, Ctrl-C
  1  it was not: refused, incomplete, rolled back, partial, or interrupted
  2  a flag, the configuration, a port or the data directory cannot be used
`

// parseFlags reads the flags. It writes the help to w if asked to; any other error
// is a [*usageError].
func parseFlags(name string, args []string, w io.Writer) (options, error) {
	o := options{color: console.ColorAuto}
	var output string
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.config, "config", "", "farmtrust's configuration `file` (default: a simulated farm)")
	flags.StringVar(&o.farm, "farm", "", "the `name` of the farm, if the configuration has several")
	flags.BoolVar(&o.serverOnly, "server-only", false, "run only the Temporal server and its UI")
	flags.StringVar(&o.data, "data", "", "keep Temporal's state in this `directory`; for a simulated farm, in its\nsubdirectory \"simulated\" (default: in memory)")
	flags.IntVar(&o.port, "port", 7233, "`port` of the Temporal server on 127.0.0.1; 0 for any that is free")
	flags.IntVar(&o.uiPort, "ui-port", 8233, "`port` of the Temporal UI on 127.0.0.1; 0 for any that is free")
	flags.BoolVar(&o.open, "open", false, "with -server-only: let every user of this machine use Temporal and its UI")
	flags.BoolVar(&o.uiWrite, "ui-write", false, "with -config and -server-only: let the UI start, stop and change workflows")
	flags.StringVar(&o.log, "log", "", "append what Temporal and the worker log to this `file` (default: not kept)")
	flags.BoolVar(&o.exit, "exit", false, "quit after the last report instead of staying up, but not while a rotation\nwaits for an operator")
	flags.StringVar(&output, "o", "table", "`format` of the report on standard output: table, or json on the last line")
	flags.Var(&o.color, "color", "`when` texts are set off by colour: auto, always or never; NO_COLOR=1 is never")
	flags.BoolVar(&o.version, "version", false, "show the version, commit and Go version of this build")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			var text strings.Builder
			flags.SetOutput(&text)
			call := name
			if name == "standalone" { // go run names it after its folder
				call = "go run -C standalone ."
			}
			text.WriteString(strings.ReplaceAll(help, programName, call))
			flags.PrintDefaults()
			text.WriteString(exitHelp)
			return o, errors.Join(err, console.WriteHelp(w, text.String()))
		}
		return o, usageErrorf("%w", err)
	}
	o.json = output == "json"
	return o, o.checkFlags(flags, output)
}

// checkFlags returns a [*usageError] for values that are wrong or do not go together.
func (o options) checkFlags(flags *flag.FlagSet, output string) error {
	var empty string
	flags.Visit(func(f *flag.Flag) {
		if f.Value.String() == "" {
			empty = f.Name
		}
	})
	switch {
	case flags.NArg() > 0:
		return usageErrorf("unexpected argument %q", flags.Arg(0))
	case empty != "":
		return usageErrorf("-%s has no value", empty)
	case output != "table" && output != "json":
		return usageErrorf("unknown form %q: use -o table or -o json", output)
	case o.farm != "" && o.config == "":
		return usageErrorf("-farm %s: -config is required too, which says where its servers are", o.farm)
	case o.serverOnly && (o.config != "" || o.exit || o.json):
		return usageErrorf("-server-only runs no farm: leave out -config, -exit and -o json")
	case o.open && !o.serverOnly:
		return usageErrorf("-open: only together with -server-only; a simulated farm is open to all, one of yours to nobody else")
	}
	if err := checkPort("port", o.port); err != nil {
		return err
	}
	return checkPort("ui-port", o.uiPort)
}

func checkPort(name string, n int) error {
	if n < 0 || n > 65535 {
		return usageErrorf("-%s %d: must be 0 to 65535", name, n)
	}
	return nil
}

// usageErrorf formats a [*usageError].
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}
