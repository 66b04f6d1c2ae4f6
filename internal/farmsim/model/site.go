package model

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// HostEntry is what a machine's DNS says of it.
type HostEntry struct {
	Name      string
	Addresses []string
}

// HostEntry is the machine's own name and addresses.
func (s *Session) HostEntry() (entry HostEntry, err error) {
	err = s.perform(func(time.Time) error {
		number := slices.Index(s.world.machines, s.m) + 1
		entry = HostEntry{Name: s.m.Host, Addresses: []string{fmt.Sprintf("10.0.0.%d", number)}}
		return nil
	})
	return entry, err
}

// SiteResponse is an HTTP status, or 0 and the name of a WebExceptionStatus.
type SiteResponse struct {
	Status  int
	Problem string
}

// The problems of requests that get no response.
const (
	connectFailure = "ConnectFailure"
	trustFailure   = "TrustFailure"
	requestTimeout = "Timeout"
)

// RequestSite sends a request for a URL to the machine's own web server.
func (s *Session) RequestSite(address string) (r SiteResponse, err error) {
	err = s.perform(func(now time.Time) error {
		wanted, err := url.Parse(address)
		if err != nil {
			return fmt.Errorf("request %q: %w", address, err)
		}
		r = s.world.respondTo(s.m, wanted, now)
		return nil
	})
	return r, err
}

// respondTo is how a machine responds to a request for a URL.
func (w *World) respondTo(m *machine, wanted *url.URL, now time.Time) SiteResponse {
	if m.broken != nil {
		return *m.broken
	}
	member, sites := w.findMember(m), w.sharePointFarm(m)
	switch {
	case member != nil:
		return w.respondAsOffice(member, wanted, now)
	case sites != nil && sites.serves(m, wanted):
		return w.respondAsSharePoint(sites, m, now)
	}
	return SiteResponse{Problem: connectFailure}
}

func (w *World) respondAsOffice(member *officeMember, wanted *url.URL, now time.Time) SiteResponse {
	m := member.m
	status, problem := w.answerHTTP(m, now)
	secure := wanted.Scheme == "https"
	switch {
	case problem != "":
		return SiteResponse{Problem: problem}
	case secure == member.settings.AllowHTTP:
		return SiteResponse{Problem: connectFailure} // There is no binding for it.
	case secure && !member.farm.isNamed(wanted.Hostname()):
		w.countRule(RuleFarmNameOnly)
		return SiteResponse{Problem: trustFailure}
	case wanted.Path != "/hosting/discovery":
		return SiteResponse{Status: notFound}
	}
	agent := m.services[WACSM]
	if status == succeeded && (!agent.running || now.Sub(agent.since) < w.policy.WarmUp) {
		status = serviceUnavailable
	}
	return SiteResponse{Status: status}
}

// isNamed reports whether the certificate of the farm's sites has a name.
func (f *officeFarm) isNamed(name string) bool {
	return slices.ContainsFunc(f.certificateNames, func(n string) bool { return strings.EqualFold(n, name) })
}

// serves reports whether a machine has the web application of a site.
func (f *sharePointFarm) serves(m *machine, wanted *url.URL) bool {
	if slices.Contains(f.WithoutSites, m.Host) {
		return false
	}
	return slices.ContainsFunc(f.Sites, func(site string) bool {
		served, err := url.Parse(site)
		return err == nil && served.Scheme == wanted.Scheme && strings.EqualFold(served.Host, wanted.Host)
	})
}

func (w *World) respondAsSharePoint(f *sharePointFarm, m *machine, now time.Time) SiteResponse {
	status, problem := w.answerHTTP(m, now)
	switch {
	case problem != "":
		return SiteResponse{Problem: problem}
	case !m.isPoolDown(now) && status == serviceUnavailable:
		w.countRule(RuleSiteCold)
		return SiteResponse{Problem: requestTimeout}
	case status != succeeded:
		return SiteResponse{Status: status}
	case f.isSQLAway(now):
		w.countRule(RuleSQLAway)
		return SiteResponse{Status: serviceUnavailable}
	}
	return SiteResponse{Status: unauthorized} // No request has credentials.
}

// The HTTP statuses that only some sites answer with.
const (
	unauthorized = 401
	notFound     = 404
)

// NameOfficeSites gives the sites of every office farm a certificate with these
// names alone; none is a certificate that nothing trusts.
func (w *World) NameOfficeSites(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.offices {
		f.certificateNames = names
	}
}

// BreakSites makes a machine respond so to every request for a site, whatever
// runs on it; nil ends that.
func (w *World) BreakSites(host string, response *SiteResponse) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, err := w.findMachine(host)
	if err == nil {
		m.broken = response
	}
	return err
}

// farmHosts are the host names of a farm's URLs.
func (s OfficeSettings) farmHosts() []string {
	var hosts []string
	for _, address := range []string{s.InternalURL, s.ExternalURL} {
		if parsed, err := url.Parse(address); err == nil && parsed.Hostname() != "" {
			hosts = append(hosts, parsed.Hostname())
		}
	}
	return hosts
}
