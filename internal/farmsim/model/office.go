package model

import (
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// OfficeSettings are those settings of an Office Online Server farm that
// concern the procedure.
type OfficeSettings struct {
	// InternalURL and ExternalURL are what users' requests begin with.
	InternalURL string `json:"internalUrl"`
	ExternalURL string `json:"externalUrl"`

	AllowHTTP                       bool   `json:"allowHttp"`
	CertificateName                 string `json:"certificateName"`
	S2SCertificateName              string `json:"s2sCertificateName"`
	AllowOutboundHTTP               bool   `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool   `json:"allowHttpSecureStoreConnections"`
}

type officeFarm struct {
	members []*officeMember
	master  *officeMember
	// certificateNames are the names in the certificate of the sites.
	certificateNames []string
}

// officeMember is one machine's part of the farm: its copy of the settings,
// and what its processes loaded of them.
type officeMember struct {
	m        *machine
	farm     *officeFarm
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
// machine is in one such farm at most. Without a URL it is called "office" in the
// domain of the first, or "office-2" and so on. The certificate of its sites has
// the names of its URLs alone.
func (w *World) NewOfficeFarm(settings OfficeSettings, hosts ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if settings.InternalURL == "" && settings.ExternalURL == "" && len(hosts) > 0 {
		_, domain, _ := strings.Cut(hosts[0], ".")
		name := "office"
		if n := len(w.offices); n > 0 {
			name = fmt.Sprintf("office-%d", n+1)
		}
		settings.InternalURL = "https://" + name + "." + domain + "/"
	}
	created := &officeFarm{certificateNames: settings.farmHosts()}
	for _, host := range hosts {
		m, err := w.findMachine(host)
		if err != nil {
			return fmt.Errorf("new office farm: %w", err)
		}
		if w.findMember(m) != nil {
			return fmt.Errorf("new office farm: %s is in one already", host)
		}
		member := &officeMember{
			m: m, farm: created, settings: settings, written: m.upSince, health: "Healthy", loaded: map[string]loadedS2S{},
		}
		m.addIIS()
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
	w.offices = append(w.offices, created)
	return nil
}

// findMember returns a machine's part of its office farm; nil when it is in none.
func (w *World) findMember(m *machine) *officeMember {
	for _, f := range w.offices {
		for _, member := range f.members {
			if member.m == m {
				return member
			}
		}
	}
	return nil
}

// RecreateOfficeFarm makes the office farm of a machine new, as Microsoft's update
// procedure does: Remove-OfficeWebAppsMachine on each machine, then
// New-OfficeWebAppsFarm and New-OfficeWebAppsMachine, which start the services. Of
// its settings only the S2S name is another one, empty when none is passed.
func (w *World) RecreateOfficeFarm(host, s2sCertificateName string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	if err != nil {
		return fmt.Errorf("recreate office farm: %w", err)
	}
	one := w.findMember(m)
	if one == nil {
		return fmt.Errorf("recreate office farm: %s is in none", host)
	}
	for _, member := range one.farm.members {
		for _, name := range []string{WACSM, W3SVC, WAS} {
			member.m.stopService(name)
		}
		member.settings, member.written, member.coming = one.farm.master.settings, now, nil
		member.settings.S2SCertificateName = s2sCertificateName
		w.startAll(member.m, now)
	}
	return nil
}

// applyReplicas takes over the changes that have reached the member. While its
// service is stopped none does; they come just after it started.
func (o *officeMember) applyReplicas(now time.Time) {
	if !o.m.runs(WACSM) {
		return
	}
	started := o.m.services[WACSM].since
	for len(o.coming) > 0 && !o.coming[0].due.After(now) {
		o.settings, o.written = o.coming[0].settings, o.coming[0].due
		if !o.written.After(started) {
			o.written = started.Add(time.Millisecond)
		}
		o.coming = o.coming[1:]
	}
}

// rewriteSettings writes a member's settings file where it was due to be written
// without a change.
func (w *World) rewriteSettings(o *officeMember, now time.Time) {
	every := w.policy.RewritesEvery
	if every <= 0 || !o.m.runs(WACSM) {
		return
	}
	started := o.m.services[WACSM].since
	if last := started.Add(now.Sub(started).Truncate(every)); last.After(o.written) {
		w.countRule(RuleSettingsRewrite)
		o.written = last
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
		if _, err := w.resolveName(o.m, name); err != nil {
			return err
		}
	}
	w.countRule(RuleLoadAtStart)
	loaded := loadedS2S{name: o.settings.S2SCertificateName}
	if loaded.name != "" {
		e, err := w.resolveName(o.m, loaded.name)
		if err != nil {
			return err
		}
		loaded.thumbprint = e.thumbprint
	}
	o.loaded[process] = loaded
	return nil
}

// resolveName finds the one certificate that a friendly name stands for.
func (w *World) resolveName(m *machine, friendlyName string) (*entry, error) {
	unspecified := invalidOperationError("InvalidOperationException", "The certificate has not been specified.")
	named := m.entriesNamed(My, friendlyName)
	found := w.visibleEntries(named)
	if len(found) < len(named) {
		w.countRule(RuleArchivedNotNamed)
	}
	switch {
	case len(found) == 0:
		w.countRule(RuleNameMissing)
		return nil, unspecified
	case len(found) > 1 || len(m.entriesNamed(Root, friendlyName)) > 0:
		w.countRule(RuleNameAmbiguous)
		return nil, unspecified
	}
	if w.policy.SameSubjectStopsService {
		for _, e := range w.visibleEntries(m.stores[My]) {
			if e != found[0] && e.cert.Subject.String() == found[0].cert.Subject.String() {
				w.countRule(RuleSameSubject)
				return nil, unspecified
			}
		}
	}
	return found[0], nil
}

// MoveMaster makes another machine of an office farm its master, as
// Set-OfficeWebAppsMachine -Master does.
func (w *World) MoveMaster(host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.findMachine(host)
	if err != nil {
		return fmt.Errorf("move master: %w", err)
	}
	member := w.findMember(m)
	if member == nil {
		return fmt.Errorf("move master: %s is not of the farm", host)
	}
	member.farm.master = member
	return nil
}
