package farmsim

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Runner returns a runner that hands calls to the simulated servers without a
// wire. The envelope, the output and the faults are the same as over one. The
// envelope is not sealed and opened again: base64 took half the time of some
// tests under the race detector.
func (f *Farm) Runner() powershell.Runner { return directRunner{f} }

type directRunner struct{ farm *Farm }

func (r directRunner) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	server, ok := r.farm.findServer(target.Host)
	if !ok {
		return transportError(target.Host, powershell.Unreachable, 0, errors.New("no such host"))
	}
	for _, stage := range []wsman.Stage{wsman.Connecting, wsman.Requesting} {
		if d := server.disrupt(wsman.Point{Stage: stage}); d.Kind == wsman.Refused && stage == wsman.Connecting {
			return transportError(target.Host, powershell.Unreachable, 0, d)
		} else if d.Kind != "" {
			return clientError(ctx, target.Host, d)
		}
	}
	nonce := rand.Text()
	envelope, err := powershell.NewEnvelope(call, nonce)
	if err != nil {
		return err
	}
	out, err := server.handleEnvelope(ctx, envelope)
	if err != nil {
		return clientError(ctx, target.Host, err)
	}
	return powershell.ReadResult(target.Host, call, nonce, out.Stdout, out.Stderr, out.Exit, result)
}

// clientError is how a WinRM client reports a command that ended with an error
// on the server: nothing answers a caller for whom the server hangs until the
// caller gives up.
func clientError(ctx context.Context, host string, err error) error {
	var d wsman.Disruption
	isDisruption := errors.As(err, &d)
	if d.Kind == wsman.Hang {
		<-ctx.Done()
	}
	switch {
	case ctx.Err() != nil:
		return transportError(host, powershell.TimedOut, 0, context.Cause(ctx))
	case !isDisruption:
		return transportError(host, powershell.Garbled, 0, err)
	case d.Kind == wsman.Unauthorized:
		const unauthorized = 401
		return transportError(host, powershell.Denied, unauthorized, err)
	case d.Kind == wsman.SOAPFault:
		return transportError(host, kindOf(d.Fault), d.Fault.Code, err)
	}
	return transportError(host, powershell.Interrupted, 0, err)
}

// kindOf is what a SOAP fault means to a caller.
func kindOf(f *wsman.Fault) powershell.Kind {
	switch {
	case f.Subcode == wsman.AccessDenied().Subcode:
		return powershell.Forbidden
	case f.Code == wsman.Busy().Code:
		return powershell.Busy
	case f.Subcode == wsman.QuotaLimit(wsman.MaxShells, 0).Subcode:
		return powershell.Quota
	}
	return powershell.Interrupted
}

func transportError(host string, kind powershell.Kind, code uint32, err error) error {
	return &powershell.TransportError{Server: host, Kind: kind, Code: code, Err: err}
}
