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
)

func refuse(kind, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, nil)
}

// longest bounds an error's text: Temporal keeps 4 KB of a pending activity's
// failure, cause included.
const longest = 1500

// classify decides once, for every error of a call, whether trying again can
// help, and how long its cause suggests to wait.
func classify(err error) error {
	var script *powershell.ScriptError
	var transport *powershell.TransportError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &script):
		return temporal.NewApplicationErrorWithOptions(bounded(script.Error()+powershell.Hint(script.ID)), script.ID,
			temporal.ApplicationErrorOptions{NonRetryable: !powershell.Retryable(script.ID)})
	case errors.As(err, &transport):
		verdict := verdicts[transport.Kind]
		return temporal.NewApplicationErrorWithOptions(bounded(transport.Error()+verdict.hint), string(transport.Kind),
			temporal.ApplicationErrorOptions{NonRetryable: verdict.final, NextRetryDelay: verdict.delay})
	}
	return err
}

// verdict says what an error's kind means for the next attempt.
type verdict struct {
	// final errors need a person.
	final bool
	// delay is how long the cause suggests to wait; zero leaves it to the
	// retry policy.
	delay time.Duration
	hint  string
}

var verdicts = map[powershell.Kind]verdict{
	powershell.Untrusted:   {final: true, hint: ": check the server's WinRM certificate and the connection's ca"},
	powershell.Denied:      {final: true, hint: ": check the connection's user, password and auth; it is not tried again, so that no account is locked"},
	powershell.Forbidden:   {final: true, hint: ": the account must be a local administrator of the server"},
	powershell.Constrained: {final: true, hint: ": allow full language mode for the connection's account; see docs/security.md"},
	// A shell's slot comes free when its owner ends or its idle time-out passes.
	powershell.Quota: {delay: 30 * time.Second},
	powershell.Busy:  {delay: 5 * time.Second},
}

func bounded(s string) string {
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "..."
}
