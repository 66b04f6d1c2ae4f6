package model

import (
	"fmt"
	"slices"
	"time"
)

// The services and processes that the procedure restarts.
const (
	// WACSM is the service of Office Online Server.
	WACSM = "WACSM"
	// SPTimerV4 is SharePoint's timer service, which caches trusts.
	SPTimerV4 = "SPTimerV4"
	// W3SVC and WAS are the services of IIS: the World Wide Web Publishing
	// Service and the Windows Process Activation Service.
	W3SVC = "W3SVC"
	WAS   = "WAS"
	// IIS stands for iisreset and the worker processes.
	IIS = "IIS"
)

// displayNames are the names that Windows shows. That of WACSM is published with
// its events (sharepointpain.com 2025/04).
var displayNames = map[string]string{
	WACSM: "Office Online", SPTimerV4: "SharePoint Timer Service",
	W3SVC: "World Wide Web Publishing Service", WAS: "Windows Process Activation Service",
}

// service is a Windows service whose start type is automatic.
type service struct {
	running bool
	since   time.Time
	// stopsAt is when it stops by itself; zero for never.
	stopsAt time.Time
}

func (m *machine) addService(name string) {
	m.services[name] = &service{running: true, since: m.upSince}
}

// runs reports whether a service is there and runs.
func (m *machine) runs(name string) bool { return m.services[name] != nil && m.services[name].running }

// startTime is when a service or the IIS workers started; zero when they do not run.
func (m *machine) startTime(process string) time.Time {
	if process == IIS {
		return m.workersSince
	}
	return m.services[process].since
}

// serviceNames lists the machine's services in the order in which they start.
func (m *machine) serviceNames() []string {
	order := []string{WAS, W3SVC, SPTimerV4, WACSM}
	return slices.DeleteFunc(order, func(name string) bool { return m.services[name] == nil })
}

// Services lists the services of each machine, by its host.
func (w *World) Services() map[string][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]string{}
	for _, m := range w.machines {
		all[m.Host] = m.serviceNames()
	}
	return all
}

// startAll starts every service, as Windows does when it starts. One that cannot
// start leaves its reason in the event log only.
func (w *World) startAll(m *machine, at time.Time) {
	for _, name := range m.serviceNames() {
		_ = w.startService(m, name, at)
	}
}

// startService starts a stopped service and what it depends on.
func (w *World) startService(m *machine, name string, at time.Time) error {
	if m.services[name].running {
		return nil
	}
	if name == W3SVC && !m.runs(WAS) {
		w.countRule(RuleIISServices)
		if err := w.startService(m, WAS, at); err != nil {
			m.logEvent(at, SystemLog, "Service Control Manager", fmt.Sprintf("The %s service depends on the %s service "+
				"which failed to start because of the following error: The operation completed successfully.", displayNames[W3SVC], displayNames[WAS]))
			return startFailed(name)
		}
	}
	if _, fails := m.takeCondition(ServiceFails, name); fails {
		w.countRule(RuleServiceFails)
		m.logEvent(at, SystemLog, "Service Control Manager", fmt.Sprintf("The %s service failed to start due to the following error: "+
			"The service did not respond to the start or control request in a timely fashion.", displayNames[name]))
		return startFailed(name)
	}
	if load := m.loads[name]; load != nil {
		if err := load(); err != nil {
			w.countRule(RuleCauseInEventLog)
			m.logEvent(at, ApplicationLog, name, fmt.Sprintf("Service cannot be started. System.InvalidOperationException: %v", err))
			return startFailed(name)
		}
	}
	*m.services[name] = service{running: true, since: at}
	if member := w.findMember(m); name == WACSM && member != nil && w.policy.RewritesAtStart {
		w.countRule(RuleSettingsRewrite)
		member.written = at.Add(time.Millisecond)
	}
	if stops, due := m.takeCondition(ServiceStops, name); due {
		m.services[name].stopsAt = at.Add(stops.Delay)
	}
	if name == W3SVC {
		w.startWorkers(m, at)
	}
	return nil
}

// stopService stops a service and what depends on it.
func (m *machine) stopService(name string) {
	*m.services[name] = service{}
	if name == WAS {
		*m.services[W3SVC] = service{}
	}
	if name == WAS || name == W3SVC {
		m.workersSince = time.Time{}
	}
}

// stopWhatFails stops services that have run as long as their condition lets them.
func (w *World) stopWhatFails(m *machine, now time.Time) {
	for _, name := range m.serviceNames() {
		if at := m.services[name].stopsAt; !at.IsZero() && !at.After(now) {
			w.countRule(RuleServiceStops)
			m.stopService(name)
			m.logEvent(at, SystemLog, "Service Control Manager", fmt.Sprintf("The %s service terminated unexpectedly.", displayNames[name]))
		}
	}
}

// startFailed is what cmdlets say of a service that does not start: not the cause.
func startFailed(name string) *Error {
	return &Error{
		ID:       "StartServiceFailed",
		Message:  fmt.Sprintf("Failed to start service '%s (%s)'.", displayNames[name], name),
		Category: "OpenError", Exception: "Microsoft.PowerShell.Commands.ServiceCommandException",
		HResult: InvalidOperation,
	}
}

// ServiceState is a Windows service; Since is on the machine's clock and zero
// when the service does not run.
type ServiceState struct {
	Name    string
	Running bool
	Since   time.Time
}

// Service is Get-Service with the start time of its process.
func (s *Session) Service(name string) (state ServiceState, err error) {
	err = s.perform(func(time.Time) error {
		found, ok := s.m.services[name]
		if !ok {
			return noService(name)
		}
		state = ServiceState{Name: name, Running: found.running, Since: s.m.clock(found.since)}
		return nil
	})
	return state, err
}

// RestartService is Restart-Service. A service that was stopped is started.
func (s *Session) RestartService(name string) error {
	return s.bringUp("RestartServiceCommand", name, func() { s.m.stopService(name) })
}

// StartService is Start-Service. A service that runs is left alone.
func (s *Session) StartService(name string) error {
	return s.bringUp("StartServiceCommand", name, func() {})
}

func (s *Session) bringUp(cmdlet, name string, first func()) error {
	return s.change(func(now time.Time) error {
		if s.m.services[name] == nil {
			return noService(name)
		}
		first()
		if s.m.services[name].running {
			return nil
		}
		s.m.restarts[name]++
		if err := s.world.startService(s.m, name, now); err != nil {
			failed := startFailed(name)
			failed.ID += ",Microsoft.PowerShell.Commands." + cmdlet
			return failed
		}
		return nil
	})
}

func noService(name string) *Error {
	return &Error{
		ID:       "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
		Message:  fmt.Sprintf("Cannot find any service with service name '%s'.", name),
		Category: "ObjectNotFound", Exception: "Microsoft.PowerShell.Commands.ServiceCommandException",
		HResult: InvalidOperation,
	}
}
