package model

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Task is a scheduled task that runs a PowerShell once.
type Task struct {
	Name string
	// User is the security identifier of the account that runs it.
	User string
	// Argument is the command line without the program.
	Argument string
}

type task struct {
	Task

	result uint32
}

// The results of a task: the scheduler's own, and those of the one program
// that is known here, which proves that a key signs.
const (
	taskHasNotRun  = 267011
	proofSigned    = 90
	proofFailed    = 91
	proofCannot    = 92
	proofModern    = 94
	programUnknown = 1
)

// TaskSession is the session that a scheduled task's program runs in: a logon
// of its own, of the task's account.
func (s *Session) TaskSession(name string) (*Session, error) {
	var user string
	err := s.performElevated(func(time.Time) error {
		t, ok := s.m.tasks[name]
		if !ok {
			return noTask(name)
		}
		user = t.User
		return nil
	})
	task := &Session{world: s.world, m: s.m, boots: s.boots, logon: Logon{User: user, Auth: Batch}}
	task.Linger(s.process.linger)
	return task, err
}

func noTask(name string) *Error {
	return invalidOperationError("ScheduledTask", fmt.Sprintf("There is no scheduled task '%s'.", name))
}

// RegisterTask is Register-ScheduledTask.
func (s *Session) RegisterTask(t Task) error {
	return s.change(func(time.Time) error {
		s.m.tasks[t.Name] = &task{Task: t, result: taskHasNotRun}
		return nil
	})
}

// StartTask is Start-ScheduledTask. What the task runs ends at once.
func (s *Session) StartTask(name string) error {
	var found Task
	err := s.change(func(time.Time) error {
		t, ok := s.m.tasks[name]
		if !ok {
			return noTask(name)
		}
		found = t.Task
		return nil
	})
	if err != nil {
		return err
	}
	result := s.runProof(found)
	return s.performElevated(func(time.Time) error {
		if t, ok := s.m.tasks[name]; ok {
			t.result = result
		}
		return nil
	})
}

// proven finds the thumbprint in the text of the proof.
var proven = regexp.MustCompile(`'([0-9A-F]{40})'`)

// runProof does what the program of a task does: it looks for a certificate by
// its thumbprint in Personal and signs with its key, by the legacy path and only then
// by the modern one.
func (s *Session) runProof(t Task) uint32 {
	arguments := strings.Fields(t.Argument)
	if len(arguments) == 0 {
		return programUnknown
	}
	raw, err := base64.StdEncoding.DecodeString(arguments[len(arguments)-1])
	if err != nil {
		return programUnknown
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	found := proven.FindStringSubmatch(string(utf16.Decode(units)))
	if found == nil {
		return programUnknown
	}
	err = s.Sign(farm.Thumbprint(found[1]), t.User, Legacy)
	var refused *Error
	switch {
	case err == nil:
		return proofSigned
	case s.Sign(farm.Thumbprint(found[1]), t.User, Modern) == nil:
		return proofModern
	case errors.As(err, &refused) && refused.Exception == ItemNotFoundException:
		return proofFailed
	}
	return proofCannot
}

// Tasks is Get-ScheduledTask: the names of the tasks that match a name, which may hold
// asterisks. Without one, a task that is not there is an error.
func (s *Session) Tasks(name string) (found []string, err error) {
	err = s.performElevated(func(time.Time) error {
		for _, one := range slices.Sorted(maps.Keys(s.m.tasks)) {
			if matches, err := path.Match(name, one); err != nil {
				return err
			} else if matches {
				found = append(found, one)
			}
		}
		if len(found) == 0 && !strings.Contains(name, "*") {
			return noTask(name)
		}
		return nil
	})
	return found, err
}

// TaskResult is the last result of Get-ScheduledTaskInfo.
func (s *Session) TaskResult(name string) (result uint32, err error) {
	err = s.performElevated(func(time.Time) error {
		t, ok := s.m.tasks[name]
		if !ok {
			return noTask(name)
		}
		result = t.result
		return nil
	})
	return result, err
}

// UnregisterTask is Unregister-ScheduledTask.
func (s *Session) UnregisterTask(name string) error {
	return s.change(func(time.Time) error {
		if _, ok := s.m.tasks[name]; !ok {
			return noTask(name)
		}
		delete(s.m.tasks, name)
		return nil
	})
}
