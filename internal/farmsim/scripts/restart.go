package scripts

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// lastErrors is the prelude's Get-LastError.
func lastErrors(s *model.Session, since time.Time) ([]string, error) {
	const atMost, longest = 3, 300
	found, err := s.Events(since)
	if err != nil {
		return nil, err
	}
	// Each log is read by itself.
	slices.SortStableFunc(found, func(a, b model.Event) int { return cmp.Compare(a.Log, b.Log) })
	slices.SortStableFunc(found, func(a, b model.Event) int { return b.Time.Compare(a.Time) })
	lines := []string{}
	for _, e := range found[:min(atMost, len(found))] {
		line := e.Time.UTC().Format(markLayout) + " " + e.Source + ": " + strings.Join(strings.Fields(e.Message), " ")
		if len(line) > longest {
			line = line[:longest-3] + "..."
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// withLastErrors adds the last errors to a message.
func withLastErrors(s *model.Session, message string, since time.Time) (string, error) {
	found, err := lastErrors(s, since)
	if len(found) > 0 {
		message += "; last errors of the event logs: " + strings.Join(found, "; ")
	}
	return message, err
}

// serviceErrors is the prelude's Get-ServiceError.
func serviceErrors(s *model.Session, responses []powershell.Discovery, services ...powershell.Service) ([]string, error) {
	const serverError = 500
	if !slices.ContainsFunc(services, func(one powershell.Service) bool { return !one.Running }) &&
		!slices.ContainsFunc(responses, func(one powershell.Discovery) bool { return one.Status >= serverError }) {
		return []string{}, nil
	}
	now, err := clock(s)
	if err != nil {
		return nil, err
	}
	return lastErrors(s, now.AddDate(0, 0, -1))
}

// clock is the prelude's Get-MachineTime.
func clock(s *model.Session) (time.Time, error) {
	d, err := s.Describe()
	return d.Clock, err
}

// stopNotRunning is the prelude's Stop-NotRunning.
func stopNotRunning(s *model.Session, name, reason string, since time.Time) error {
	message, err := withLastErrors(s, name+" is not running: "+reason, since)
	if err != nil {
		return err
	}
	return stopScript("ServiceNotRunning", "%s", message)
}

// restartWaited is the prelude's Restart-WaitedService.
func restartWaited(s *model.Session, name, note string) error {
	began, err := clock(s)
	if err != nil {
		return err
	}
	err = s.RestartService(name)
	refused, ok := errors.AsType[*model.Error](err)
	if err != nil && !ok {
		return err
	}
	state, stateErr := serviceRecord(s, name)
	switch {
	case stateErr != nil:
		return stateErr
	case state.Running:
		return err
	case err == nil:
		// The service stopped between two looks at it.
		return stopNotRunning(s, name, fmt.Sprintf("'%s' is not Running after 00:02:00.", name)+note, began)
	}
	return stopNotRunning(s, name, refused.Message+note, began)
}

// assertRunning is the prelude's Assert-ServiceRunning.
func assertRunning(s *model.Session, since time.Time, names ...string) error {
	for _, name := range names {
		state, err := serviceRecord(s, name)
		if err == nil && !state.Running {
			err = stopNotRunning(s, name, "it started and stopped again", since)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restartOlderService is the prelude's Restart-OlderService. All services here
// start with Windows, so one that stopped is started.
func restartOlderService(s *model.Session, name string, before time.Time) (restarted bool, err error) {
	state, err := s.Service(name)
	if err != nil || state.Running && !state.Since.Before(before) {
		return false, err
	}
	return true, restartWaited(s, name, "")
}

// isIISRunning is the prelude's Test-IisRunning.
func isIISRunning(s *model.Session) (running bool, err error) {
	web, err := serviceRecord(s, model.W3SVC)
	if err != nil {
		return false, err
	}
	activation, err := serviceRecord(s, model.WAS)
	return web.Running && activation.Running, err
}

// hasOlderWorker is the prelude's Test-OlderWorker.
func hasOlderWorker(s *model.Session, before time.Time) (older bool, err error) {
	since, err := s.WorkersSince()
	return !since.IsZero() && since.Before(before), err
}

// restartOlderIIS is the prelude's Restart-OlderIis.
func restartOlderIIS(s *model.Session, before time.Time) (restarted bool, err error) {
	running, err := isIISRunning(s)
	if err != nil {
		return false, err
	}
	if running {
		if older, err := hasOlderWorker(s, before); err != nil || !older {
			return false, err
		}
	} else if _, err := s.Service(model.W3SVC); err != nil {
		if _, none := errors.AsType[*model.Error](err); none {
			err = nil // There is no IIS.
		}
		return false, err
	}
	began, err := clock(s)
	if err != nil {
		return false, err
	}
	stopped, err := s.IISStop()
	if err != nil {
		return false, err
	}
	started, err := s.IISStart()
	if err != nil {
		return false, err
	}
	return true, assertIISRestarted(s, began, stopped, started)
}

// assertIISRestarted is the end of the prelude's Restart-OlderIis.
func assertIISRestarted(s *model.Session, began time.Time, stopped, started int) error {
	running, err := isIISRunning(s)
	if err != nil {
		return err
	}
	older, err := hasOlderWorker(s, began)
	if err != nil || running && !older {
		return err
	}
	problem := "an old worker process still runs"
	if !running {
		var states []string
		for _, name := range []string{model.W3SVC, model.WAS} {
			state, err := serviceRecord(s, name)
			if err != nil {
				return err
			}
			states = append(states, name+" running: "+map[bool]string{true: "True", false: "False"}[state.Running])
		}
		problem = strings.Join(states, ", ")
	}
	message := fmt.Sprintf("iisreset /stop ended with exit code %d, iisreset /start with %d: %s", stopped, started, problem)
	if message, err = withLastErrors(s, message, began); err != nil {
		return err
	}
	return stopScript("IisResetFailed", "%s", message)
}

// restarts collects what a script restarted.
type restarts struct{ names []string }

func (r *restarts) add(name string, restarted bool) {
	if restarted {
		r.names = append(r.names, name)
	}
}

func (r *restarts) has(name string) bool { return slices.Contains(r.names, name) }

func (r *restarts) result() powershell.RestartResult {
	return powershell.RestartResult{Changed: len(r.names) > 0, Restarted: append([]string{}, r.names...)}
}

func restartSharePointServer(s *model.Session, p powershell.RestartSharePointServer, _ [][]byte) (powershell.RestartResult, error) {
	var done restarts
	if err := assertElevated(s); err != nil {
		return done.result(), err
	}
	began, err := clock(s)
	if err != nil {
		return done.result(), err
	}
	restarted, err := restartOlderIIS(s, p.NotBefore)
	if err != nil {
		return done.result(), err
	}
	done.add(model.IIS, restarted)
	if restarted, err = restartOlderService(s, model.SPTimerV4, p.NotBefore); err != nil {
		return done.result(), err
	}
	done.add(model.SPTimerV4, restarted)
	return done.result(), assertStarted(s, began, done)
}

// assertStarted asserts that what was restarted still runs.
func assertStarted(s *model.Session, began time.Time, done restarts) error {
	var names []string
	for _, name := range []string{model.WACSM, model.IIS, model.SPTimerV4} {
		switch {
		case !done.has(name):
		case name == model.IIS:
			names = append(names, model.W3SVC, model.WAS)
		default:
			names = append(names, name)
		}
	}
	return assertRunning(s, began, names...)
}
