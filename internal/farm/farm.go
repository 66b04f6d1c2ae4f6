// Package farm is the vocabulary of the trust between an Office Online Server
// farm and the SharePoint farms that use it, and the comparison of what is
// desired with what was observed.
//
// It imports no other package of this module, and it is pure: nothing here reads
// a clock, a file, the network or a map in an order that matters. Windows are the
// exception: [ParseWindow] and [Window.Next] read the time zone database.
package farm

import (
	"slices"
	"time"
)

// Farm is what shares one S2S certificate, as configured: SharePoint farms and the
// Office Online Server farm that they trust, or several such office farms. It names connections, never credentials, so it may travel
// through workflow history.
type Farm struct {
	Name        string            `json:"name"`
	Office      Office            `json:"office"`
	SharePoint  []SharePoint      `json:"sharePoint"`
	Certificate CertificatePolicy `json:"certificate"`
	Rotation    RotationPolicy    `json:"rotation"`
	// LeftOut are the hosts of office servers that a run leaves out from the start: see
	// [Farm.LeaveOut]. Nobody configures them.
	LeftOut []string `json:"leftOut,omitempty"`
}

// Server is a machine that scripts run on.
type Server struct {
	// Host is the DNS name, which stands in reports, in the server's WinRM
	// certificate and in the Kerberos service principal.
	Host string `json:"host"`
	// Address is where to connect, host:port; empty means Host and port 5986.
	Address string `json:"address,omitempty"`
	// Connection names an entry under connections in the configuration.
	Connection string `json:"connection"`
}

// Office is an office farm: a farm of Office Online Server.
type Office struct {
	// Name tells an office farm from the first one, whose name is empty.
	Name    string   `json:"name,omitempty"`
	Servers []Server `json:"servers"`
	// AllowOutboundHTTP and AllowHTTPSecureStoreConnections are the two HTTP
	// settings of the procedure. Nil means not configured: the setting is neither
	// changed nor compared.
	AllowOutboundHTTP               *bool `json:"allowOutboundHttp,omitempty"`
	AllowHTTPSecureStoreConnections *bool `json:"allowHttpSecureStoreConnections,omitempty"`
	// ProveKeyAs is the account whose signature proves that the key works.
	ProveKeyAs KeyProof `json:"proveKeyAs"`
	// Others are further office farms that the same SharePoint farms trust, such as
	// one at a disaster recovery site. SharePoint knows all of them by the same two
	// registered names, so that they must sign with one certificate.
	Others []Office `json:"others,omitempty"`
}

// KeyProof is the account that signs to prove that a key works.
type KeyProof string

const (
	// AsNetworkService signs in a one-shot scheduled task that runs as
	// S-1-5-20, the account that Office Online Server runs as.
	AsNetworkService KeyProof = "networkService"
	// AsAdministrator signs as the connected account and checks the access
	// control entry of S-1-5-20; for servers whose policy forbids scheduled
	// tasks.
	AsAdministrator KeyProof = "administrator"
)

// SharePoint is one SharePoint farm that trusts the office farm.
type SharePoint struct {
	// FrontEnd is the server that SharePoint cmdlets run on.
	FrontEnd Server `json:"frontEnd"`
	// Servers are all SharePoint servers of the farm, the front end included.
	Servers []Server `json:"servers"`
	// Sites are the URLs of top-level site collections; the app permission is
	// granted on the root web of each.
	Sites []string `json:"sites"`
	// IssuerName is the prefix of the names of issuers and root authorities that
	// are created: "OOS" gives "OOS SharePoint Server" and "OOS SQL Server".
	IssuerName string `json:"issuerName"`
	// RunAs is how SharePoint cmdlets reach SQL Server (the second hop).
	RunAs RunAs `json:"runAs"`
}

// RunAs is the identity under which SharePoint cmdlets run on the front end.
type RunAs string

const (
	// Direct runs them as the connected account: delegation is in place, or
	// SQL Server is on the front end itself.
	Direct RunAs = "direct"
	// Task runs them in a scheduled task that an administrator registered in
	// advance, under an account that reaches SQL Server.
	Task RunAs = "task"
)

// CertificatePolicy says what certificate the farm should have and when it
// needs a new one. Its source is named in the worker's configuration only.
type CertificatePolicy struct {
	// Name is the prefix of the friendly names that farmtrust gives.
	Name string `json:"name"`
	// LeadTime is how long before it expires a certificate should be replaced.
	LeadTime time.Duration `json:"leadTime"`
	// Exportable marks imported keys as exportable; by default they are not.
	Exportable bool `json:"exportable,omitempty"`
	// Expect pins what the certificate must be like.
	Expect Expectation `json:"expect,omitzero"`
	// Events match the expiry events that concern this farm's certificate.
	Events []EventMatch `json:"events,omitempty"`
}

// RotationPolicy is how a rotation proceeds.
type RotationPolicy struct {
	// Mode is whether anything is changed at all.
	Mode Mode `json:"mode,omitempty"`
	// AtOnce is the largest number of servers that are changed in parallel by
	// steps that users do not notice.
	AtOnce int `json:"atOnce"`
	// RestartAtOnce is the batch size of restarts after the canary.
	RestartAtOnce int `json:"restartAtOnce"`
	// Approval reports whether an operator must approve the cutover.
	Approval bool `json:"approval"`
	// FourEyes reports whether who approves must not be who asked for the run.
	FourEyes bool `json:"fourEyes,omitempty"`
	// HealthyWithin is how long a restarted server may take to become healthy, and
	// HealthyFor how long it must stay so before the next one is restarted.
	HealthyWithin time.Duration `json:"healthyWithin"`
	HealthyFor    time.Duration `json:"healthyFor"`
	// Window is when the cutover may begin; zero means any time.
	Window Window `json:"window,omitzero"`
	// OnFailure is what follows when the retries of a step run out.
	OnFailure OnFailure `json:"onFailure"`
	// DecisionTimeout is how long a blocked step waits for an operator before
	// the rotation is rolled back.
	DecisionTimeout time.Duration `json:"decisionTimeout"`
	// ApprovalTimeout is how long a rotation waits for an approval before it ends,
	// and begins again with a fresh plan.
	ApprovalTimeout time.Duration `json:"approvalTimeout"`
	// KeepOldFor is how long the previous certificate is kept after a rotation.
	KeepOldFor time.Duration `json:"keepOldFor"`
	// InspectionInterval is how often the controller inspects the farm.
	InspectionInterval time.Duration `json:"inspectionInterval"`
	// WatchInterval is how often the controller looks what the SharePoint farms trust.
	WatchInterval time.Duration `json:"watchInterval,omitempty"`
}

// OnFailure is what follows when the retries of a step run out.
type OnFailure string

const (
	// OnFailurePause blocks the step until an operator decides.
	OnFailurePause OnFailure = "pause"
	// OnFailureRollBack rolls the rotation back at once.
	OnFailureRollBack OnFailure = "rollback"
)

// HasHTTPSettings reports whether either of the two HTTP settings is configured.
func (o Office) HasHTTPSettings() bool {
	return o.AllowOutboundHTTP != nil || o.AllowHTTPSecureStoreConnections != nil
}

// Offices lists the office farms in configured order, the first included.
func (f Farm) Offices() []Office { return append([]Office{f.Office}, f.Office.Others...) }

// OfficeOf returns the office farm that an office server belongs to.
func (f Farm) OfficeOf(host string) (Office, bool) {
	return findFirst(f.Offices(), func(o Office) bool { return slices.Contains(o.Hosts(), host) })
}

// Hosts lists the servers of one office farm in configured order.
func (o Office) Hosts() []string {
	var hosts []string
	for _, s := range o.Servers {
		hosts = append(hosts, s.Host)
	}
	return hosts
}

// OfficeHosts lists the servers of all office farms in configured order.
func (f Farm) OfficeHosts() []string {
	var hosts []string
	for _, o := range f.Offices() {
		hosts = append(hosts, o.Hosts()...)
	}
	return hosts
}

// FrontEnds lists the front ends of the SharePoint farms in configured order.
func (f Farm) FrontEnds() []string {
	var hosts []string
	for _, sp := range f.SharePoint {
		hosts = append(hosts, sp.FrontEnd.Host)
	}
	return hosts
}

// IsFrontEnd reports whether a host is the front end of a SharePoint farm.
func (f Farm) IsFrontEnd(host string) bool { return slices.Contains(f.FrontEnds(), host) }

// SharePointHosts lists all SharePoint servers, farm by farm.
func (f Farm) SharePointHosts() []string {
	var hosts []string
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			hosts = append(hosts, s.Host)
		}
	}
	return hosts
}

// SharePointServers lists the servers of the SharePoint farm that has this front
// end; nothing when none is configured.
func (f Farm) SharePointServers(frontEnd string) []Server {
	sp, _ := findFirst(f.SharePoint, func(sp SharePoint) bool { return sp.FrontEnd.Host == frontEnd })
	return sp.Servers
}

// FrontEndOf returns the front end of the SharePoint farm that a server belongs to;
// empty when it belongs to none.
func (f Farm) FrontEndOf(host string) string {
	sp, _ := findFirst(f.SharePoint, func(sp SharePoint) bool {
		return slices.ContainsFunc(sp.Servers, func(s Server) bool { return s.Host == host })
	})
	return sp.FrontEnd.Host
}

// OfficeServer returns the configured office server named host.
func (f Farm) OfficeServer(host string) (Server, bool) {
	office, _ := f.OfficeOf(host)
	return findFirst(office.Servers, func(s Server) bool { return s.Host == host })
}

// What [Farm.CutoverEstimate] adds up. Both are guesses on the safe side: nothing
// is published about how long restarts take.
const (
	settingsTime = 10 * time.Minute
	restartTime  = 3 * time.Minute
)

// CutoverEstimate estimates how long a cutover takes: the change of settings, plus
// all restarts that run one after another, with the time that each server must stay
// healthy.
func (f Farm) CutoverEstimate() time.Duration {
	longest := 0
	for _, sp := range f.SharePoint {
		longest = max(longest, len(sp.Servers))
	}
	batches, size := 0, max(f.Rotation.RestartAtOnce, 1)
	for i, office := range f.Offices() {
		alone := min(len(office.Servers), 1) // the master, last
		if i == 0 {
			alone = min(len(office.Servers), 2) // and the canary
		}
		batches += alone + (len(office.Servers)-alone+size-1)/size
	}
	return settingsTime + time.Duration(longest+batches)*(restartTime+f.Rotation.HealthyFor)
}
