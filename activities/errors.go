package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The types of errors that no retry can mend. Errors of scripts and transports
// have their own identity as type: a "farmtrust." ID or a [powershell.Kind].
const (
	UnknownFarm      = "UnknownFarm"
	UnknownServer    = "UnknownServer"
	UnknownIssuer    = "UnknownIssuer"
	NoCertificate    = "NoCertificate"
	UnfitCertificate = "UnfitCertificate"
	WrongCertificate = "WrongCertificate"
	WindowTooShort   = "WindowTooShort"
	NothingToRestore = "NothingToRestore"
)

func refuse(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// longest bounds an error's text: Temporal keeps 4 KB of a pending activity's
// failure, cause included.
const longest = 1500

// classify decides once, for every error of a call, whether trying again can
// help, and how long its cause suggests to wait. Identities are judged, never
// texts: those are in the server's language.
func classify(err error) error {
	var script *powershell.ScriptError
	var transport *powershell.TransportError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &script):
		return verdictOn(script).on(script, script.ID)
	case errors.As(err, &transport):
		return verdicts[transport.Kind].on(transport, string(transport.Kind))
	}
	return err
}

// verdict says what an error means for the next attempt.
type verdict struct {
	// final errors need a person.
	final bool
	// delay is how long the cause suggests to wait; zero leaves it to the
	// retry policy.
	delay  time.Duration
	remedy string
}

func (v verdict) on(err error, kind string) error {
	text := err.Error()
	if v.remedy != "" {
		text += ": " + v.remedy
	}
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return temporal.NewApplicationErrorWithOptions(text, kind, temporal.ApplicationErrorOptions{NonRetryable: v.final, NextRetryDelay: v.delay})
}

// verdicts judges calls that did not get through. A kind that is not listed
// is tried again with the policy's own delays.
var verdicts = map[powershell.Kind]verdict{
	powershell.Untrusted:   {final: true, remedy: "check the server's WinRM certificate and the connection's ca"},
	powershell.Denied:      {final: true, remedy: "check the connection's user, password and auth; it is not tried again, so that no account is locked"},
	powershell.Forbidden:   {final: true, remedy: "the account must be a local administrator of the server"},
	powershell.Constrained: {final: true, remedy: "let the connection's account run PowerShell in full language mode"},
	// A shell's slot comes free when its owner ends or its idle time-out passes.
	powershell.Quota: {delay: 30 * time.Second},
	powershell.Busy:  {delay: 5 * time.Second},
}

// passing are errors of our own scripts whose cause may pass.
var passing = map[string]bool{
	powershell.IisResetFailed:   true,
	powershell.ProofUnavailable: true,
	powershell.TaskTimeout:      true,
}

// verdictOn judges a script's own "no". What our scripts refuse stays refused
// until a person acts, with the exceptions in passing; errors of Windows and
// of the products may pass, and are tried again within the policy's bounds.
func verdictOn(e *powershell.ScriptError) verdict {
	remedy := powershell.Remedy(e.ID)
	switch {
	case remedy != "":
		return verdict{final: !passing[e.ID], remedy: remedy}
	case e.Exception == powershell.UpdateConflict:
		return verdict{delay: 5 * time.Second, remedy: "somebody else changed SharePoint at the same time"}
	}
	return verdict{}
}
