package winrm

import (
	"context"
	"errors"
	"fmt"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// problem is a [powershell.TransportError] that does not know its server and
// script yet.
type problem struct {
	kind powershell.Kind
	code uint32
	err  error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// oversizedProblem is that of a server whose answer is larger than it may be.
func oversizedProblem(what string, limit int) error {
	return &problem{kind: powershell.Oversized, err: &powershell.OversizedError{What: what, Limit: limit, Unit: "bytes"}}
}

// transportError is err as callers of [Runner.Run] get it. A context that ended
// explains every other failure.
func transportError(ctx context.Context, host, script string, err error) error {
	out := &powershell.TransportError{Server: host, Kind: powershell.Interrupted, Err: fmt.Errorf("%s: %w", script, err)}
	if p, ok := errors.AsType[*problem](err); ok {
		out.Kind, out.Code = p.kind, p.code
	}
	if ended := ctx.Err(); ended != nil {
		out.Kind, out.Code = powershell.Interrupted, 0
		if errors.Is(ended, context.DeadlineExceeded) {
			out.Kind = powershell.TimedOut
		}
		if !errors.Is(err, ended) {
			out.Err = fmt.Errorf("%s: %w", script, ended)
		}
	}
	return out
}
