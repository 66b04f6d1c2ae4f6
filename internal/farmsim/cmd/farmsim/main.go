// Command farmsim runs a simulated farm alone: its servers speak
// WS-Management over HTTPS, and an admin address serves its state and takes
// faults. It prints one line of JSON when it is ready and runs until SIGINT.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/admin"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// ready is the one line that says where everything is.
type ready struct {
	// Admin is the URL of the admin address.
	Admin   string               `json:"admin"`
	Servers []farmsim.Connection `json:"servers"`
	// User is the account on the office servers.
	User string `json:"user"`
	// CA is the file to verify the servers with, Password the name of the
	// account's secret.
	CA       string `json:"ca"`
	Password string `json:"password"`
	// Config is a configuration for this farm.
	Config string `json:"config"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "farmsim: %v\n", oneLine(err))
		return exitUsage
	}
	if err := s.serve(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "farmsim: %v\n", oneLine(err))
		return exitFailure
	}
	return 0
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// settings are the values of the flags.
type settings struct {
	farmsim.Options
	// admin is where the admin address listens.
	admin string
	// keep says that the folder was named by the caller.
	keep bool
}

func parse(args []string, stderr io.Writer) (o settings, err error) {
	flags := flag.NewFlagSet("farmsim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&o.OfficeServers, "office", 3, "how many office servers")
	flags.IntVar(&o.SharePointFarms, "sharepoint", 1, "how many SharePoint farms")
	flags.IntVar(&o.SharePointServers, "servers", 2, "how many servers in each SharePoint farm")
	flags.StringVar(&o.SharePoint, "version", "2016", "SharePoint 2016, 2019 or SE")
	auth := flags.String("auth", string(model.NTLM), "what office servers offer: basic or ntlm")
	flags.BoolVar(&o.SelfSigned, "selfsigned", false, "self-signed certificates instead of CA-issued ones")
	flags.BoolVar(&o.Trusting, "trusting", false, "start with a farm that trusts a certificate near its end")
	flags.BoolVar(&o.Approval, "approval", false, "the configuration requires an approval before the cutover")
	flags.BoolVar(&o.RemoteSQL, "remotesql", false, "SharePoint's databases are on another machine")
	runAs := flags.String("runas", string(farm.Direct), "how SharePoint cmdlets are run: direct or task")
	flags.StringVar(&o.PowerShell, "pwsh", "", "PowerShell that runs the shipped scripts, with stubs for Windows and the products")
	latency := flags.Duration("latency", 0, "how long each script takes")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "where each server listens: an `address` with port 0")
	flags.StringVar(&o.admin, "admin", "127.0.0.1:0", "where the admin address listens: an `address` of this machine")
	flags.StringVar(&o.Dir, "dir", "", "folder for the farm's files; a temporary one if empty")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "Usage: farmsim [flags]\n\nRuns a simulated farm until SIGINT. Flags:")
			flags.SetOutput(stderr)
			flags.PrintDefaults()
		}
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: see farmsim -h", flags.Arg(0))
	}
	o.Auth, o.RunAs = model.Auth(*auth), farm.RunAs(*runAs)
	o.Latency = map[string]time.Duration{"": *latency}
	o.keep = o.Dir != ""
	return o, check(o.Options, *latency)
}

// check refuses what flags can say and options cannot mean: zero means a
// default there.
func check(o farmsim.Options, latency time.Duration) error {
	if o.OfficeServers < 1 || o.SharePointFarms < 1 || o.SharePointServers < 1 {
		return errors.New("-office, -sharepoint and -servers must be at least 1")
	}
	if latency < 0 {
		return errors.New("-latency must not be negative")
	}
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	return o.Check()
}

// serve runs the farm until ctx ends.
func (o settings) serve(ctx context.Context, stdout io.Writer) (err error) {
	if o.keep {
		err = os.MkdirAll(o.Dir, 0o700)
	} else {
		o.Dir, err = os.MkdirTemp("", "farmsim-*")
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	if err != nil {
		return fmt.Errorf("make a folder for the farm's files: %w", err)
	}
	sim, err := farmsim.Start(ctx, o.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	listener, err := net.Listen("tcp", o.admin)
	if err != nil {
		return fmt.Errorf("open the admin address: %w", err)
	}
	line := ready{
		Admin: "http://" + listener.Addr().String(), Servers: sim.Connections(), User: sim.Connections()[0].User,
		CA: sim.CA(), Password: "file:" + sim.Password(), Config: sim.Config(),
	}
	if err := json.NewEncoder(stdout).Encode(line); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	return serveAdmin(ctx, listener, admin.Handler(sim))
}

func serveAdmin(ctx context.Context, listener net.Listener, handler http.Handler) error {
	const patience = 10 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the admin address: %w", err)
	}
	return nil
}
