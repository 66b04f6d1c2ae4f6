package farmsim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// interruption is a fault that keeps a call's answer from its caller. How the
// caller comes to know depends on what carries the call.
type interruption struct{ fault.Fault }

func (i interruption) Error() string { return fmt.Sprintf("interrupted: %s", i.Kind) }

// errUnknown is the answer to a script that is not one of ours.
var errUnknown = errors.New("not a script of farmtrust")

// call does on a server what an envelope asks for, and returns what the command
// prints. The error is an [interruption] when a fault keeps the answer from the
// caller, whether something was done or not.
func (s *Sim) call(ctx context.Context, host string, logon model.Logon, e powershell.Envelope) (wsman.Result, error) {
	if source, err := powershell.Source(e.Name); err != nil || e.Script != source || e.Prelude != powershell.Prelude() {
		return wsman.Result{}, errUnknown
	}
	session, err := s.World.LogOn(host, logon)
	if err != nil {
		return wsman.Result{}, err
	}
	if mode := s.options.Shells[host].LanguageMode; mode != "" {
		return wsman.Result{Stdout: fmt.Appendf(nil, "@@LANGUAGE %s\r\n", mode), Exit: powershell.ExitConstrained}, nil
	}
	if err := s.delay(ctx, e.Name); err != nil {
		return wsman.Result{}, err
	}
	if said, err := s.meet(ctx, host, e, fault.Before); said != nil || err != nil {
		return wsman.Result{Stdout: said}, err
	}
	out, err := s.act(ctx, session, host, e)
	if err != nil {
		return wsman.Result{}, err
	}
	if said, err := s.meet(ctx, host, e, fault.After); said != nil || err != nil {
		return wsman.Result{Stdout: said}, err
	}
	return out, nil
}

// act runs the script, or its model.
func (s *Sim) act(ctx context.Context, session *model.Session, host string, e powershell.Envelope) (wsman.Result, error) {
	if s.engine != nil && !s.options.Shells[host].Bits32 {
		out, err := s.engine.Run(ctx, pwsh.Call{Session: session, Envelope: e})
		return wsman.Result(out), err
	}
	out, err := s.model(session, host, e)
	return wsman.Result{Stdout: out}, err
}

// model runs the model of the script, after the dispatcher's own check.
func (s *Sim) model(session *model.Session, host string, e powershell.Envelope) ([]byte, error) {
	if s.options.Shells[host].Bits32 {
		return powershell.FormatError(e.Nonce, powershell.ScriptError{
			ID: powershell.Not64Bit, Message: "PowerShell runs as a 32-bit process; the remote shell must start the 64-bit one",
			Category: "InvalidOperation", Exception: "System.InvalidOperationException",
		})
	}
	result, err := scripts.Run(session, e.Name, e.Params, e.Secrets)
	var refused *powershell.ScriptError
	if see := s.options.Witness.Acted; see != nil && (err == nil || errors.As(err, &refused)) {
		if err != nil {
			result = nil
		}
		see(host, e, result)
	}
	switch {
	case errors.As(err, &refused):
		return powershell.FormatError(e.Nonce, *refused)
	case err != nil:
		return nil, err
	}
	return powershell.FormatResult(e.Nonce, result)
}

// meet carries out the faults that the step meets now. Output takes the place
// of the script's.
func (s *Sim) meet(ctx context.Context, host string, e powershell.Envelope, when fault.When) ([]byte, error) {
	if slow, due := s.Faults.Step(host, e.Name, when, fault.Slow); due {
		if err := sleep(ctx, time.Duration(slow.Delay)); err != nil {
			return nil, err
		}
	}
	f, due := s.Faults.Step(host, e.Name, when,
		fault.Refused, fault.Dropped, fault.Unauthorized, fault.SOAPFault, fault.Hang, fault.ScriptError, fault.Reboot)
	switch {
	case !due:
		return nil, nil
	case f.Kind == fault.ScriptError:
		return powershell.FormatError(e.Nonce, powershell.ScriptError{
			ID: f.Error.ID, Message: f.Error.Message, Category: f.Error.Category,
			Exception: f.Error.Exception, HResult: f.Error.HResult,
		})
	case f.Kind == fault.Reboot:
		return nil, errors.Join(interruption{f}, s.Reboot(host, time.Duration(f.Delay)))
	}
	return nil, interruption{f}
}

// delay is the time that a step takes.
func (s *Sim) delay(ctx context.Context, step string) error {
	latency, ok := s.options.Latency[step]
	if !ok {
		latency = s.options.Latency[""]
	}
	return sleep(ctx, latency)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
