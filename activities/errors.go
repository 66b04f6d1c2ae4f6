package activities

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The types of the application errors of a worker that does not know what the step
// is about. They are retried for as long as the workflow allows: another worker of
// the site may know it, as during a restart of several workers, one after another,
// with a changed configuration or another version.
const (
	// UnknownFarm: the farm is not in the worker's configuration.
	UnknownFarm = "UnknownFarm"
	// UnknownServer: the farm has no such server in the worker's configuration.
	UnknownServer = "UnknownServer"
	// UnknownIssuer: the registered name is not one of the procedure's two.
	UnknownIssuer = "UnknownIssuer"
)

// The types of the application errors that no retry can fix. The type of an
// error of a script or a transport is its own identity: a "farmtrust." ID or a
// [powershell.Kind].
const (
	// NoCertificate: the farm's source has no certificate, or cannot be read.
	NoCertificate = "NoCertificate"
	// UnsuitableCertificate: the newest certificate of the source cannot be used.
	UnsuitableCertificate = "UnsuitableCertificate"
	// WrongCertificate: the certificate on a server is not the target.
	WrongCertificate = "WrongCertificate"
	// TooMuch: the servers of the farm show more than is kept; see [farm.MaxObserved].
	TooMuch = "TooMuch"
	// WindowTooShort: the window is never open for as long as a cutover takes.
	WindowTooShort = "WindowTooShort"
	// NotAdmitted: the farm's controller does not let the run change servers.
	NotAdmitted = "NotAdmitted"
	// ObserveOnly: the worker's configuration lets nothing be changed.
	ObserveOnly = "ObserveOnly"
	// NotSealed: nothing proves that a worker wrote what a step was given, as in a run of a
	// version that sealed nothing.
	NotSealed = "NotSealed"
	// BadSeal: it was altered, or is of another farm, server or snapshot.
	BadSeal = "BadSeal"
	// NotMandated: the mandate of a step was altered, or given to another run, for another
	// certificate or for something else.
	NotMandated = "NotMandated"
	// NotPermitted: the worker's own configuration does not let this begin now.
	NotPermitted = "NotPermitted"
	// NotPlanned: the source or the farm is not what the run has planned for any more.
	NotPlanned = "NotPlanned"
	// NothingToRestore: the issuer had no certificate of its own before.
	NothingToRestore = "NothingToRestore"
)

// The types of the errors of a server whose services do not run. The message of
// both has the last errors of its event logs.
const (
	// ServiceNotRunning: a service does not start, or has stopped.
	ServiceNotRunning = powershell.ServiceNotRunning
	// IISNotRunning: IIS does not run after it was restarted.
	IISNotRunning = powershell.IisResetFailed
)

// NotAnswered is the type of the error when the farm's controller does not say whether
// a run may change servers. It is retried for as long as the workflow allows.
const NotAnswered = "NotAnswered"

// WaitTimedOut is the type of the error when a step waited in vain for a service to
// come back or for a setting to arrive.
const WaitTimedOut = "WaitTimedOut"

func terminalError(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// unknownError returns the error for what is not in this worker's configuration, and
// names the worker: the one that has it may run beside it.
func (a *Activities) unknownError(kind, format string, args ...any) error {
	return temporal.NewApplicationError(fmt.Sprintf(format, args...)+" is not in the configuration of worker "+a.Worker, kind)
}

// retrySoon makes the next attempt come within a second.
func retrySoon(err error) error {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(application.Message(), application.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: application.NonRetryable(), NextRetryDelay: time.Second,
	})
}

// maxErrorText bounds an error's text, in bytes: Temporal keeps 4 KB of the failure
// of a pending activity, cause included.
const maxErrorText = 1500

// classifyError decides, for every error of a call, whether a retry can help
// and how long to wait before it. It goes by the error's identity, never by its
// text, which is in the server's language. The attempt that failed is counted
// from 1.
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

// retryRule is what an error means for the next attempt.
type retryRule struct {
	// terminal errors need an operator.
	terminal bool
	// retryable errors may take minutes to pass, and are retried for as long as the
	// workflow allows. All others are final after attempts, or maxAttempts if that
	// is zero.
	retryable bool
	attempts  int32
	// delay is how long to wait before the retry; zero leaves it to the retry
	// policy.
	delay time.Duration
	// remedy is appended to the error's text.
	remedy string
}

// maxAttempts take about two minutes. Transient errors have passed by then, unless
// the server is restarting.
const maxAttempts = 9

func (v retryRule) toApplicationError(err error, kind string, attempt int32) error {
	remedy := ""
	if v.remedy != "" {
		remedy = ": " + v.remedy
	}
	text := err.Error()
	if room := maxErrorText - len(remedy); len(text) > room {
		text = strings.ToValidUTF8(text[:room], "") + "..."
	}
	text += remedy
	final := v.terminal || (!v.retryable && attempt >= cmp.Or(v.attempts, maxAttempts))
	return temporal.NewApplicationErrorWithOptions(text, kind, temporal.ApplicationErrorOptions{NonRetryable: final, NextRetryDelay: v.delay})
}

// waitTimedOut returns the error of a wait that timed out. It is retried once,
// which waits as long again.
func waitTimedOut(attempt int32, format string, args ...any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf(format, args...), WaitTimedOut, temporal.ApplicationErrorOptions{NonRetryable: attempt > 1})
}

// serviceStopped returns the error of a step that needs a service which does not
// run. It is retried for as long as Windows may need to start the service after a
// restart of the server.
func serviceStopped(attempt int32, format string, args ...any) error {
	return retryRule{}.toApplicationError(fmt.Errorf(format, args...), ServiceNotRunning, attempt)
}

// appendRemedy adds to an error's text what to do about it.
func appendRemedy(err error, remedy string) error {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || remedy == "" {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(application.Message()+"; "+remedy, application.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: application.NonRetryable(), NextRetryDelay: application.NextRetryDelay(),
	})
}

// transportRules are for calls that did not get through. Any other kind of error is
// retried with the delays of the retry policy.
var transportRules = map[powershell.Kind]retryRule{
	powershell.Untrusted:   {terminal: true, remedy: "check the server's WinRM certificate and the connection's ca"},
	powershell.Denied:      {terminal: true, remedy: "check the connection's user, password and auth"},
	powershell.Forbidden:   {terminal: true, remedy: "the account must be a local administrator of the server"},
	powershell.Constrained: {terminal: true, remedy: "let the connection's account run PowerShell in full language mode"},
	powershell.Oversized:   {terminal: true, remedy: "do not trust this server before you know who controls it; a rotation goes on without it once it is skipped"},
	// A server that restarts, perhaps to install updates, is away for minutes.
	powershell.Unreachable: {retryable: true},
	powershell.Interrupted: {retryable: true},
	// A shell's slot becomes free when its owner closes it or its idle timeout
	// expires.
	powershell.Quota: {delay: 30 * time.Second},
	powershell.Busy:  {delay: 5 * time.Second},
}

// transientScriptErrors are the errors of our own scripts that a retry may fix.
var transientScriptErrors = map[string]bool{
	powershell.ServiceNotRunning: true,
	powershell.IisResetFailed:    true,
	powershell.ProofUnavailable:  true,
	powershell.TaskTimeout:       true,
	powershell.FarmUnreachable:   true,
}

// restartAttempts bounds the restarts of what does not come back: each is an outage,
// and a third helps nobody.
const restartAttempts = 2

// scriptAttempts are the attempts at what maxAttempts are too many for.
var scriptAttempts = map[string]int32{
	powershell.ServiceNotRunning: restartAttempts,
	powershell.IisResetFailed:    restartAttempts,
}

// retryableScriptErrors may take minutes to pass, as a failover of SQL Server
// does, or the step of another rotation.
var retryableScriptErrors = map[string]bool{powershell.SqlUnavailable: true, powershell.ServerBusy: true}

// scriptDelays are the waits before a retry where those of the retry policy grow too
// long.
var scriptDelays = map[string]time.Duration{powershell.ServerBusy: 5 * time.Second}

// scriptRule returns the rule for an error inside a script. Errors that our
// scripts raise need an operator, except for transientScriptErrors. Errors of
// Windows and of the products may be transient, and are retried up to
// maxAttempts.
func scriptRule(e *powershell.ScriptError) retryRule {
	remedy := powershell.Remedy(e.ID)
	switch {
	case remedy != "":
		retryable := retryableScriptErrors[e.ID]
		return retryRule{
			terminal: !retryable && !transientScriptErrors[e.ID], retryable: retryable,
			attempts: scriptAttempts[e.ID], delay: scriptDelays[e.ID], remedy: remedy,
		}
	case e.Exception == powershell.UpdateConflict:
		return retryRule{delay: 5 * time.Second, remedy: "another administrator changed SharePoint at the same time"}
	}
	return retryRule{}
}
