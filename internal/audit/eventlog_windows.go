package audit

import (
	"fmt"

	"golang.org/x/sys/windows/svc/eventlog"
)

// eventID is that of each line: what it tells of is in the line.
const eventID = 1

type eventLog struct{ *eventlog.Log }

// NewEventLog returns a mirror that writes to the Application log of Windows, as the
// source "farmtrust". Events of a source that nobody has registered are written too, and
// shown with a remark that their description is missing.
func NewEventLog() (Mirror, error) {
	log, err := eventlog.Open(program)
	if err != nil {
		return nil, fmt.Errorf("open the Windows event log: %w", err)
	}
	return eventLog{log}, nil
}

// Write implements [Mirror].
func (l eventLog) Write(line string) error {
	if err := l.Info(eventID, line); err != nil {
		return fmt.Errorf("write to the Windows event log: %w", err)
	}
	return nil
}
