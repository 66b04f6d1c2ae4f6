package model

import (
	"cmp"
	"fmt"
	"time"
)

// addIIS installs IIS, running since the machine is up.
func (m *machine) addIIS() {
	if m.hasIIS() {
		return
	}
	m.addService(WAS)
	m.addService(W3SVC)
	m.workersSince = m.upSince
}

func (m *machine) hasIIS() bool { return m.services[W3SVC] != nil }

// iisRuns reports whether IIS can serve.
func (m *machine) iisRuns() bool { return m.runs(WAS) && m.runs(W3SVC) }

// startWorkers starts the worker processes. What they cannot load shows when they
// are used.
func (w *World) startWorkers(m *machine, at time.Time) {
	m.workersSince = at
	m.poolDownUntil = time.Time{}
	if c, due := m.takeCondition(PoolDown, ""); due {
		m.stopPool(c, at)
	}
	if load := m.loads[IIS]; load != nil {
		_ = load()
	}
}

// stopPool stops the application pool of the sites.
func (m *machine) stopPool(c Condition, at time.Time) {
	m.poolDownUntil = at.Add(cmp.Or(c.Delay, forEver))
	m.logEvent(at, SystemLog, "Microsoft-Windows-WAS",
		"Application pool is being automatically disabled due to a series of failures in the process(es) serving that application pool.")
}

// WorkersSince is the start time of the oldest IIS worker process.
func (s *Session) WorkersSince() (since time.Time, err error) {
	err = s.perform(func(time.Time) error {
		since = s.m.clock(s.m.workersSince)
		return nil
	})
	return since, err
}

// IISFailed is the exit code of an iisreset that fails. Its number is assumed:
// it is that of ERROR_SERVICE_REQUEST_TIMEOUT.
const IISFailed = 1053

// IISStop is iisreset /stop: it stops W3SVC, WAS and the worker processes, and
// no other service. It returns the exit code.
func (s *Session) IISStop() (code int, err error) {
	err = s.change(func(time.Time) error {
		if !s.m.hasIIS() {
			return noService(W3SVC)
		}
		s.world.countRule(RuleIISResetLeavesServices)
		s.m.stopService(WAS)
		return nil
	})
	return code, err
}

// IISStart is iisreset /start. It returns the exit code.
func (s *Session) IISStart() (code int, err error) {
	err = s.change(func(now time.Time) error {
		if !s.m.hasIIS() {
			return noService(W3SVC)
		}
		if s.m.iisRuns() {
			return nil
		}
		s.m.restarts[IIS]++
		if _, fails := s.m.takeCondition(IISResetFails, ""); fails {
			s.world.countRule(RuleIISResetFails)
			s.m.logEvent(now, SystemLog, "IISCTLS", "IIS start command received from user. The services failed to start in the allotted time.")
			code = IISFailed
			return nil
		}
		if s.world.startService(s.m, W3SVC, now) != nil {
			code = IISFailed
		}
		return nil
	})
	return code, err
}

// IISReset is iisreset without an action: it stops, then starts. It fails with
// the exit code.
func (s *Session) IISReset() error {
	stopped, err := s.IISStop()
	if err != nil {
		return err
	}
	started, err := s.IISStart()
	if code := cmp.Or(stopped, started); err == nil && code != 0 {
		err = &Error{
			ID: "NativeCommandError", Message: fmt.Sprintf("iisreset ended with exit code %d", code),
			Category: "NotSpecified", Exception: "System.Management.Automation.RemoteException", HResult: InvalidOperation,
		}
	}
	return err
}

// answerHTTP is what the machine's own web server answers to a request for a
// site: an HTTP status, or 0 and the name of a WebExceptionStatus.
func (w *World) answerHTTP(m *machine, now time.Time) (status int, problem string) {
	switch {
	case !m.iisRuns():
		w.countRule(RuleIISServices)
		return 0, "ConnectFailure"
	case m.isPoolDown(now):
		w.countRule(RulePoolDown)
		return serviceUnavailable, ""
	case now.Sub(m.workersSince) < w.policy.WarmUp:
		return serviceUnavailable, ""
	}
	return succeeded, ""
}

// isPoolDown reports whether the application pool of the sites is stopped.
func (m *machine) isPoolDown(now time.Time) bool { return now.Before(m.poolDownUntil) }

// The HTTP statuses that the model's sites answer with.
const (
	succeeded          = 200
	serviceUnavailable = 503
)
