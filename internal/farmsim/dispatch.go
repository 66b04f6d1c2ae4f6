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

// runEnvelope does what an envelope asks for, and returns what the command
// prints. The error wraps a [wsman.Disruption] when a fault keeps the result
// from the caller, whether something was done or not.
func (s *server) runEnvelope(ctx context.Context, e powershell.Envelope) (wsman.Result, error) {
	if source, err := powershell.Source(e.Name); err != nil || e.Script != source || e.Prelude != powershell.Prelude() {
		return unknownCommand(e.Name), nil // It is not a script of farmtrust.
	}
	session, err := s.farm.World.LogOn(s.host, s.logon())
	if err != nil {
		return wsman.Result{}, err
	}
	if mode := s.shell().LanguageMode; mode != "" {
		return wsman.Result{Stdout: fmt.Appendf(nil, "@@LANGUAGE %s\r\n", mode), Exit: powershell.ExitConstrained}, nil
	}
	if err := s.spendLatency(ctx, session, e.Name); err != nil {
		return wsman.Result{}, err
	}
	for _, when := range []fault.When{fault.Before, fault.After} {
		if lost, due := s.farm.Faults.Step(s.host, e.Name, when, fault.Detached); due {
			return wsman.Result{}, s.detach(session, e, lost)
		}
	}
	if printed, err := s.injectFault(ctx, e, fault.Before); printed != nil || err != nil {
		return wsman.Result{Stdout: printed}, err
	}
	result, err := s.runScript(ctx, session, e)
	if err != nil {
		return wsman.Result{}, err
	}
	if printed, err := s.injectFault(ctx, e, fault.After); printed != nil || err != nil {
		return wsman.Result{Stdout: printed}, err
	}
	return result, nil
}

// detach runs a script without its caller.
func (s *server) detach(session *model.Session, e powershell.Envelope, lost fault.Fault) error {
	linger := model.Linger{Before: time.Duration(lost.Delay)}
	if lost.When == fault.After {
		linger = model.Linger{After: time.Duration(lost.Delay)}
	}
	session.Linger(linger)
	s.farm.detached.Go(func() { _, _ = s.runScript(s.farm.ctx, session, e) }) // Nobody is told.
	return lost.Disruption()
}

// runScript runs the script in a PowerShell, or its port. It ends when ctx is done,
// wherever it is.
func (s *server) runScript(ctx context.Context, session *model.Session, e powershell.Envelope) (wsman.Result, error) {
	defer context.AfterFunc(ctx, session.KillProcess)()
	if s.farm.engine != nil && !s.shell().Bits32 {
		out, err := s.farm.engine.Run(ctx, pwsh.Call{Session: session, Envelope: e})
		return wsman.Result(out), err
	}
	printed, err := s.runPort(session, e)
	return wsman.Result{Stdout: printed}, err
}

// runPort runs the port of the script, after what the dispatcher in the prelude
// checks for every script.
func (s *server) runPort(session *model.Session, e powershell.Envelope) ([]byte, error) {
	if s.shell().Bits32 {
		return powershell.FormatError(e.Nonce, powershell.ScriptError{
			ID: powershell.Not64Bit, Message: "PowerShell runs as a 32-bit process; the remote shell must start the 64-bit one",
			Category: "InvalidOperation", Exception: "System.InvalidOperationException",
		})
	}
	result, err := scripts.Run(session, e.Name, e.Params, e.Secrets)
	var refused *powershell.ScriptError
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	if refused != nil {
		result = nil
	}
	if hook := s.farm.options.Hooks.ScriptEnded; hook != nil {
		hook(s.host, e, result)
	}
	warnings := session.TakeWarnings()
	if refused != nil {
		refused.Warnings = warnings
		return powershell.FormatError(e.Nonce, *refused)
	}
	if hook := s.farm.options.Hooks.Answer; hook != nil {
		result = hook(s.host, e.Name, result)
	}
	return powershell.FormatResult(e.Nonce, result, warnings...)
}

// latencyOf is the time that a script takes.
func (f *Farm) latencyOf(script string) time.Duration {
	if latency, ok := f.options.Latency[script]; ok {
		return latency
	}
	return f.options.Latency[""]
}

// spendLatency lets the time pass that a script takes. One that changes something takes
// it while it holds the mutex of its machine.
func (s *server) spendLatency(ctx context.Context, session *model.Session, script string) error {
	latency := s.farm.latencyOf(script)
	if powershell.IsChanging(script) {
		session.Linger(model.Linger{Before: latency})
		return nil
	}
	return waitFor(ctx, latency)
}

// waitFor waits, or fails when the context ends first.
func waitFor(ctx context.Context, d time.Duration) error {
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
