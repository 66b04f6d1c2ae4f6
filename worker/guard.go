package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/guard"
	"github.com/farmtrust/farmtrust/internal/logging"
)

const guardHelp = `Stands in front of a Temporal UI, which serves every page that finds it: lets through
what a page of the UI itself asks for under one of its own names, and nothing that
another page can make a browser send, nor a name that was made to lead here. The UI
must be reachable through the guard alone, so have it listen on 127.0.0.1.

It knows no users: anybody who reaches its port can use the UI. Publish it on 127.0.0.1,
or behind a proxy that authenticates.

It ends if the UI has not answered for half a minute, to be started again.

Examples:
  farmtrust-worker guard -ui http://127.0.0.1:8080 -listen 0.0.0.0:8081 -host 127.0.0.1:8233,localhost:8233
  farmtrust-worker guard -ui http://127.0.0.1:8080 -listen 127.0.0.1:8233 -write

Flags:
`

// Time limits of the guard. The UI is asked every few seconds, and given the time
// that a container needs to restart.
const (
	guardHeaderTimeout = 10 * time.Second
	guardAskEvery      = 5 * time.Second
	guardPatience      = 30 * time.Second
)

// guardOptions are the flags of the guard.
type guardOptions struct {
	listen string
	ui     *url.URL
	hosts  []string
	write  bool
	check  bool
}

// runGuard serves the UI until ctx is done, or asks a guard that does.
func runGuard(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	o, err := parseGuard(name, args, stderr)
	if err != nil {
		return err
	}
	if o.check {
		return checkGuard(ctx, o)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return &usageError{fmt.Errorf("-listen %s: %w", o.listen, err)}
	}
	log := logging.New(stderr, logging.DefaultFormat(stderr), zap.InfoLevel)
	log.Info("the UI is guarded", zap.String("ui", o.ui.String()), zap.Strings("hosts", o.hosts), zap.Bool("read-only", !o.write))
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(o.ui) },
		ErrorLog: zap.NewStdLog(log),
	}
	policy := guard.Policy{Hosts: o.hosts, ReadOnly: !o.write}
	server := &http.Server{Handler: policy.Wrap(proxy), ReadHeaderTimeout: guardHeaderTimeout, ErrorLog: zap.NewStdLog(log)}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { cancel(awaitSilence(ctx, o.ui)) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// parseGuard reads the flags of the guard.
func parseGuard(name string, args []string, w io.Writer) (o guardOptions, err error) {
	flags := flag.NewFlagSet(name+" guard", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8233", "the `address` to serve on")
	ui := flags.String("ui", "", "the `URL` of the UI: http://127.0.0.1:8080")
	hosts := flags.String("host", "", "the `names` with ports, separated by commas, that browsers know the UI by (default: that of -listen)")
	flags.BoolVar(&o.write, "write", false, "let the UI change something")
	flags.BoolVar(&o.check, "check", false, "report whether a guard with these flags serves its UI: exit code 0 if it does")
	if err := parseFlags(flags, args, guardHelp, "", w); err != nil {
		return o, err
	}
	o.ui, err = url.Parse(*ui)
	if err != nil || o.ui.Scheme != "http" && o.ui.Scheme != "https" || o.ui.Host == "" {
		return o, &usageError{fmt.Errorf("-ui %q: must be the URL of the UI, such as http://127.0.0.1:8080", *ui)}
	}
	if *hosts == "" {
		*hosts = o.listen
	}
	for host := range strings.SplitSeq(*hosts, ",") {
		o.hosts = append(o.hosts, strings.ToLower(strings.TrimSpace(host)))
	}
	return o, nil
}

// awaitSilence returns an error once the UI has not answered for a while, and that of
// ctx when it is done.
func awaitSilence(ctx context.Context, ui *url.URL) error {
	ticker := time.NewTicker(guardAskEvery)
	defer ticker.Stop()
	for answered := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		err := getHealth(ctx, ui, ui.Host)
		if err == nil {
			answered = time.Now()
		} else if time.Since(answered) > guardPatience {
			return fmt.Errorf("the UI has not answered for %s: %w", guardPatience, err)
		}
	}
}

// checkGuard asks the guard on this machine for the UI's health.
func checkGuard(ctx context.Context, o guardOptions) error {
	_, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return &usageError{fmt.Errorf("-listen %s: %w", o.listen, err)}
	}
	return getHealth(ctx, &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", port)}, o.hosts[0])
}

// getHealth asks a UI, under the name host, whether it serves.
func getHealth(ctx context.Context, ui *url.URL, host string) error {
	ctx, cancel := context.WithTimeout(ctx, guardAskEvery)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ui.JoinPath("healthz").String(), nil) //nolint:gosec // the address is the operator's own
	if err != nil {
		return err
	}
	request.Host = host
	answer, err := http.DefaultClient.Do(request) //nolint:gosec // see above
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", request.URL, answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}
