// Package powershell is what we say to a Windows server and what may come
// back: the scripts, the envelope they travel in, their results, and the
// errors a call can end with.
//
// It knows nothing of transports; package winrm carries a [Call].
package powershell

import "context"

// Target is the server a call goes to.
type Target struct {
	// Host is the name in errors and in the server's certificate; Address is
	// host:port to connect to, empty for Host and the default port;
	// Connection names the credentials in the worker's configuration.
	Host, Address, Connection string
}

// Call is one script with its parameters.
type Call struct {
	// Script is the name of the script, without ".ps1".
	Script string
	// Params is marshalled to a JSON object whose keys are the script's
	// parameters. It never holds a secret.
	Params any
	// Secrets are handed to the script as bytes outside any parameter, so
	// that no cmdlet binds and no log records them.
	Secrets [][]byte
}

// Runner runs calls on servers.
type Runner interface {
	// Run runs call on target and decodes its result into result. It blocks
	// until the script ended or ctx is done, in which case it may still be
	// running on the server: every script looks before it acts, so running
	// it again is safe. Errors are *[ScriptError] when the script said no and
	// *[TransportError] when the call did not get through.
	Run(ctx context.Context, target Target, call Call, result any) error
}

// Params is a parameter struct that knows its script and its result.
type Params[R any] interface {
	// Script names the script.
	Script() string
	// Answer is never called; it ties the result type R to the parameters.
	Answer() R
}

// Private is implemented by parameters that carry secrets.
type Private interface {
	// Secrets are handed over outside the JSON parameters, in order.
	Secrets() [][]byte
}

// Run runs the script of params on target and returns its typed result.
func Run[R any](ctx context.Context, r Runner, target Target, params Params[R]) (R, error) {
	var result R
	call := Call{Script: params.Script(), Params: params}
	if p, ok := params.(Private); ok {
		call.Secrets = p.Secrets()
	}
	err := r.Run(ctx, target, call, &result)
	return result, err
}
