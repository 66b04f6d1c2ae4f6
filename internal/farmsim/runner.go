package farmsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Runner returns a runner that calls the simulated servers without a wire. The
// envelope and the answer are the same as over one.
func (s *Sim) Runner() powershell.Runner { return runner{s} }

type runner struct{ sim *Sim }

// Run implements [powershell.Runner].
func (r runner) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	failed := func(kind powershell.Kind, code uint32, err error) error {
		return &powershell.TransportError{Server: target.Host, Kind: kind, Code: code, Err: err}
	}
	server, ok := r.sim.server(target.Host)
	if !ok {
		return failed(powershell.Unreachable, 0, fmt.Errorf("no such host"))
	}
	if f, due := r.sim.Faults.Connection(target.Host, fault.Refused, fault.Unauthorized, fault.SOAPFault); due {
		kind, code := transportKind(f)
		return failed(kind, code, interruption{f})
	}
	nonce := rand.Text()
	stdin, err := powershell.Seal(call, nonce)
	if err != nil {
		return err
	}
	envelope, err := powershell.Open(stdin)
	if err != nil {
		return failed(powershell.Garbled, 0, err)
	}
	if !r.sim.World.Up(target.Host) {
		return failed(powershell.Unreachable, 0, model.ErrDown)
	}
	out, err := r.sim.call(ctx, target.Host, server.logon(), envelope)
	var met interruption
	switch {
	case ctx.Err() != nil:
		return failed(powershell.TimedOut, 0, context.Cause(ctx))
	case errors.As(err, &met) && met.Kind == fault.Hang:
		<-ctx.Done()
		return failed(powershell.TimedOut, 0, context.Cause(ctx))
	case errors.As(err, &met):
		kind, code := transportKind(met.Fault)
		return failed(kind, code, met)
	case errors.Is(err, model.ErrDown):
		return failed(powershell.Interrupted, 0, err)
	case err != nil:
		return failed(powershell.Garbled, 0, err)
	}
	return powershell.ReadResult(target.Host, call.Script, nonce, out.Stdout, out.Stderr, out.Exit, result)
}

// transportKind is how a client comes to know of a fault.
func transportKind(f fault.Fault) (powershell.Kind, uint32) {
	switch f.Kind {
	case fault.Refused:
		return powershell.Unreachable, 0
	case fault.Unauthorized:
		return powershell.Denied, 401
	case fault.SOAPFault:
		switch {
		case f.Code == codeAccessDenied:
			return powershell.Forbidden, f.Code
		case f.Code == codeBusy:
			return powershell.Busy, f.Code
		case isQuota(f.Code):
			return powershell.Quota, f.Code
		}
		return powershell.Interrupted, f.Code
	default:
		return powershell.Interrupted, 0
	}
}

// The WSMan fault codes that a client tells apart.
const (
	codeAccessDenied = 5
	codeBusy         = 170
)

// isQuota covers the quotas of wsmerror.h, of the service and per user.
func isQuota(code uint32) bool {
	return code >= 2150859173 && code <= 2150859179 || code >= 2150859236 && code <= 2150859242
}
