package farm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Inspection is what was found on a farm, without changing anything, and what a
// rotation would do about it.
type Inspection struct {
	Farm string `json:"farm"`
	// At is when the servers were observed, on the worker's clock.
	At time.Time `json:"at"`
	// Config is the farm as configured, without secrets.
	Config Farm `json:"config"`
	// Target is the certificate that a rotation would work towards.
	Target Certificate `json:"target"`
	// Current is the S2S certificate in use, empty before the first set-up.
	Current StoreCertificate `json:"current"`
	// Certificates are the identities of both, for events to be recognised by.
	Certificates []CertificateIdentity `json:"certificates,omitempty"`
	// Observed is what the servers showed, for a rotation to begin from; empty
	// unless all of them answered and Plan is not empty.
	Observed Observed          `json:"observed,omitzero"`
	Servers  []InspectedServer `json:"servers"`
	// Plan lists what a rotation would do, Findings what it would not.
	Plan     []Difference `json:"plan"`
	Findings []Finding    `json:"findings"`
	// RefreshDoubt says why a data refresh may fail; see [Observed.RefreshDoubt].
	RefreshDoubt string `json:"refreshDoubt,omitempty"`
	// Previewed is what was asked for instead of what a rotation would do; nil otherwise.
	Previewed *Preview `json:"previewed,omitempty"`
}

// InspectedServer is what one server answered.
type InspectedServer struct {
	Host    string  `json:"host"`
	Role    Role    `json:"role"`
	Machine Machine `json:"machine"`
	// Detail describes the product on the server: its version and health.
	Detail string `json:"detail,omitempty"`
	// Readable are the certificates whose keys Office Online Server can read: no other
	// can be restored.
	Readable []Thumbprint `json:"readable,omitempty"`
	// Problem says what happened and what to do; empty when the server answered.
	Problem string `json:"problem,omitempty"`
}

// AddServers adds how each configured server answered: what it showed, and its
// problem, by host, where it has one.
func (n *Inspection) AddServers(observed Observed, problems map[string]string) {
	for _, host := range n.Config.OfficeHosts() {
		s := observed.OfficeServer(host)
		n.Servers = append(n.Servers, InspectedServer{
			Host: host, Role: OfficeRole, Machine: s.Machine, Detail: s.describe(), Readable: s.readableCertificates(), Problem: problems[host],
		})
	}
	for i, sp := range n.Config.SharePoint {
		for j, server := range sp.Servers {
			s := observed.SharePoint[i].Servers[j]
			n.Servers = append(n.Servers, InspectedServer{
				Host: server.Host, Role: SharePointRole, Machine: s.Machine,
				Detail: observed.SharePoint[i].describeServer(s), Problem: problems[server.Host],
			})
		}
	}
}

// describe describes the product on an office server: its health and answer.
func (s OfficeServer) describe() string {
	switch {
	case s.Machine.Host == "" || !s.Machine.Elevated:
		return ""
	case !s.Joined:
		return "Office Online Server: " + s.WhyUnread()
	}
	parts := []string{fmt.Sprintf("Office Online Server, %s", s.Health)}
	if s.OfficeFarm != "" {
		parts = append(parts, "office farm "+s.OfficeFarm)
	}
	if SameMachine(s.Settings.Master, s.Machine.Name) {
		parts = append(parts, "master")
	}
	answer := s.Discovery.Problem
	if s.Discovery.Status != 0 {
		answer = strconv.Itoa(s.Discovery.Status)
	}
	return strings.Join(append(parts, "/hosting/discovery "+answer), ", ")
}

// describeServer describes the product on a server of the farm.
func (f SharePointFarm) describeServer(s SharePointServer) string {
	if s.Machine.Host == f.FrontEnd && f.Version != "" {
		return "SharePoint " + f.Version + ", front end"
	}
	return "SharePoint"
}

// Unobserved returns why the farm could not be compared: the problem of the first
// server that did not answer; empty when all of them did.
func (n Inspection) Unobserved() string {
	for _, s := range n.Servers {
		if s.Problem != "" {
			return s.Problem
		}
	}
	return ""
}

// RotationResult is how a rotation or a retirement ended: its report, and what
// the farm's controller keeps of it. In JSON the report's fields are inlined.
type RotationResult struct {
	Report
	// Snapshot is the state before the first change; nil when nothing was
	// changed.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
	// Settled reports whether the farm was verified, although the outcome is partial
	// because an operator has left servers out.
	Settled bool `json:"settled,omitempty"`
	// NotApproved reports whether the run ended because nobody approved it in time.
	// What it had staged is rolled back, unless an earlier rotation had changed more.
	NotApproved bool `json:"notApproved,omitempty"`
	// Cancelled reports whether the run was cancelled in Temporal: an operator wanted it
	// not to go on, so it must not begin again by itself.
	Cancelled bool `json:"cancelled,omitempty"`
	// Inspection is the farm as the run last observed it; nil when the run did
	// not end with an observation of every server.
	Inspection *Inspection `json:"inspection,omitempty"`
}
