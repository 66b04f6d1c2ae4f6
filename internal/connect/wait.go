package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Patience says how a program waits for a Temporal server that is not ready.
type Patience struct {
	// Retry is the time between two attempts, Remind between two log entries that
	// say what is waited for.
	Retry, Remind time.Duration
	// Attributes is how long search attributes may be missing. A server's frontend
	// caches them for up to a minute, so a namespace that was made ready just now
	// does not look like it; waiting longer helps only an operator who reads the
	// error at once, and hides it from all others.
	Attributes time.Duration
}

// WorkerPatience is how a worker waits: it may be started before its server, as
// after a power failure, and nobody may be there to start it again.
func WorkerPatience() Patience {
	return Patience{Retry: 2 * time.Second, Remind: time.Minute, Attributes: time.Minute}
}

// DialReady connects like [Dial], and waits until the server answers and the
// namespace exists and has the search attributes keys. It logs as a warning what it
// waits for. It returns an error where waiting does not help: the server refuses
// the credentials, or search attributes have other types or are missing for too
// long. The caller closes the client.
func (p Patience) DialReady(ctx context.Context, options client.Options, keys []temporal.SearchAttributeKey, log *zap.Logger) (client.Client, error) {
	var c client.Client
	check := func() (err error) {
		if c == nil {
			if c, err = Dial(ctx, options); err != nil {
				return err
			}
		}
		return CheckSearchAttributes(ctx, c, options, keys)
	}
	if err := p.Await(ctx, log, check); err != nil {
		if c != nil {
			c.Close()
		}
		return nil, err
	}
	return c, nil
}

// Await calls check until it succeeds or fails so that waiting does not help. It
// logs what it waits for at once, when that changes, and as a reminder.
func (p Patience) Await(ctx context.Context, log *zap.Logger, check func() error) error {
	var reminded, incomplete time.Time
	kind := ""
	for {
		err := check()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var attributes *SearchAttributesError
		switch {
		case err == nil && !reminded.IsZero():
			log.Info("Temporal is ready")
			return nil
		case errors.As(err, &attributes):
			if incomplete.IsZero() {
				incomplete = time.Now()
			}
			if len(attributes.Mistyped) > 0 || time.Since(incomplete) >= p.Attributes {
				return err
			}
		case err == nil, !mayPass(err):
			return err
		}
		if now := fmt.Sprintf("%T", err); now != kind || time.Since(reminded) >= p.Remind {
			log.Warn("Temporal is not ready; waiting for it", zap.Error(err))
			kind, reminded = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(p.Retry):
		}
	}
}

// mayPass reports whether an error may go away without a change here: the server
// is not up yet, is busy, or lacks the namespace as yet. A server that refuses
// credentials is up, and its answer is for an operator.
func mayPass(err error) bool {
	var noNamespace *serviceerror.NamespaceNotFound
	var unreachable *UnreachableError
	switch codeOf(err) {
	case codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented:
		return false
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted, codes.Internal:
		return true
	}
	return errors.As(err, &noNamespace) || errors.As(err, &unreachable)
}

// codeOf returns the gRPC code of an error of the SDK's, which wraps statuses in
// types of its own.
func codeOf(err error) codes.Code {
	var wrapped interface{ Status() *status.Status }
	if errors.As(err, &wrapped) {
		return wrapped.Status().Code()
	}
	return status.Code(err)
}
