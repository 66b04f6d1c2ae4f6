package model

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// SharePointTask is the scheduled task that runs SharePoint cmdlets as another
// account.
const SharePointTask = "farmtrust-sharepoint"

// taskScript is where its script is.
const taskScript = `C:\Program Files\farmtrust\farmtrust-sharepoint.ps1`

// InstallSharePointTask lays out and registers the task as its installing
// script does, under an account of the domain. With the text of another
// version it replaces that one.
func (s *Session) InstallSharePointTask(account, script string) error {
	if _, err := s.WriteFile(taskScript, []byte(script)); err != nil {
		return fmt.Errorf("install the SharePoint task: %w", err)
	}
	return s.RegisterTask(Task{Name: SharePointTask, User: account, Argument: fmt.Sprintf("-File %q", taskScript)})
}

// SharePointTaskSession is the session that the task's script runs in.
func (s *Session) SharePointTaskSession() (*Session, error) {
	var user string
	err := s.doElevated(func(time.Time) error {
		t, ok := s.m.tasks[SharePointTask]
		if !ok {
			return noTask(SharePointTask)
		}
		user = t.User
		return nil
	})
	return &Session{world: s.world, m: s.m, boots: s.boots, logon: Logon{User: user, Auth: Batch}}, err
}

// SharePointTaskHash is that of the installed script; empty when there is none.
func (s *Session) SharePointTaskHash() (string, error) {
	script, installed, err := s.ReadFile(taskScript)
	if err != nil || !installed {
		return "", err
	}
	return powershell.HashTask(string(script)), nil
}

// invokeSharePointTask is the model of the administrator's side and of the
// task's script at once; what the script refuses is in its own tests.
func invokeSharePointTask(s *Session, p powershell.InvokeSharePointTask, _ [][]byte) (r powershell.TaskResult, err error) {
	if err := assertElevated(s); err != nil {
		return r, err
	}
	hash, err := s.SharePointTaskHash()
	account, missing := s.SharePointTaskSession()
	switch {
	case err != nil:
		return r, err
	case hash == "" || missing != nil:
		return r, stopScript("TaskMissing", "the scheduled task %s or its script is not installed on this server", SharePointTask)
	case hash != p.Hash:
		return r, stopScript("TaskVersion", "the installed script is %.12s, this worker's is %.12s", hash, p.Hash)
	}
	result, err := account.runVerb(p)
	var refused *powershell.ScriptError
	if err != nil && !errors.As(err, &refused) {
		return r, err
	}
	r.Outcome, err = powershell.FormatTaskOutcome(rand.Text(), p.Hash, result, refused)
	return r, err
}

// runVerb runs one of the scripts that the task holds. Parameters that are
// null are left out, as the script does.
func (s *Session) runVerb(p powershell.InvokeSharePointTask) (any, error) {
	if !slices.Contains(powershell.TaskVerbs(), p.Verb) {
		return nil, &powershell.ScriptError{ID: powershell.TaskRefused, Message: "the request names none of the verbs of this script"}
	}
	return s.RunScript(p.Verb, json.RawMessage(p.Parameters), nil)
}
