package model

import (
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// OfficeSettings are those settings of an Office Online Server farm that
// concern the procedure.
type OfficeSettings struct {
	AllowHTTP                       bool   `json:"allowHttp"`
	CertificateName                 string `json:"certificateName"`
	S2SCertificateName              string `json:"s2sCertificateName"`
	AllowOutboundHTTP               bool   `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool   `json:"allowHttpSecureStoreConnections"`
}

type officeFarm struct {
	members []*officeMember
	master  *officeMember
}

// officeMember is one machine's part of the farm: its copy of the settings,
// and what its processes loaded of them.
type officeMember struct {
	m        *machine
	settings OfficeSettings
	written  time.Time
	coming   []replica
	loaded   map[string]loadedS2S
	health   string
}

// replica is a change on its way to a member.
type replica struct {
	settings OfficeSettings
	due      time.Time
}

// loadedS2S is what a process holds since it started.
type loadedS2S struct {
	name       string
	thumbprint farm.Thumbprint
}

// NewOfficeFarm joins machines to an Office Online Server farm that has run
// with these settings since the machines started; the first is the master. A
// world has one such farm.
func (w *World) NewOfficeFarm(settings OfficeSettings, hosts ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.office != nil {
		return fmt.Errorf("new office farm: there is one already")
	}
	created := &officeFarm{}
	for _, host := range hosts {
		m, err := w.machine(host)
		if err != nil {
			return fmt.Errorf("new office farm: %w", err)
		}
		member := &officeMember{
			m: m, settings: settings, written: m.workersSince, health: "Healthy", loaded: map[string]loadedS2S{},
		}
		m.addService(WACSM)
		for _, process := range []string{WACSM, IIS} {
			m.loads[process] = func() error { return w.loadSettings(member, process) }
			if err := m.loads[process](); err != nil {
				return fmt.Errorf("new office farm: %s: %w", host, err)
			}
		}
		created.members = append(created.members, member)
	}
	if len(created.members) == 0 {
		return fmt.Errorf("new office farm: no machines")
	}
	created.master = created.members[0]
	w.office = created
	return nil
}

func (f *officeFarm) member(m *machine) *officeMember {
	if f == nil {
		return nil
	}
	i := slices.IndexFunc(f.members, func(o *officeMember) bool { return o.m == m })
	if i < 0 {
		return nil
	}
	return f.members[i]
}

// replicate takes over the changes that have reached the member.
func (o *officeMember) replicate(now time.Time) {
	for len(o.coming) > 0 && !o.coming[0].due.After(now) {
		o.settings, o.written = o.coming[0].settings, o.coming[0].due
		o.coming = o.coming[1:]
	}
}

// loadSettings is what a process of Office Online Server does when it starts.
// A name that does not stand for exactly one certificate stops WACSM.
func (w *World) loadSettings(o *officeMember, process string) error {
	delete(o.loaded, process)
	for _, name := range []string{o.settings.CertificateName, o.settings.S2SCertificateName} {
		if name == "" {
			continue
		}
		if _, err := w.resolve(o.m, name); err != nil {
			return err
		}
	}
	w.apply(RuleLoadAtStart)
	loaded := loadedS2S{name: o.settings.S2SCertificateName}
	if loaded.name != "" {
		e, err := w.resolve(o.m, loaded.name)
		if err != nil {
			return err
		}
		loaded.thumbprint = e.thumbprint
	}
	o.loaded[process] = loaded
	return nil
}

// resolve finds the one certificate that a friendly name stands for.
func (w *World) resolve(m *machine, friendlyName string) (*entry, error) {
	unspecified := invalidOperation("InvalidOperationException",
		"Service cannot be started. System.InvalidOperationException: The certificate has not been specified.")
	found := m.named(My, friendlyName)
	switch {
	case len(found) == 0:
		w.apply(RuleNameMissing)
		return nil, unspecified
	case len(found) > 1 || len(m.named(Root, friendlyName)) > 0:
		w.apply(RuleNameAmbiguous)
		return nil, unspecified
	}
	if w.policy.SameSubjectStopsService {
		for _, e := range m.stores[My] {
			if e != found[0] && e.cert.Subject.String() == found[0].cert.Subject.String() {
				w.apply(RuleSameSubject)
				return nil, unspecified
			}
		}
	}
	return found[0], nil
}

// Office is the OfficeWebApps module, loaded in a session.
type Office struct{ s *Session }

// Office loads the OfficeWebApps module.
func (s *Session) Office() Office { return Office{s} }

func (o Office) do(operation func(member *officeMember, now time.Time) error) error {
	return o.s.doElevated(func(now time.Time) error {
		member := o.s.world.office.member(o.s.m)
		if member == nil {
			o.s.world.apply(RuleNotJoined)
			return &Error{
				ID:       "FileNotFoundException,Microsoft.Office.Web.Apps.Administration.GetFarmCommand",
				Message:  "It does not appear that this machine is part of an Office Online Server farm.",
				Category: "ObjectNotFound", Exception: fileNotFoundException, HResult: notFoundResult,
			}
		}
		return operation(member, now)
	})
}

// OfficeFarm is the output of Get-OfficeWebAppsFarm.
type OfficeFarm struct {
	OfficeSettings

	// Machines are the computer names.
	Machines []string
}

// GetOfficeWebAppsFarm reads the farm as this machine sees it.
func (o Office) GetOfficeWebAppsFarm() (f OfficeFarm, err error) {
	err = o.do(func(member *officeMember, _ time.Time) error {
		if !member.m.services[WACSM].running {
			o.s.world.apply(RuleFarmNeedsService)
			return invalidOperation("InvalidOperationException,Microsoft.Office.Web.Apps.Administration.GetFarmCommand",
				"The Office Online service is not running.")
		}
		f.OfficeSettings = member.settings
		for _, other := range o.s.world.office.members {
			f.Machines = append(f.Machines, other.m.name)
		}
		return nil
	})
	return f, err
}

// OfficeMachine is the output of Get-OfficeWebAppsMachine.
type OfficeMachine struct {
	MachineName, MasterMachineName, HealthStatus string
}

// GetOfficeWebAppsMachine reads this machine's part of the farm.
func (o Office) GetOfficeWebAppsMachine() (m OfficeMachine, err error) {
	err = o.do(func(member *officeMember, _ time.Time) error {
		m = OfficeMachine{
			MachineName: member.m.name, MasterMachineName: o.s.world.office.master.m.name, HealthStatus: member.health,
		}
		return nil
	})
	return m, err
}

// SetFarm are the parameters of Set-OfficeWebAppsFarm; nil is not given.
type SetFarm struct {
	S2SCertificateName              *string
	AllowOutboundHTTP               *bool
	AllowHTTPSecureStoreConnections *bool
	// Force is -Force: no question is asked.
	Force bool
}

// SetOfficeWebAppsFarm changes settings of the whole farm: on the master at
// once, on the members when the change has reached them.
func (o Office) SetOfficeWebAppsFarm(set SetFarm) error {
	return o.do(func(_ *officeMember, now time.Time) error {
		w := o.s.world
		if err := w.checkSetFarm(set); err != nil {
			return err
		}
		changed := w.office.master.settings
		assign(&changed.S2SCertificateName, set.S2SCertificateName)
		assign(&changed.AllowOutboundHTTP, set.AllowOutboundHTTP)
		assign(&changed.AllowHTTPSecureStoreConnections, set.AllowHTTPSecureStoreConnections)
		w.apply(RuleReplication)
		for _, member := range w.office.members {
			if member == w.office.master {
				member.settings, member.written = changed, now
				continue
			}
			member.coming = append(member.coming, replica{settings: changed, due: now.Add(w.policy.ReplicationDelay)})
			member.replicate(now)
		}
		return nil
	})
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (w *World) checkSetFarm(set SetFarm) error {
	if set.S2SCertificateName == nil {
		return nil
	}
	const command = "Microsoft.Office.Web.Apps.Administration.SetFarmCommand"
	if !set.Force {
		w.apply(RuleSetFarmPrompts)
		return prompt()
	}
	name := *set.S2SCertificateName
	if name == "" && w.policy.KeepS2SName {
		w.apply(RuleEmptyS2SName)
		return binding(command, "Cannot validate argument on parameter 'S2SCertificateName'. The argument is null or empty.")
	}
	if name != "" && w.policy.CheckS2SName {
		if _, err := w.resolve(w.office.master.m, name); err != nil {
			w.apply(RuleS2SNameChecked)
			return invalidOperation("InvalidOperationException,"+command, "The specified certificate was not found: "+name)
		}
	}
	return nil
}

// SettingsWritten is when this machine's copy of the farm settings was last
// written, by the machine's clock.
func (o Office) SettingsWritten() (at time.Time, err error) {
	err = o.do(func(member *officeMember, _ time.Time) error {
		at = member.m.clock(member.written)
		return nil
	})
	return at, err
}

// Discovery asks this machine for /hosting/discovery, and returns the HTTP
// status, or 0 and the name of a WebExceptionStatus.
func (o Office) Discovery() (status int, problem string, err error) {
	err = o.do(func(member *officeMember, now time.Time) error {
		agent, workers, warmUp := member.m.services[WACSM], member.m.workersSince, o.s.world.policy.WarmUp
		switch {
		case workers.IsZero():
			problem = "ConnectFailure"
		case !agent.running || now.Sub(agent.since) < warmUp || now.Sub(workers) < warmUp:
			status = 503
		default:
			status = 200
		}
		return nil
	})
	return status, problem, err
}
