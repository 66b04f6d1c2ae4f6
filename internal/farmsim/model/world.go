// Package model is a simulated Office Online Server farm, the SharePoint
// farms that use it, and the Windows machines they run on: their state, and
// each rule of these products once, as an operation at the level of a cmdlet
// or a Windows call. Rules lists the rules and what each rests on.
//
// It speaks no protocol, runs no PowerShell and injects no fault; it never
// hands out a private key. Reading real time is deliberate: service starts
// and settings files must order as they do on real machines.
package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Policy decides what public sources leave open, and how slow things are.
// The zero value is a forgiving farm: replication at once, trust recognised
// after a day.
type Policy struct {
	// ReplicationDelay is how long a member of the office farm still sees the
	// settings of before a change on the master.
	ReplicationDelay time.Duration
	// Propagation is how long a SharePoint server that is not restarted keeps
	// the trust of before a change; zero means 24 hours.
	Propagation time.Duration
	// WarmUp is how long no site is answered after a start.
	WarmUp time.Duration
	// DuplicateNames is what a second issuer with the same registered name does.
	DuplicateNames DuplicateNames
	// SameSubjectStopsService makes WACSM refuse to start when two
	// certificates in Personal share the subject of the one that is named.
	SameSubjectStopsService bool
	// CheckS2SName makes Set-OfficeWebAppsFarm check the S2S name as it
	// checks CertificateName.
	CheckS2SName bool
	// DNSMachineNames makes the office farm call its machines by their DNS names
	// instead of their computer names.
	DNSMachineNames bool
	// RewritesAtStart makes WACSM write the machine's settings file, without a change,
	// just after it started, and RewritesEvery again and again while it runs; zero is
	// never.
	RewritesAtStart bool
	RewritesEvery   time.Duration
	// MutexWait is how long a script waits for the mutex of its machine; zero means as
	// long as it says.
	MutexWait time.Duration
	// KeepS2SName makes Set-OfficeWebAppsFarm refuse an empty S2S name.
	KeepS2SName bool
	// KeepsKeys makes the deletion of a key succeed and leave it, as Wine's does.
	KeepsKeys bool
}

// DuplicateNames is what SharePoint does about a registered name in two issuers.
type DuplicateNames string

// What may happen; the zero value is BothValid.
const (
	BothValid  DuplicateNames = ""
	FirstMatch DuplicateNames = "first match"
	Reject     DuplicateNames = "reject"
)

// World holds every machine and both products. Its methods are safe for
// concurrent use.
type World struct {
	mu         sync.Mutex
	policy     Policy
	machines   []*machine
	offices    []*officeFarm
	sharePoint []*sharePointFarm
	applied    map[RuleID]int
	// unguarded is what [World.Unguarded] lists.
	unguarded []string
}

// New returns a world without machines.
func New(policy Policy) *World {
	if policy.Propagation == 0 {
		policy.Propagation = 24 * time.Hour
	}
	return &World{policy: policy, applied: map[RuleID]int{}}
}

// Applied tells how often each rule decided something so far.
func (w *World) Applied() map[RuleID]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.applied)
}

// countRule notes that a rule decided something.
func (w *World) countRule(rule RuleID) { w.applied[rule]++ }

// findMachine finds a machine by DNS name or computer name, as Windows does.
func (w *World) findMachine(host string) (*machine, error) {
	i := slices.IndexFunc(w.machines, func(m *machine) bool {
		return strings.EqualFold(m.Host, host) || strings.EqualFold(m.name, host)
	})
	if i < 0 {
		return nil, fmt.Errorf("there is no machine %q in this simulation", host)
	}
	return w.machines[i], nil
}

// settleAll lets everything that was due by now happen: machines that were
// rebooting come up, settings reach members.
func (w *World) settleAll() time.Time {
	now := time.Now()
	for _, m := range w.machines {
		w.settleMachine(m, now)
	}
	return now
}

// ErrDown is returned by every operation on a machine that is rebooting, and
// on a session that began before a reboot.
var ErrDown = errors.New("the machine went down")

// Auth is how a session was authenticated; it decides what the session may
// reach from its machine.
type Auth string

// How a session may be authenticated.
const (
	Basic    Auth = "basic"
	NTLM     Auth = "ntlm"
	Kerberos Auth = "kerberos"
	// Batch is how a scheduled task logs its account on: with credentials of
	// its own, which other machines take.
	Batch Auth = "batch"
)

// Logon is who opened a session, and how.
type Logon struct {
	User string
	Auth Auth
	// Filtered is a token without administrator rights, as remote logons of
	// local accounts get it by default.
	Filtered bool
}

// Session is a logon session on one machine. All cmdlets and Windows calls
// are its methods, or methods of its [Office] and [SharePoint] shells.
type Session struct {
	world *World
	m     *machine
	logon Logon
	boots int
	// warnings are what cmdlets warned of, since they were last taken.
	warnings []string
	process  process
	// killed says that the process was ended in the middle.
	killed bool
}

// TakeWarnings returns what cmdlets of this session warned of since the last call.
func (s *Session) TakeWarnings() []string {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	taken := s.warnings
	s.warnings = nil
	return taken
}

// LogOn opens a session on a machine.
func (w *World) LogOn(host string, logon Logon) (*Session, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	if err != nil {
		return nil, err
	}
	if m.isDown(now) {
		return nil, fmt.Errorf("log on to %s: %w", m.Host, ErrDown)
	}
	return &Session{world: w, m: m, logon: logon, boots: m.boots}, nil
}

// Host is the DNS name of the session's machine.
func (s *Session) Host() string { return s.m.Host }

// perform runs one operation on the machine, as of now.
func (s *Session) perform(operation func(now time.Time) error) error {
	return s.asProcess(func(now time.Time) error {
		s.noteObservation()
		return operation(now)
	})
}

// asProcess runs one operation under the world's lock, as of now.
func (s *Session) asProcess(operation func(now time.Time) error) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	now := s.world.settleAll()
	if s.m.isDown(now) || s.m.boots != s.boots {
		return fmt.Errorf("%s: %w", s.m.Host, ErrDown)
	}
	if s.killed {
		return fmt.Errorf("%s: %w", s.m.Host, errEnded)
	}
	return operation(now)
}

// performElevated is perform for operations that need administrator rights.
func (s *Session) performElevated(operation func(now time.Time) error) error {
	return s.perform(func(now time.Time) error {
		if s.logon.Filtered {
			s.world.countRule(RuleElevation)
			return accessDenied()
		}
		return operation(now)
	})
}

// change is performElevated for operations that change something.
func (s *Session) change(operation func(now time.Time) error) error {
	return s.performElevated(func(now time.Time) error {
		s.noteChange()
		return operation(now)
	})
}

// Up reports whether a machine answers at all.
func (w *World) Up(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	return err == nil && !m.isDown(now)
}
