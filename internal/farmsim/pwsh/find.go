package pwsh

import (
	"errors"
	"os"
	"os/exec"
)

// Variable names the PowerShell to use, before any other.
const Variable = "FARMTRUST_PWSH"

// ErrNone is returned when there is no PowerShell on this machine.
var ErrNone = errors.New("no PowerShell found: set " + Variable + ", or put pwsh on PATH")

// Find returns the path of a PowerShell: what [Variable] names, else pwsh on
// PATH. The variable is not checked: a path that cannot be run fails where it
// is used, instead of being passed over.
func Find() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("pwsh"); err == nil {
		return path, nil
	}
	return "", ErrNone
}
