package powershell

import (
	"fmt"
	"strings"
)

// ScriptError is the error of a script that ran and failed.
type ScriptError struct {
	// Server is the host, Script the name of the script.
	Server, Script string
	// ID is the fully qualified error ID, the only part of a PowerShell error
	// that is not localized. Those in codes.go begin with "farmtrust.".
	ID string
	// Message is the error's text, possibly in the server's language.
	Message string
	// Category, Exception and HResult classify errors of Windows and the
	// products.
	Category, Exception string
	HResult             int32
	// Line is the line of the script that failed; 0 when unknown.
	Line int
	// Warnings are what cmdlets warned of before.
	Warnings []string
}

func (e *ScriptError) Error() string {
	text := fmt.Sprintf("%s: %s: %s (%s)", e.Server, e.Script, e.Message, e.ID)
	if len(e.Warnings) > 0 {
		text += "; warned before: " + strings.Join(e.Warnings, "; ")
	}
	return text
}

// Kind classifies a call that did not get through.
type Kind string

// Kinds of [TransportError].
const (
	// Unreachable: no connection could be made; nothing ran.
	Unreachable Kind = "unreachable"
	// Untrusted: TLS failed, for instance the certificate did not verify.
	Untrusted Kind = "untrusted"
	// Denied: the server rejected the credentials, or offers only a weaker
	// authentication than configured.
	Denied Kind = "denied"
	// Forbidden: the account may not use WinRM.
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
	// Garbled: the output has no readable result: no result line, standard
	// input that arrived damaged, a shell that cannot run scripts.
	Garbled Kind = "garbled"
	// Oversized: the server answered more than any server in good order does, and
	// nothing of it was taken; see [OversizedError].
	Oversized Kind = "oversized"
	// Constrained: PowerShell runs in a language mode that forbids scripts.
	Constrained Kind = "constrained"
)

// TransportError is the error of a call that did not reach the script, or whose
// result did not reach the caller.
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
