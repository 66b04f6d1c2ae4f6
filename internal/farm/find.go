package farm

import (
	"slices"
	"strings"
	"time"
)

// Certificate returns the certificate with this thumbprint from the server's
// Personal store.
func (s OfficeServer) Certificate(t Thumbprint) (StoreCertificate, bool) {
	return findFirst(s.Certificates, func(c StoreCertificate) bool { return c.Thumbprint == t })
}

// HasRoot reports whether Trusted Root holds the certificate.
func (s OfficeServer) HasRoot(t Thumbprint) bool {
	return slices.ContainsFunc(s.Roots, func(c StoreCertificate) bool { return c.Thumbprint == t })
}

// HasIntermediate reports whether the CA store holds the certificate.
func (s OfficeServer) HasIntermediate(t Thumbprint) bool { return slices.Contains(s.Intermediates, t) }

// ReadableBy reports whether the account with this security identifier can read
// the key file.
func (c StoreCertificate) ReadableBy(sid string) bool { return slices.Contains(c.KeyReaders, sid) }

// OfficeFarms lists the names of the observed office farms in configured order.
func (o Observed) OfficeFarms() []string {
	var names []string
	for _, s := range o.Office {
		if !slices.Contains(names, s.OfficeFarm) {
			names = append(names, s.OfficeFarm)
		}
	}
	return names
}

// OfficeServers lists the observed servers of an office farm, given by name.
func (o Observed) OfficeServers(officeFarm string) []OfficeServer {
	return slices.DeleteFunc(slices.Clone(o.Office), func(s OfficeServer) bool { return s.OfficeFarm != officeFarm })
}

// Master returns the server that an office farm, given by name, calls its master.
// Its own settings may be unknown, because its service is stopped: then the other
// servers say which one it is. It is false when no server says so, or the master
// was not observed.
func (o Observed) Master(officeFarm string) (OfficeServer, bool) {
	servers := o.OfficeServers(officeFarm)
	isMaster := func(s OfficeServer) bool { return s.Joined && SameMachine(s.Machine.Name, s.Settings.Master) }
	if master, ok := findFirst(servers, isMaster); ok {
		return master, true
	}
	member, _ := findFirst(servers, func(s OfficeServer) bool { return s.Joined })
	return findFirst(servers, func(s OfficeServer) bool { return SameMachine(s.Machine.Name, member.Settings.Master) })
}

// Masters returns the masters of the office farms in configured order, without
// those that were not observed.
func (o Observed) Masters() []OfficeServer {
	var masters []OfficeServer
	for _, name := range o.OfficeFarms() {
		if master, ok := o.Master(name); ok {
			masters = append(masters, master)
		}
	}
	return masters
}

// SettingsOf returns the settings of an office farm, given by name, as its master has
// them, or any of its servers where the master's cannot be read.
func (o Observed) SettingsOf(officeFarm string) (OfficeFarm, bool) {
	if master, ok := o.Master(officeFarm); ok && master.Joined {
		return master.Settings, true
	}
	s, ok := findFirst(o.OfficeServers(officeFarm), func(s OfficeServer) bool { return s.Joined })
	return s.Settings, ok
}

// GroupedAs returns the observation with each office server in the office farm
// that it has in another one, and without those that the other one lacks: what was
// observed before the configuration changed, as the configuration is now.
func (o Observed) GroupedAs(other Observed) Observed {
	var office []OfficeServer
	for _, s := range o.Office {
		if now := other.OfficeServer(s.Machine.Host); now.Machine.Host != "" {
			s.OfficeFarm = now.OfficeFarm
			office = append(office, s)
		}
	}
	o.Office = office
	return o
}

// OfficeServer returns what was observed of an office server; the zero value when
// it was not observed.
func (o Observed) OfficeServer(host string) OfficeServer {
	s, _ := findFirst(o.Office, func(s OfficeServer) bool { return s.Machine.Host == host })
	return s
}

// HostOf returns the host of the server with this computer name in an office farm,
// given by name; empty when none was observed.
func (o Observed) HostOf(officeFarm, machine string) string {
	s, _ := findFirst(o.OfficeServers(officeFarm), func(s OfficeServer) bool { return SameMachine(s.Machine.Name, machine) })
	return s.Machine.Host
}

// Covers reports whether every configured server of a farm was observed.
func (o Observed) Covers(f Farm) bool {
	for _, host := range f.OfficeHosts() {
		if o.OfficeServer(host).Machine.Host == "" {
			return false
		}
	}
	for _, sp := range f.SharePoint {
		observed, ok := o.Farm(sp.FrontEnd.Host)
		for _, s := range sp.Servers {
			ok = ok && slices.ContainsFunc(observed.Servers, func(seen SharePointServer) bool { return seen.Machine.Host == s.Host })
		}
		if !ok {
			return false
		}
	}
	return true
}

// Named returns the certificates that a friendly name can select on the server:
// archived ones are not found, and there should be one. Whether Office Online
// Server minds the case of a name is unknown, so names that differ in nothing else
// are one name, as they are for the scripts.
func (s OfficeServer) Named(name string) []StoreCertificate {
	return slices.DeleteFunc(slices.Clone(s.Certificates), func(c StoreCertificate) bool {
		return name == "" || c.Archived || !strings.EqualFold(c.FriendlyName, name)
	})
}

// Current returns the certificate that the S2S settings of the office farms name on
// their masters. It returns false, and guesses nothing, when no setting names one,
// when a name selects several certificates, and when the office farms differ. An
// office farm whose setting names none does not count; see [Check].
func (o Observed) Current() (StoreCertificate, bool) {
	var current StoreCertificate
	for _, master := range o.Masters() {
		named := master.Named(master.Settings.S2SCertificateName)
		switch {
		case !master.Joined || len(named) == 0:
		case len(named) > 1, current.Thumbprint != "" && current.Thumbprint != named[0].Thumbprint:
			return StoreCertificate{}, false
		default:
			current = named[0]
		}
	}
	return current, current.Thumbprint != ""
}

// Selected returns the one certificate that the farm's S2S setting names on this
// server; false when the setting is empty or unknown, or not exactly one
// certificate has that name.
func (s OfficeServer) Selected() (StoreCertificate, bool) {
	named := s.Named(s.Settings.S2SCertificateName)
	if !s.Joined || len(named) != 1 {
		return StoreCertificate{}, false
	}
	return named[0], true
}

// StoppedServices names the services that do not run and without which the server
// serves nobody.
func (s OfficeServer) StoppedServices() []string {
	return stopped(s.Service, s.Activation, s.WebServer)
}

// StoppedServices names the services that do not run and without which the server
// serves nobody, or works with outdated trust.
func (s SharePointServer) StoppedServices() []string {
	return stopped(s.Timer, s.Activation, s.WebServer)
}

// stopped names those services of a list that do not run. One without a name was
// not observed.
func stopped(services ...Service) []string {
	var names []string
	for _, s := range services {
		if s.Name != "" && !s.Running {
			names = append(names, s.Name)
		}
	}
	return names
}

// Farm returns what was observed of the SharePoint farm that has this front end.
func (o Observed) Farm(frontEnd string) (SharePointFarm, bool) {
	return findFirst(o.SharePoint, func(f SharePointFarm) bool { return f.FrontEnd == frontEnd })
}

// Server returns what was observed of a server of the farm; the zero value when it
// was not observed.
func (f SharePointFarm) Server(host string) SharePointServer {
	s, _ := findFirst(f.Servers, func(s SharePointServer) bool { return s.Machine.Host == host })
	return s
}

// HasMember reports whether a computer is one of the farm's servers.
func (f SharePointFarm) HasMember(name string) bool {
	return slices.ContainsFunc(f.Members, func(m string) bool { return SameMachine(m, name) })
}

// Issuer returns the token issuer with this registered name, whatever its display
// name. SharePoint ignores case in registered names.
func (f SharePointFarm) Issuer(registeredName string) (TokenIssuer, bool) {
	return findFirst(f.Issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.RegisteredName, registeredName) })
}

// Trusts reports whether a root authority holds the certificate, under any name.
func (f SharePointFarm) Trusts(t Thumbprint) bool {
	return slices.ContainsFunc(f.RootAuthorities, func(a RootAuthority) bool { return a.Thumbprint == t })
}

// Permission returns what an app principal may do, seen from a site; the zero
// value when that was not observed.
func (f SharePointFarm) Permission(site, registeredName string) AppPermission {
	p, _ := findFirst(f.Permissions, func(p AppPermission) bool {
		return p.Site == site && strings.EqualFold(p.RegisteredName, registeredName)
	})
	return p
}

// TrustChangedAt returns when farmtrust last set an issuer's certificate; zero when
// it never did.
func (f SharePointFarm) TrustChangedAt() time.Time {
	var since time.Time
	for _, i := range f.Issuers {
		if i.ChangedAt.After(since) {
			since = i.ChangedAt
		}
	}
	return since
}

func findFirst[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}

// allMachines lists every server once, office servers first.
func (o Observed) allMachines() []Machine {
	var out []Machine
	for _, s := range o.Office {
		out = append(out, s.Machine)
	}
	for _, f := range o.SharePoint {
		for _, s := range f.Servers {
			out = append(out, s.Machine)
		}
	}
	return out
}

// maxComputerName is the length of a computer name, which is the first part of the
// DNS host name, cut off.
// Source: Microsoft, "Naming conventions in Active Directory for computers, domains,
// sites, and OUs".
const maxComputerName = 15

// SameMachine reports whether two names belong to one machine. The products use
// computer names in some places and DNS names in others.
func SameMachine(one, other string) bool {
	one, _, _ = strings.Cut(one, ".")
	other, _, _ = strings.Cut(other, ".")
	if len(one) > len(other) {
		one, other = other, one
	}
	if len(one) == maxComputerName {
		other = other[:maxComputerName]
	}
	return one != "" && strings.EqualFold(one, other)
}

// HasMachine reports whether a computer is one of the farm's machines.
func (f OfficeFarm) HasMachine(name string) bool {
	return slices.ContainsFunc(f.Machines, func(m string) bool { return SameMachine(m, name) })
}

// FormatTime is how operators read every time: to the minute, in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
