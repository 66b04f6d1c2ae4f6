// Package connect connects to Temporal: address, TLS and profile from Temporal's own
// settings, logging through zap, and search attributes.
//
// It knows no workflow and starts no worker.
package connect

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// dialTimeout bounds how long Dial waits for an answer: long enough for a slow
// network, short enough for an operator who mistyped the address.
const dialTimeout = 10 * time.Second

// Options say how a program reaches Temporal, besides Temporal's own settings.
type Options struct {
	// Log receives what the SDK logs.
	Log *zap.Logger
	// Plaintext permits a connection to another machine that anybody who is in between
	// could read and change.
	Plaintext bool
}

// Settings reads the connection from the standard TEMPORAL_* variables and the
// profile of temporal.toml that they name. Address and namespace are always set in
// the result. A connection that leaves this machine without TLS, or without verifying
// who answers, is a [*PlaintextError] unless that is permitted.
//
// An API key that is written as file:PATH is read from that file. It follows the
// file, as a client certificate follows its files: what replaces them is used
// without a restart, and what cannot be read is logged and leaves the one before in
// use. A remote codec that is named there is for the Temporal UI and Temporal's command
// line: it is not used.
//
// Source: Temporal, "Environment configuration".
func Settings(o Options) (client.Options, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{})
	if err != nil {
		return client.Options{}, settingsError(err)
	}
	options, err := clientOptions(profile, o.Log)
	if err != nil {
		return client.Options{}, settingsError(err)
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	options.Logger = NewLogger(o.Log)
	return options, checkPlaintext(options, o.Plaintext)
}

func settingsError(err error) error {
	return fmt.Errorf("read Temporal's settings (TEMPORAL_* variables and temporal.toml): %w", err)
}

// UnreachableError means that Temporal did not answer. Retrying may succeed.
type UnreachableError struct {
	// Address is the server's host:port.
	Address string
	Err     error
}

// Error says what is wrong there, and the remedy.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("reach Temporal at %s: %s", e.Address, describeFailure(e.Err))
}

// Unwrap returns Err.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Dial connects and waits for the server's first answer, at most ten seconds; a
// refused connection fails at once. The caller closes the client. A server that does
// not answer is an [*UnreachableError]. Heartbeats of activities may fail for 50
// seconds before the activity is cancelled.
func Dial(ctx context.Context, options client.Options) (client.Client, error) {
	options.ConnectionOptions.GetSystemInfoTimeout = dialTimeout
	patient := grpc.WithChainUnaryInterceptor(newPatientHeartbeats().intercept)
	options.ConnectionOptions.DialOptions = append([]grpc.DialOption{patient}, options.ConnectionOptions.DialOptions...)
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, &UnreachableError{Address: options.HostPort, Err: err}
	}
	return c, nil
}
