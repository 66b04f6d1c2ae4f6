package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/namespace"
	"github.com/farmtrust/farmtrust/workflows"
)

const namespaceHelp = `Makes the namespace of a self-hosted Temporal server ready for farmtrust: waits for
the server, creates the namespace and the search attributes that do not exist, and
ends when workflows can set them. What exists is left as it is, so it may run as
often as wanted. It needs the rights of an administrator of the server; a worker
does not.

Server and namespace come from the standard TEMPORAL_* variables and profiles. In
Temporal Cloud namespaces are prepared with tcld; the error says how.

Examples:
  farmtrust-worker namespace
  TEMPORAL_NAMESPACE=office farmtrust-worker namespace -retention 2160h

Flags:
`

// minRetention is the shortest retention that a Temporal server accepts.
const minRetention = 24 * time.Hour

// runNamespace makes the namespace ready.
func runNamespace(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(name+" namespace", flag.ContinueOnError)
	retention := flags.Duration("retention", 30*24*time.Hour, "for this `duration` the server keeps workflows that have ended, if the namespace is created")
	plaintext := plaintextFlag(flags)
	if err := parseFlags(flags, args, namespaceHelp, "", stderr); err != nil {
		return err
	}
	if *retention < minRetention {
		return &usageError{fmt.Errorf("-retention %s is too short: a Temporal server keeps ended workflows for %s at least", *retention, minRetention)}
	}
	log := logging.New(stderr, logging.DefaultFormat(stderr), zap.InfoLevel)
	options, err := connect.Settings(connect.Options{Log: log, Plaintext: *plaintext})
	if err != nil {
		return &usageError{err}
	}
	err = namespace.Ensure(ctx, namespace.Options{
		Client: options, Retention: *retention, SearchAttributes: workflows.SearchAttributes(),
		Patience: connect.WorkerPatience(), Log: log,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "namespace %q at %s is ready\n", options.Namespace, options.HostPort)
	return err
}
