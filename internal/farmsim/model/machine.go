package model

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// MachineSpec describes a Windows machine.
type MachineSpec struct {
	// Host is the DNS name. The computer name is its first label, in upper case
	// and no longer than 15 letters.
	Host string
	// Domain is the DNS name of the Active Directory domain; empty means the
	// rest of Host.
	Domain string
	// Build is the Windows build: 14393 for Server 2016, 17763 for 2019,
	// 20348 for 2022.
	Build int
	// Forest is the DNS name of the Active Directory forest; empty means the
	// domain itself.
	Forest string
	// Skew is how far the machine's clock is ahead of real time, until it is set; see
	// [World.SetClocks].
	Skew time.Duration
	// ConfigurationMode is the mode of Desired State Configuration; empty
	// means there is none.
	ConfigurationMode string
	// Office says that Office Online Server is installed; on machines that join
	// a farm it always is.
	Office bool
	// FIPS is the policy that asks for validated cryptography only.
	FIPS bool
	// CentralStore is the folder of IIS's central certificate store; empty means
	// that it is not in use.
	CentralStore string
	// TrustedForests are the forests of other domains that its domain trusts, empty
	// for one whose domain controllers do not answer.
	TrustedForests []string
}

type machine struct {
	MachineSpec

	// name is the computer name.
	name     string
	stores   map[Store][]*entry
	services map[string]*service
	// upSince is when the machine was there first, workersSince when the oldest
	// IIS worker process started, zero when none runs.
	upSince, workersSince time.Time
	// poolDownUntil is when the application pool of the sites runs again; see [PoolDown].
	poolDownUntil time.Time
	// broken is what its sites respond; nil for what runs on it.
	broken     *SiteResponse
	conditions []Condition
	events     []Event
	clockSet   []clockSet
	files      map[string]file
	registry   map[string]string
	keys       map[string]*privateKey
	tasks      map[string]*task
	// bindings are the certificates of http.sys by address.
	bindings map[string]farm.Thumbprint
	listener farm.Thumbprint
	// named are the certificates of what has one.
	named         map[CertificateUse]farm.Thumbprint
	pendingReboot bool
	downUntil     time.Time
	boots         int
	mutex         mutex
	containers    int
	restarts      map[string]int
	// loads are called when a service or IIS starts: products load their
	// settings then.
	loads map[string]func() error
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
	spec.Domain = cmp.Or(spec.Domain, domain)
	spec.Forest = cmp.Or(spec.Forest, spec.Domain)
	const uptime = 3 * 24 * time.Hour
	m := &machine{
		MachineSpec: spec, name: w.computerName(label),
		stores: map[Store][]*entry{}, services: map[string]*service{},
		upSince: time.Now().Add(-uptime), files: map[string]file{}, registry: map[string]string{},
		bindings: map[string]farm.Thumbprint{}, named: map[CertificateUse]farm.Thumbprint{},
		keys: map[string]*privateKey{}, tasks: map[string]*task{}, restarts: map[string]int{}, loads: map[string]func() error{},
	}
	if spec.Office {
		m.addIIS() // Office Online Server requires it.
	}
	w.machines = append(w.machines, m)
	return nil
}

// maxComputerName is the length of a computer name.
const maxComputerName = 15

// computerName is the name that Windows makes of the first label of a DNS name.
func (w *World) computerName(label string) string {
	if len(label) > maxComputerName {
		w.countRule(RuleComputerName)
		label = label[:maxComputerName]
	}
	return strings.ToUpper(label)
}

func (m *machine) isDown(now time.Time) bool { return now.Before(m.downUntil) }

// settleMachine lets what was due on one machine happen.
func (w *World) settleMachine(m *machine, now time.Time) {
	if m.isDown(now) {
		return
	}
	if !m.downUntil.IsZero() {
		up := m.downUntil
		m.downUntil = time.Time{}
		w.startAll(m, up)
	}
	w.stopWhatFails(m, now)
	if member := w.findMember(m); member != nil {
		member.applyReplicas(now)
		w.rewriteSettings(member, now)
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
	m.mutex.reset()
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
	Name, Domain string
	// Forests are those of the domains that it knows, its own first; empty for one
	// whose domain controllers do not answer.
	Forests           []string
	Build             int
	PowerShell        string
	Elevated, FIPS    bool
	Clock             time.Time
	PendingReboot     bool
	ConfigurationMode string
}

// Describe reads the machine's name, version, clock and so on, which no script changes.
func (s *Session) Describe() (d Description, err error) {
	err = s.asProcess(func(now time.Time) error {
		d = Description{
			Name: s.m.name, Domain: s.m.Domain, Forests: append([]string{s.m.Forest}, s.m.TrustedForests...), Build: s.m.Build,
			PowerShell: fmt.Sprintf("5.1.%d.0", s.m.Build), Elevated: !s.logon.Filtered, FIPS: s.m.FIPS,
			Clock: s.m.clock(now), PendingReboot: s.m.pendingReboot, ConfigurationMode: s.m.ConfigurationMode,
		}
		return nil
	})
	return d, err
}

// Account is the account of the session as DOMAIN\name; local accounts have
// the machine's name for a domain.
func (s *Session) Account() string {
	if strings.Contains(s.logon.User, `\`) {
		return s.logon.User
	}
	return s.m.name + `\` + s.logon.User
}
