package model

import (
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// The services and processes that the procedure restarts.
const (
	// WACSM is the service of Office Online Server.
	WACSM = "WACSM"
	// SPTimerV4 is SharePoint's timer service, which caches trusts.
	SPTimerV4 = "SPTimerV4"
	// IIS stands for iisreset and the worker processes.
	IIS = "IIS"
)

// MachineSpec describes a Windows machine.
type MachineSpec struct {
	// Host is the DNS name; its first label in upper case is the computer
	// name, the rest the domain.
	Host string
	// Build is the Windows build: 14393 for Server 2016, 17763 for 2019,
	// 20348 for 2022.
	Build int
	// Forest is the DNS name of the Active Directory forest; empty means the
	// domain itself.
	Forest string
	// Skew is how far the machine's clock is ahead of real time.
	Skew time.Duration
	// ConfigurationMode is the mode of Desired State Configuration; empty
	// means there is none.
	ConfigurationMode string
	// Office says that Office Online Server is installed; on machines that join
	// a farm it always is.
	Office bool
	// FIPS is the policy that asks for validated cryptography only.
	FIPS bool
}

type machine struct {
	MachineSpec

	name, domain string
	stores       map[Store][]*entry
	services     map[string]*service
	workersSince time.Time
	files        map[string]file
	keys         map[string]*privateKey
	tasks        map[string]*task
	// bindings are the certificates of http.sys by address.
	bindings      map[string]farm.Thumbprint
	listener      farm.Thumbprint
	pendingReboot bool
	downUntil     time.Time
	boots         int
	containers    int
	restarts      map[string]int
	// loads are called when a service or IIS starts: products load their
	// settings then.
	loads map[string]func() error
}

type service struct {
	running bool
	since   time.Time
}

// AddMachine adds a machine that has been up for some days.
func (w *World) AddMachine(spec MachineSpec) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.findMachine(spec.Host); err == nil {
		return fmt.Errorf("machine %s is already there", spec.Host)
	}
	label, domain, found := strings.Cut(spec.Host, ".")
	if !found {
		return fmt.Errorf("machine %q has no domain in its name", spec.Host)
	}
	if spec.Forest == "" {
		spec.Forest = domain
	}
	const uptime = 3 * 24 * time.Hour
	w.machines = append(w.machines, &machine{
		MachineSpec: spec, name: strings.ToUpper(label), domain: domain,
		stores: map[Store][]*entry{}, services: map[string]*service{},
		workersSince: time.Now().Add(-uptime), files: map[string]file{},
		bindings: map[string]farm.Thumbprint{},
		keys:     map[string]*privateKey{}, tasks: map[string]*task{}, restarts: map[string]int{}, loads: map[string]func() error{},
	})
	return nil
}

func (m *machine) isDown(now time.Time) bool { return now.Before(m.downUntil) }

// clock converts real time to what the machine's own clock shows.
func (m *machine) clock(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(m.Skew).UTC().Round(0)
}

func (m *machine) addService(name string) {
	m.services[name] = &service{running: true, since: m.workersSince}
}

// startTime is when a service or the IIS workers started; zero when they do not run.
func (m *machine) startTime(process string) time.Time {
	if process == IIS {
		return m.workersSince
	}
	return m.services[process].since
}

// settleMachine lets what was due on one machine happen.
func (w *World) settleMachine(m *machine, now time.Time) {
	if m.isDown(now) {
		return
	}
	if !m.downUntil.IsZero() {
		up := m.downUntil
		m.downUntil = time.Time{}
		for name := range m.services {
			// A service that cannot start leaves its reason in the event log
			// only; the machine is up nevertheless.
			_ = m.startService(name, up)
		}
		m.startIIS(up)
	}
	if member := w.office.findMember(m); member != nil {
		member.applyReplicas(now)
	}
}

// startService starts a stopped service at a time.
func (m *machine) startService(name string, at time.Time) error {
	if load := m.loads[name]; load != nil {
		if err := load(); err != nil {
			return err
		}
	}
	*m.services[name] = service{running: true, since: at}
	return nil
}

// startIIS starts the worker processes. What they cannot load shows when they
// are used: iisreset itself succeeds.
func (m *machine) startIIS(at time.Time) {
	m.workersSince = at
	if load := m.loads[IIS]; load != nil {
		_ = load()
	}
}

// Reboot takes a machine down for a time: sessions end, and everything that
// starts with Windows starts again.
func (w *World) Reboot(host string, downtime time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	if err != nil {
		return err
	}
	m.boots++
	m.pendingReboot = false
	m.downUntil = now.Add(downtime)
	for _, s := range m.services {
		*s = service{}
	}
	m.workersSince = time.Time{}
	return nil
}

// Description is what a machine tells of itself; times are on its own clock.
type Description struct {
	Name, Domain, Forest string
	Build                int
	PowerShell           string
	Elevated, FIPS       bool
	Clock                time.Time
	PendingReboot        bool
	ConfigurationMode    string
}

// Describe reads the machine's name, version, clock and so on.
func (s *Session) Describe() (d Description, err error) {
	err = s.perform(func(now time.Time) error {
		d = Description{
			Name: s.m.name, Domain: s.m.domain, Forest: s.m.Forest, Build: s.m.Build,
			PowerShell: fmt.Sprintf("5.1.%d.0", s.m.Build), Elevated: !s.logon.Filtered, FIPS: s.m.FIPS,
			Clock: s.m.clock(now), PendingReboot: s.m.pendingReboot, ConfigurationMode: s.m.ConfigurationMode,
		}
		return nil
	})
	return d, err
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

// WorkersSince is the start time of the oldest IIS worker process.
func (s *Session) WorkersSince() (since time.Time, err error) {
	err = s.perform(func(time.Time) error {
		since = s.m.clock(s.m.workersSince)
		return nil
	})
	return since, err
}

// RestartService is Restart-Service. A service that was stopped is started.
func (s *Session) RestartService(name string) error {
	return s.performElevated(func(now time.Time) error {
		found, ok := s.m.services[name]
		if !ok {
			return noService(name)
		}
		s.m.restarts[name]++
		*found = service{}
		if err := s.m.startService(name, now); err != nil {
			return &Error{
				ID:       "StartServiceFailed,Microsoft.PowerShell.Commands.RestartServiceCommand",
				Message:  fmt.Sprintf("Failed to start service '%s (%s)'. %v", name, name, err),
				Category: "OpenError", Exception: "Microsoft.PowerShell.Commands.ServiceCommandException",
				HResult: InvalidOperation,
			}
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

// IISReset is iisreset: the worker processes restart, services do not.
func (s *Session) IISReset() error {
	return s.performElevated(func(now time.Time) error {
		s.world.countRule(RuleIISResetLeavesServices)
		s.m.restarts[IIS]++
		s.m.startIIS(now)
		return nil
	})
}

// Account is the account of the session as DOMAIN\name; local accounts have
// the machine's name for a domain.
func (s *Session) Account() string {
	if strings.Contains(s.logon.User, `\`) {
		return s.logon.User
	}
	return s.m.name + `\` + s.logon.User
}
