package activities

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The types of errors that no retry can fix. Errors of scripts and transports
// have their own identity as type: a "farmtrust." ID or a [powershell.Kind].
const (
	UnknownFarm           = "UnknownFarm"
	UnknownServer         = "UnknownServer"
	UnknownIssuer         = "UnknownIssuer"
	NoCertificate         = "NoCertificate"
	UnsuitableCertificate = "UnfitCertificate"
	WrongCertificate      = "WrongCertificate"
	WindowTooShort        = "WindowTooShort"
	NothingToRestore      = "NothingToRestore"
)

// WaitTimedOut is the type of the error when a wait times out: for a service to
// come back, for a setting to arrive.
const WaitTimedOut = "NotYet"

func terminalError(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// maxErrorText bounds an error's text: Temporal keeps 4 KB of a pending activity's
// failure, cause included.
const maxErrorText = 1500

// classifyError decides once, for every error of a call, whether trying again can
// help, and how long its cause suggests to wait. It depends on identities,
// never on texts, which are in the server's language. Attempt is the number of the
// attempt that it ended, from 1.
func classifyError(err error, attempt int32) error {
	var script *powershell.ScriptError
	var transport *powershell.TransportError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &script):
		return scriptRule(script).toApplicationError(script, script.ID, attempt)
	case errors.As(err, &transport):
		return transportRules[transport.Kind].toApplicationError(transport, string(transport.Kind), attempt)
	}
	return retryRule{}.toApplicationError(err, "", attempt)
}

// retryRule says what an error means for the next attempt.
type retryRule struct {
	// terminal errors need an operator.
	terminal bool
	// retryable errors are tried again for as long as the workflow allows: they
	// take minutes to pass. Any other counts as final after maxAttempts.
	retryable bool
	// delay is how long the cause suggests to wait; zero leaves it to the
	// retry policy.
	delay  time.Duration
	remedy string
}

// maxAttempts take about two minutes: what passes by itself has passed then,
// but for a server that restarts.
const maxAttempts = 9

func (v retryRule) toApplicationError(err error, kind string, attempt int32) error {
	text := err.Error()
	if v.remedy != "" {
		text += ": " + v.remedy
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	final := v.terminal || (!v.retryable && attempt >= maxAttempts)
	return temporal.NewApplicationErrorWithOptions(text, kind, temporal.ApplicationErrorOptions{NonRetryable: final, NextRetryDelay: v.delay})
}

// waitTimedOut is the error when a wait times out. It is tried once more, which
// waits as long again.
func waitTimedOut(attempt int32, format string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(format, args...), WaitTimedOut, temporal.ApplicationErrorOptions{NonRetryable: attempt > 1})
}

// transportRules are for calls that did not get through. A kind that is not listed
// is tried again with the policy's own delays.
var transportRules = map[powershell.Kind]retryRule{
	powershell.Untrusted:   {terminal: true, remedy: "check the server's WinRM certificate and the connection's ca"},
	powershell.Denied:      {terminal: true, remedy: "check the connection's user, password and auth; it is not tried again, so that no account is locked"},
	powershell.Forbidden:   {terminal: true, remedy: "the account must be a local administrator of the server"},
	powershell.Constrained: {terminal: true, remedy: "let the connection's account run PowerShell in full language mode"},
	// A server that restarts, for its updates perhaps, is away for minutes.
	powershell.Unreachable: {retryable: true},
	powershell.Interrupted: {retryable: true},
	// A shell's slot comes free when its owner ends or its idle time-out passes.
	powershell.Quota: {delay: 30 * time.Second},
	powershell.Busy:  {delay: 5 * time.Second},
}

// transientScriptErrors are errors of our own scripts whose cause may pass.
var transientScriptErrors = map[string]bool{
	powershell.IisResetFailed:   true,
	powershell.ProofUnavailable: true,
	powershell.TaskTimeout:      true,
}

// scriptRule is for a script's own refusal. What our scripts refuse stays refused
// until an operator acts, except for transientScriptErrors; errors of Windows and
// of the products may pass, and are tried again within the policy's bounds.
func scriptRule(e *powershell.ScriptError) retryRule {
	remedy := powershell.Remedy(e.ID)
	switch {
	case remedy != "":
		return retryRule{terminal: !transientScriptErrors[e.ID], remedy: remedy}
	case e.Exception == powershell.UpdateConflict:
		return retryRule{delay: 5 * time.Second, remedy: "another administrator changed SharePoint at the same time"}
	}
	return retryRule{}
}
