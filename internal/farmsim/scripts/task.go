package scripts

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// taskName is the scheduled task that runs SharePoint cmdlets as another
// account.
const taskName = "farmtrust-sharepoint"

// taskScript is where its script is.
const taskScript = `C:\Program Files\farmtrust\farmtrust-sharepoint.ps1`

// InstallTask lays out and registers the SharePoint task as its installing
// script does, under an account of the domain. With the text of another
// version it replaces that one.
func InstallTask(s *model.Session, account, script string) error {
	if _, err := s.WriteFile(taskScript, []byte(script)); err != nil {
		return fmt.Errorf("install the SharePoint task: %w", err)
	}
	return s.RegisterTask(model.Task{Name: taskName, User: account, Argument: fmt.Sprintf("-File %q", taskScript)})
}

// installedHash is that of the installed script; empty when there is none.
func installedHash(s *model.Session) (string, error) {
	script, installed, err := s.ReadFile(taskScript)
	if err != nil || !installed {
		return "", err
	}
	return powershell.HashTask(string(script)), nil
}

// invokeSharePointTask does the administrator's part and the task's at once.
// What the task's script refuses is in the tests of the script itself.
func invokeSharePointTask(s *model.Session, p powershell.InvokeSharePointTask, _ [][]byte) (r powershell.TaskResult, err error) {
	if err := assertElevated(s); err != nil {
		return r, err
	}
	hash, err := installedHash(s)
	account, missing := s.TaskSession(taskName)
	switch {
	case err != nil:
		return r, err
	case hash == "" || missing != nil:
		return r, stopScript("TaskMissing", "the scheduled task %s or its script is not installed on this server", taskName)
	case hash != p.Hash:
		return r, stopScript("TaskVersion", "the installed script is %.12s, this worker's is %.12s", hash, p.Hash)
	}
	result, err := runVerb(account, p)
	var refused *powershell.ScriptError
	if err != nil && !errors.As(err, &refused) {
		return r, err
	}
	r.Outcome, err = powershell.FormatTaskOutcome(rand.Text(), p.Hash, result, refused, account.TakeWarnings()...)
	return r, err
}

// runVerb runs one of the scripts that the task holds. Parameters that are
// null are left out, as the script does.
func runVerb(s *model.Session, p powershell.InvokeSharePointTask) (any, error) {
	if !slices.Contains(powershell.TaskVerbs(), p.Verb) {
		return nil, &powershell.ScriptError{ID: powershell.TaskRefused, Message: "the request names none of the verbs of this script"}
	}
	return Run(s, p.Verb, json.RawMessage(p.Parameters), nil)
}
