package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/codecserver"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/internal/token"
)

const codecHelp = `Serves the Temporal UI, and Temporal's command line, with what farmtrust has encrypted:
POST /decode answers with payloads in clear, to those who may read them. It needs the key
ring for payloads, and connects to nothing but the identity provider, if there is one.

Who asks proves it with a bearer token: one of -tokens, or one that the identity provider
has issued, which the UI passes on (TEMPORAL_CODEC_PASS_ACCESS_TOKEN). A person without
either opens the address of this server, and signs in with a token; the UI then needs "Include
cross-origin credentials", and the same site as this server. docs/encryption.md shows all.

Examples:
  farmtrust-worker codec -payload-keys payloads.keys -tokens codec.tokens -origin http://127.0.0.1:8233
  farmtrust-worker codec -payload-keys /etc/farmtrust/payloads.keys -listen :8235
    -certificate codec.pem -key codec.key -origin https://temporal.contoso.com
    -issuer https://login.contoso.com -audience temporal-ui

Flags:
`

// codecOptions are the flags of the codec server.
type codecOptions struct {
	listen, keys, tokens, issuer, audience, certificate, key string
	origins                                                  []string
	plaintext, ask                                           bool
}

func parseCodec(name string, args []string, stderr io.Writer) (codecOptions, error) {
	var o codecOptions
	flags := flag.NewFlagSet(name+" codec", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8235", "listen on this `address`")
	flags.StringVar(&o.keys, "payload-keys", defaultPayloadKeys(), "the key ring for payloads, a `file`; also "+payload.KeysVariable)
	flags.Func("origin", "answer pages of this `origin`, that of the Temporal UI, such as https://temporal.contoso.com; may be repeated", func(v string) error {
		o.origins = append(o.origins, v)
		return checkOrigin(v)
	})
	flags.StringVar(&o.tokens, "tokens", "", "a `file` with a line NAME TOKEN for each who may read")
	flags.StringVar(&o.issuer, "issuer", "", "the `URL` of an OpenID Connect provider whose tokens are accepted")
	flags.StringVar(&o.audience, "audience", "", "the client `ID` that such tokens must be for: that of the Temporal UI")
	flags.StringVar(&o.certificate, "certificate", "", "serve TLS with the certificate in this `file`, in PEM; needs -key")
	flags.StringVar(&o.key, "key", "", "the `file` with the certificate's key, in PEM")
	flags.BoolVar(&o.plaintext, "plaintext", false, "listen beyond this machine without TLS, such as behind a proxy that has it")
	flags.BoolVar(&o.ask, "check", false, "only ask the server that listens at -listen whether it answers, as a health check does")
	if err := parseFlags(flags, args, codecHelp, "", stderr); err != nil {
		return o, err
	}
	return o, o.check()
}

// checkOrigin refuses what no browser would send as an origin.
func checkOrigin(origin string) error {
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || (scheme != "http" && scheme != "https") || host == "" || strings.ContainsAny(host, "/?#*@ ") || strings.ToLower(origin) != origin {
		return errors.New("an origin is written like https://temporal.contoso.com, without a path")
	}
	return nil
}

func (o codecOptions) check() error {
	switch {
	case o.ask:
		return nil
	case o.keys == "":
		return &usageError{errors.New("name the key ring for payloads: -payload-keys FILE")}
	case o.tokens == "" && o.issuer == "":
		return &usageError{errors.New("say who may read: -tokens FILE, or -issuer URL and -audience ID")}
	case (o.issuer == "") != (o.audience == ""):
		return &usageError{errors.New("-issuer and -audience need each other: a token for another program proves nothing here")}
	case (o.certificate == "") != (o.key == ""):
		return &usageError{errors.New("-certificate and -key need each other")}
	case o.certificate == "" && !o.plaintext && !isLoopback(o.listen):
		return &usageError{fmt.Errorf("-listen %s is open to other machines: give -certificate and -key, or -plaintext behind a proxy that has TLS", o.listen)}
	}
	return nil
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip, parseErr := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || parseErr == nil && ip.IsLoopback())
}

// runCodec serves the decryption of payloads until ctx is done.
func runCodec(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	o, err := parseCodec(name, args, stderr)
	if err != nil {
		return err
	}
	if o.ask {
		return o.askServer(ctx)
	}
	ring, err := keyring.Open(o.keys)
	if err != nil {
		return &usageError{err}
	}
	authenticate, err := o.authentication()
	if err != nil {
		return &usageError{err}
	}
	log := logging.New(stderr, logging.DefaultFormat(stderr), zap.InfoLevel)
	server := &http.Server{
		Handler: codecserver.New(codecserver.Options{
			Payloads: payload.Options{Keys: ring}, Origins: o.origins, Authenticate: authenticate, Log: log,
		}),
		// Who sends or reads slowly must not hold a place for long; the largest answer
		// needs seconds.
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: zap.NewStdLog(log),
	}
	listener, err := o.open(ctx)
	if err != nil {
		return &usageError{err}
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(stdout, "%s at %s\n", cmp.Or(strings.Join(o.origins, ", "), "command lines"), listener.Addr())
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// askServer asks the server on this machine whether it answers. Its certificate names the
// address that browsers use, and is not verified here: nothing is told to it.
func (o codecOptions) askServer(ctx context.Context) error {
	_, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return &usageError{fmt.Errorf("-listen: %w", err)}
	}
	scheme := "http"
	if o.certificate != "" {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://127.0.0.1:"+port+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answers %s", response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// open opens the port. A certificate is read for each connection, so that a new one is
// used at once.
func (o codecOptions) open(ctx context.Context) (net.Listener, error) {
	if o.certificate != "" {
		if _, err := tls.LoadX509KeyPair(o.certificate, o.key); err != nil {
			return nil, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil || o.certificate == "" {
		return listener, err
	}
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(o.certificate, o.key)
			return &c, err
		},
	}), nil
}

// authentication returns who accepts tokens: the file, then the provider.
func (o codecOptions) authentication() (func(context.Context, string) (string, error), error) {
	var known, issued func(context.Context, string) (string, error)
	if o.tokens != "" {
		var err error
		if known, err = codecserver.Tokens(o.tokens); err != nil {
			return nil, err
		}
	}
	if o.issuer != "" {
		issued = holderOf(token.New(token.Provider{Issuer: o.issuer, Audience: o.audience}))
	}
	switch {
	case issued == nil:
		return known, nil
	case known == nil:
		return issued, nil
	}
	return func(ctx context.Context, given string) (string, error) {
		if name, err := known(ctx, given); err == nil {
			return name, nil
		}
		return issued(ctx, given)
	}, nil
}

// holderOf returns an authentication by tokens of a provider.
func holderOf(v *token.Verifier) func(context.Context, string) (string, error) {
	return func(ctx context.Context, given string) (string, error) {
		claims, err := v.Verify(ctx, given)
		if err != nil {
			return "", err
		}
		return cmp.Or(claims.Text("email"), claims.Text("preferred_username"), claims.Subject), nil
	}
}
