package model

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// SharePointSpec describes a SharePoint farm.
type SharePointSpec struct {
	Name string
	// Version is the build, such as "16.0.4456.1000".
	Version string
	// Servers are the hosts of its machines.
	Servers []string
	// Sites are its top-level site collections.
	Sites []string
	// WithoutSites are the hosts that do not have the sites' web applications.
	WithoutSites []string
	// UserProfileServices counts the User Profile service applications, and
	// UserProfileProxies the proxies to those of other farms. NotProxied are the
	// sites whose web application has none of their proxies in its group.
	UserProfileServices, UserProfileProxies int
	NotProxied                              []string
	// NoAppManagement and NoSubscriptionSettings are farms without the services
	// that hold app permissions.
	NoAppManagement, NoSubscriptionSettings bool
	// AllowOAuthOverHTTP is the setting of the security token service; off is the
	// product's default.
	AllowOAuthOverHTTP bool
	// RemoteSQL puts the configuration database on another machine, which a
	// session reaches only with Delegation and Kerberos, and a scheduled task
	// with the credentials of its account.
	RemoteSQL, Delegation bool
	// Issuers, Authorities and Permissions are what it trusts already; the
	// permissions by registered name.
	Issuers     []TokenIssuer
	Authorities []RootAuthority
	Permissions map[string]AppPermission
}

type sharePointFarm struct {
	SharePointSpec

	machines []*machine
	// history is the trust after each change, oldest first: a server that was
	// not restarted since still uses an earlier one.
	history     []trust
	permissions map[string]AppPermission
	sql         SQLRefusal
	// sqlAwayUntil is when the farm's SQL Server answers again; see [SQLAway].
	sqlAwayUntil time.Time
}

// trust is what a farm trusts at a time.
type trust struct {
	at          time.Time
	issuers     []TokenIssuer
	authorities []RootAuthority
}

// TokenIssuer is an SPTrustedSecurityTokenService.
type TokenIssuer struct {
	Name, RegisteredIssuerName, Description string
	TrustBroker                             bool
	Certificate                             []byte
}

// Thumbprint is that of the signing certificate.
func (i TokenIssuer) Thumbprint() farm.Thumbprint { return farm.ThumbprintOf(i.Certificate) }

// RootAuthority is an SPTrustedRootAuthority.
type RootAuthority struct {
	Name        string
	Certificate []byte
}

// Thumbprint is that of its certificate.
func (a RootAuthority) Thumbprint() farm.Thumbprint { return farm.ThumbprintOf(a.Certificate) }

// AppPermission is what an app principal may do.
type AppPermission struct {
	Right   string `json:"right"`
	AppOnly bool   `json:"appOnly"`
}

// NewSharePointFarm makes a farm that has trusted what it trusts since its
// machines started. local is the certificate of its built-in root authority.
func (w *World) NewSharePointFarm(spec SharePointSpec, local []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &sharePointFarm{SharePointSpec: spec, permissions: map[string]AppPermission{}}
	for _, host := range spec.Servers {
		m, err := w.findMachine(host)
		if err != nil {
			return fmt.Errorf("new SharePoint farm %s: %w", spec.Name, err)
		}
		m.addIIS()
		m.addService(SPTimerV4)
		f.machines = append(f.machines, m)
	}
	f.history = []trust{{
		issuers:     slices.Clone(spec.Issuers),
		authorities: append([]RootAuthority{{Name: "local", Certificate: local}}, spec.Authorities...),
	}}
	maps.Copy(f.permissions, spec.Permissions)
	w.sharePoint = append(w.sharePoint, f)
	return nil
}

func (w *World) sharePointFarm(m *machine) *sharePointFarm {
	i := slices.IndexFunc(w.sharePoint, func(f *sharePointFarm) bool { return slices.Contains(f.machines, m) })
	if i < 0 {
		return nil
	}
	return w.sharePoint[i]
}

// configured is what the configuration database holds.
func (f *sharePointFarm) configured() trust { return f.history[len(f.history)-1] }

// changeTrust makes a new state of the trust.
func (f *sharePointFarm) changeTrust(now time.Time, edit func(*trust)) {
	next := f.configured()
	next.at = now
	next.issuers = slices.Clone(next.issuers)
	next.authorities = slices.Clone(next.authorities)
	edit(&next)
	f.history = append(f.history, next)
}

// loadedBy is what a process uses that started at a time.
func (f *sharePointFarm) loadedBy(since, now time.Time, propagation time.Duration) trust {
	seen := now.Add(-propagation)
	if since.After(seen) {
		seen = since
	}
	for _, t := range slices.Backward(f.history) {
		if !t.at.After(seen) {
			return t
		}
	}
	return f.history[0]
}

// usesSnapIn says that the farm's cmdlets are those of the snap-in, up to 2019.
func (f *sharePointFarm) usesSnapIn() bool {
	var major, minor, build int
	if _, err := fmt.Sscanf(f.Version, "%d.%d.%d", &major, &minor, &build); err != nil {
		return true
	}
	return build <= lastSnapInBuild
}

// lastSnapInBuild is where SharePointDsc draws the line between the snap-in
// and the module SharePointServer.
const lastSnapInBuild = 12999

// SharePoint is the SharePoint shell in a session.
type SharePoint struct{ s *Session }

// SharePoint loads the snap-in or the module. That always succeeds; cmdlets
// that need the farm fail if the session cannot reach its database.
func (s *Session) SharePoint() SharePoint { return SharePoint{s} }

// Edition is how SharePoint's cmdlets come.
type Edition string

// How SharePoint's cmdlets may come.
const (
	NoSharePoint Edition = ""
	// SnapIn is that of SharePoint up to 2019, Module that of Subscription
	// Edition.
	SnapIn Edition = "snap-in"
	Module Edition = "module"
)

// SharePointEdition is that on the machine.
func (s *Session) SharePointEdition() (edition Edition, err error) {
	err = s.perform(func(time.Time) error {
		switch f := s.world.sharePointFarm(s.m); {
		case f == nil:
		case f.usesSnapIn():
			edition = SnapIn
		default:
			edition = Module
		}
		return nil
	})
	return edition, err
}

// SharePointVersion is that of SharePoint's program files; empty when there
// are none.
func (s *Session) SharePointVersion() (version string, err error) {
	err = s.perform(func(time.Time) error {
		if f := s.world.sharePointFarm(s.m); f != nil {
			version = f.Version
		}
		return nil
	})
	return version, err
}

const cmdletClass = "Microsoft.SharePoint.PowerShell.SPCmdlet"

// onMember runs an operation of a cmdlet whose class ends in cmdlet.
func (p SharePoint) onFarm(cmdlet string, operation func(f *sharePointFarm, now time.Time) error) error {
	return p.s.perform(func(now time.Time) error {
		f := p.s.world.sharePointFarm(p.s.m)
		if f == nil || p.s.logon.Filtered || !p.reachesSQL(f) || f.sql != SQLAdmits || f.isSQLAway(now) {
			p.s.world.countRule(RuleSecondHop)
			return invalidOperationError(cmdletClass+cmdlet, "Cannot access the local farm. Verify that the local farm is "+
				"properly configured, currently available, and that you have the appropriate permissions to access the "+
				"database before trying again.")
		}
		return operation(f, now)
	})
}

func (p SharePoint) reachesSQL(f *sharePointFarm) bool {
	switch {
	case !f.RemoteSQL:
		return true
	case p.s.logon.Auth == Batch:
		p.s.world.countRule(RuleBatchLogon)
		return true
	}
	return f.Delegation && p.s.logon.Auth == Kerberos
}

// SharePointFarm is what Get-SPFarm and Get-SPServer tell of a farm.
type SharePointFarm struct {
	Version string
	// Servers are the computer names.
	Servers []string
}

// GetFarm is Get-SPFarm.
func (p SharePoint) GetFarm() (found SharePointFarm, err error) {
	err = p.onFarm("GetFarm", func(f *sharePointFarm, _ time.Time) error {
		found = SharePointFarm{Version: f.Version}
		for _, m := range f.machines {
			found.Servers = append(found.Servers, m.name)
		}
		return nil
	})
	return found, err
}

// SharePointServer is an SPServer.
type SharePointServer struct{ Name, Role string }

// GetServer is Get-SPServer.
func (p SharePoint) GetServer() (found []SharePointServer, err error) {
	f, err := p.GetFarm()
	for _, name := range f.Servers {
		found = append(found, SharePointServer{Name: name, Role: "Custom"})
	}
	return found, err
}

// NoObject is how a cmdlet says that its identity names nothing; cmdlet is the
// end of its class.
func (p SharePoint) NoObject(cmdlet string) error {
	return p.onFarm(cmdlet, func(*sharePointFarm, time.Time) error { return p.noObject(cmdlet) })
}

func (p SharePoint) noObject(cmdlet string) error {
	p.s.world.countRule(RulePipeBind)
	return invalidOperationError(cmdletClass+cmdlet, "A valid object could not be read from the provided pipebind parameter.")
}

// duplicateName words a duplicate name as SharePoint words it for persisted
// objects in general, two blanks included.
func duplicateName(cmdlet, kind, name string) error {
	return invalidOperationError(cmdletClass+cmdlet, fmt.Sprintf("An object of the type %s named %q already exists under the "+
		"parent Microsoft.SharePoint.Administration.SPTrustedRootAuthorityManager named \"\".  Rename your object or "+
		"delete the existing object.", kind, name))
}
