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
)

// dialTimeout bounds how long Dial waits for an answer: long enough for a slow
// network, short enough for an operator who mistyped the address.
const dialTimeout = 10 * time.Second

// Settings reads the connection from the standard TEMPORAL_* variables and the
// profile of temporal.toml that they name. Address and namespace are always set in
// the result. The SDK logs to log.
//
// Source: Temporal, "Environment configuration".
func Settings(log *zap.Logger) (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{})
	if err != nil {
		return client.Options{}, fmt.Errorf("read Temporal's settings (TEMPORAL_* variables and temporal.toml): %w", err)
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	options.Logger = NewLogger(log)
	return options, nil
}

// UnreachableError means that Temporal did not answer. Retrying may succeed.
type UnreachableError struct {
	// Address is the server's host:port.
	Address string
	Err     error
}

// Error names the address and the remedy.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("reach Temporal at %s: %v; start it there, or set TEMPORAL_ADDRESS "+
		"(and TEMPORAL_TLS or TEMPORAL_API_KEY if the server asks for them)", e.Address, e.Err)
}

// Unwrap returns Err.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Dial connects and waits for the server's first answer, at most ten seconds; a
// refused connection fails at once. The caller closes the client. A server that does
// not answer is an [*UnreachableError].
func Dial(ctx context.Context, options client.Options) (client.Client, error) {
	options.ConnectionOptions.GetSystemInfoTimeout = dialTimeout
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, &UnreachableError{Address: options.HostPort, Err: err}
	}
	return c, nil
}
