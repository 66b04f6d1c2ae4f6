//go:build !windows

package audit

import "errors"

// NewEventLog fails: only Windows has an event log.
func NewEventLog() (Mirror, error) {
	return nil, errors.New("audit.eventLog is set, and this machine has no Windows event log: use audit.syslog")
}
