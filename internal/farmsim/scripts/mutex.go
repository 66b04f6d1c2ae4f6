package scripts

import (
	"errors"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// What the prelude's Lock-Server waits for the mutex, and how often it tries to open
// it and how long it waits in between where another account has it open.
const (
	mutexWait  = 5 * time.Second
	mutexTries = 20
	mutexPause = 250 * time.Millisecond
)

// lockServer is the prelude's Lock-Server: the session holds the mutex.
func lockServer(s *model.Session) error {
	held, err := false, s.OpenMutex()
	for range mutexTries {
		if _, refused := errors.AsType[*model.Error](err); !refused {
			break
		}
		time.Sleep(mutexPause)
		err = s.OpenMutex()
	}
	if err == nil {
		held, err = s.WaitMutex(mutexWait)
	}
	said, isRefused := errors.AsType[*model.Error](err)
	switch {
	case isRefused && said.Exception == model.AbandonedMutexException:
		return nil
	case err != nil && !isRefused || held:
		return err
	}
	return stopBusy(s)
}

// stopBusy is how Lock-Server ends.
func stopBusy(s *model.Session) error {
	number, since, found, err := s.OtherRun()
	if err != nil {
		return err
	}
	text := "another step of farmtrust runs on this server"
	if found {
		text += fmt.Sprintf(" since %s (process %d)", since.UTC().Format(markLayout), number)
	}
	return stopScript("ServerBusy", "%s", text)
}
