package engine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// Variable names the PowerShell to use, before any other.
const Variable = "FARMTRUST_PWSH"

// ErrNone says that there is no PowerShell on this machine.
var ErrNone = errors.New("no PowerShell found: set " + Variable + ", or put pwsh on PATH")

// Find returns the path of a PowerShell: what [Variable] names, else pwsh on
// PATH, else the one that is kept beside the repository. A variable that names
// nothing that runs is found all the same, and fails when it is used.
func Find() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("pwsh"); err == nil {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "..", "shared", "tools", "pwsh", "pwsh")
		if exists(filepath.Join(dir, "go.mod")) && exists(path) {
			return path, nil
		}
	}
	return "", ErrNone
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
