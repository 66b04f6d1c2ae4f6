package pwsh

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Server is one simulated server that runs what ships, without a wire. It is a
// [powershell.Runner] for tests of single scripts; whatever target a call names,
// it runs here.
type Server struct {
	Engine *Engine
	// World holds the machine Host, which Logon is who logs on to.
	World *model.World
	Host  string
	Logon model.Logon

	// Overrides, ProgramFiles, Instrument and InstrumentFile are those of each
	// [Call].
	Overrides    Overrides
	ProgramFiles string
	Instrument   func(prelude, script string) (newPrelude, newScript string, err error)

	InstrumentFile func(path string) (newPath string, err error)
}

// Run runs a shipped script. It implements [powershell.Runner].
func (s *Server) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	source, err := powershell.Source(call.Script)
	if err != nil {
		return err
	}
	return s.RunText(ctx, target, call, source, result)
}

// RunText runs a script of the test's own under the name and with the
// parameters of a call.
func (s *Server) RunText(ctx context.Context, target powershell.Target, call powershell.Call, script string, result any) error {
	params, err := json.Marshal(call.Params)
	if err != nil {
		return err
	}
	envelope := powershell.Envelope{
		Name: call.Script, Script: script, Nonce: rand.Text(), Params: params, Secrets: call.Secrets,
	}
	out, err := s.RunEnvelope(ctx, envelope)
	if err != nil {
		return err
	}
	return powershell.ReadResult(target.Host, call, envelope.Nonce, out.Stdout, out.Stderr, out.Exit, result)
}

// RunEnvelope runs what a server received, and returns what it printed.
func (s *Server) RunEnvelope(ctx context.Context, envelope powershell.Envelope) (Output, error) {
	call, err := s.call()
	if err != nil {
		return Output{}, err
	}
	call.Envelope = envelope
	return s.Engine.Run(ctx, call)
}

// RunCommand starts PowerShell on the server with arguments and standard input
// of the caller's own.
func (s *Server) RunCommand(ctx context.Context, stdin []byte, arguments ...string) (Output, error) {
	call, err := s.call()
	if err != nil {
		return Output{}, err
	}
	return s.Engine.RunCommand(ctx, call, stdin, arguments...)
}

// call returns what all calls on the server have in common.
func (s *Server) call() (Call, error) {
	session, err := s.World.LogOn(s.Host, s.Logon)
	return Call{
		Session: session, Overrides: s.Overrides, ProgramFiles: s.ProgramFiles,
		Instrument: s.Instrument, InstrumentFile: s.InstrumentFile,
	}, err
}
