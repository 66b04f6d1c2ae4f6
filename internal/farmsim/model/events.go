package model

import (
	"slices"
	"time"
)

// The event logs that the model writes to.
const (
	ApplicationLog = "Application"
	SystemLog      = "System"
)

// Event is an error in an event log, the only level that is modelled.
type Event struct {
	Log     string    `json:"log"`
	Source  string    `json:"source"`
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

func (m *machine) logEvent(at time.Time, log, source, message string) {
	m.events = append(m.events, Event{Log: log, Source: source, Time: at, Message: message})
}

// Events are the errors in the event logs since a moment, newest first; since
// and their times are on the machine's clock.
func (s *Session) Events(since time.Time) (found []Event, err error) {
	err = s.performElevated(func(time.Time) error {
		for _, e := range slices.Backward(s.m.events) {
			if e.Time = s.m.clock(e.Time); !e.Time.Before(since) {
				found = append(found, e)
			}
		}
		return nil
	})
	return found, err
}
