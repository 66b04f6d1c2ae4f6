package powershell

import "fmt"

// ScriptError is a script's own "no": it ran, and says what went wrong.
type ScriptError struct {
	// Server and Script say where.
	Server, Script string
	// ID is the fully qualified error ID, the only part of a PowerShell
	// error that is not localized. Ours begin with "farmtrust.".
	ID string
	// Message is the error's text, possibly in the server's language.
	Message string
	// Category, Exception and HResult classify errors that are not ours.
	Category, Exception string
	HResult             int32
	// Line is the line of the script that failed; 0 when unknown.
	Line int
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("%s: %s: %s (%s)", e.Server, e.Script, e.Message, e.ID)
}

// Kind classifies a call that did not get through.
type Kind string

// The kinds of transport errors.
const (
	// Unreachable: no connection could be made; nothing ran.
	Unreachable Kind = "unreachable"
	// Untrusted: TLS failed, for instance the certificate did not verify.
	Untrusted Kind = "untrusted"
	// Denied: the server refused the credentials, or offers only something
	// weaker than configured.
	Denied Kind = "denied"
	// Forbidden: authenticated, but without the right to use WinRM.
	Forbidden Kind = "forbidden"
	// Interrupted: the connection broke, or the shell was lost, after the
	// script may have started.
	Interrupted Kind = "interrupted"
	// Quota: the server's shell or operation quota is used up.
	Quota Kind = "quota"
	// Busy: the server asks to try again.
	Busy Kind = "busy"
	// TimedOut: the caller's deadline passed.
	TimedOut Kind = "timed out"
	// Garbled: an answer arrived that is not one of ours: no sentinel line,
	// stdin that does not match its hash, a shell that cannot run scripts.
	Garbled Kind = "garbled"
	// Constrained: PowerShell runs in a language mode that forbids scripts.
	Constrained Kind = "constrained"
)

// TransportError is a call that did not get through, or whose answer did not.
type TransportError struct {
	Server string
	Kind   Kind
	// Code is the WSMan fault code or HTTP status; 0 without one.
	Code uint32
	Err  error
}

func (e *TransportError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.Server, e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }
