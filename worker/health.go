package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/host"
)

const healthHelp = `Reports whether a worker on this machine, or in this container, asks Temporal for
work: exit code 0 if it does, 1 if none has for three minutes or Temporal cannot be
reached. It is for health checks of containers and supervisors.

Examples:
  farmtrust-worker health -config /etc/farmtrust/farmtrust.yaml

Flags:
`

// healthTimeout is shorter than that of most health checks, so that the reason is
// still printed.
const healthTimeout = 8 * time.Second

// runHealth checks that a worker on this machine polls.
func runHealth(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(name+" health", flag.ContinueOnError)
	file := flags.String("config", "farmtrust.yaml", "the worker's configuration `file`, which names its site")
	plaintext := plaintextFlag(flags)
	if err := parseFlags(flags, args, healthHelp, "", stderr); err != nil {
		return err
	}
	farms, err := config.Load(*file)
	if err != nil {
		return &usageError{err}
	}
	options, err := connect.Settings(connect.Options{Log: zap.NewNop(), Plaintext: *plaintext})
	if err != nil {
		return &usageError{err}
	}
	machine, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("ask for the host name: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	c, err := connect.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := host.CheckPolling(ctx, c, farms.Site, machine); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "a worker on %s polls\n", machine)
	return err
}
