package farm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How far a request to a server's own site gets, worst first. A server that was
// not well before a restart must get at least as far after it.
const (
	// notReached: nothing listens, so nothing is known of the site.
	notReached = iota
	// noResponse: something listens, and no HTTP response comes of it.
	noResponse
	// notTrusted: TLS works, but the certificate is not one for the name.
	notTrusted
	// responds: there is an HTTP response.
	responds
)

// notReachedBy are the names of WebExceptionStatus, and of our own, that say that a
// request did not reach anything. Without a name nothing was asked.
var notReachedBy = []string{"", "NotJoined", "ConnectFailure", "NameResolutionFailure", "ProxyNameResolutionFailure", "UnknownError"}

func (d Discovery) depth() int {
	switch {
	case d.Status != 0:
		return responds
	case d.Problem == "TrustFailure":
		return notTrusted
	case slices.Contains(notReachedBy, d.Problem):
		return notReached
	}
	return noResponse
}

// IsReached reports whether something on the server accepted the request.
func (d Discovery) IsReached() bool { return d.depth() > notReached }

// IsServed reports whether a site responded. A refusal is a response, as no
// request has credentials; an error of the server is none.
func (d Discovery) IsServed() bool {
	const firstServerError = 500
	return d.Status > 0 && d.Status < firstServerError
}

const statusOK = 200

// IsAsGoodAs reports whether /hosting/discovery responds as it should, or at least
// as it did before, where that was accepted: the same status, the same problem, or
// something better. Nothing is as good as a server that was not reached: that would
// be no comparison, so only the right response will do.
func (d Discovery) IsAsGoodAs(before Discovery) bool {
	switch {
	case d.Status == statusOK:
		return true
	case before.Status == statusOK || !before.IsReached():
		return false
	case d.depth() != before.depth():
		return d.depth() > before.depth()
	}
	return d.Status == before.Status && d.Problem == before.Problem
}

// String says how a server responded, as operators read it.
func (d Discovery) String() string {
	if d.Status != 0 {
		return fmt.Sprintf("%s responds %d", d.URL, d.Status)
	}
	return strings.TrimSpace(fmt.Sprintf("%s gives no response: %s", d.URL, d.Problem))
}

// unread is the trouble with a server of which only the machine was observed.
const unread = "its services could not be read"

// WhyUnhealthy says why the server does not serve as it should, or as it did
// before; empty when it does. Health is left out on purpose: it covers the last ten
// minutes, and is often "Unhealthy" for no reason.
func (s OfficeServer) WhyUnhealthy(before OfficeServer) string {
	if s.Service.Name == "" {
		return unread
	}
	if stopped := s.StoppedServices(); len(stopped) > 0 {
		return notRunning(stopped, s.LastErrors)
	}
	if s.Discovery.IsAsGoodAs(before.Discovery) {
		return ""
	}
	why := s.Discovery.String()
	if before.Discovery.IsReached() && before.Discovery.Status != statusOK {
		why += fmt.Sprintf(" (before the rotation: %s)", before.Discovery)
	}
	return withLastErrors(why, s.LastErrors)
}

// WhyUnhealthy says why the server does not serve the sites that it served before;
// empty when it does.
func (s SharePointServer) WhyUnhealthy(before SharePointServer) string {
	if s.Timer.Name == "" {
		return unread
	}
	if stopped := s.StoppedServices(); len(stopped) > 0 {
		return notRunning(stopped, s.LastErrors)
	}
	var missing []string
	for _, site := range before.Sites {
		now, _ := findFirst(s.Sites, func(d Discovery) bool { return d.URL == site.URL })
		if site.IsServed() && !now.IsServed() {
			now.URL = site.URL
			missing = append(missing, now.String())
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return withLastErrors(strings.Join(missing, ", "), s.LastErrors)
}

// ServesAny reports whether the server responded for one of the sites.
func (s SharePointServer) ServesAny() bool { return slices.ContainsFunc(s.Sites, Discovery.IsServed) }

func withLastErrors(text string, lastErrors []string) string {
	if len(lastErrors) == 0 {
		return text
	}
	return text + "; last errors of its event logs: " + strings.Join(lastErrors, "; ")
}

// Starts are when the services started by the server's own clock, in which they do
// not move between two observations.
func (s OfficeServer) Starts() []time.Time {
	return s.Machine.ownTimes(s.Service, s.WebServer, s.Activation)
}

// Starts are when the services started by the server's own clock.
func (s SharePointServer) Starts() []time.Time {
	return s.Machine.ownTimes(s.Timer, s.WebServer, s.Activation)
}

func (m Machine) ownTimes(services ...Service) []time.Time {
	var starts []time.Time
	for _, s := range services {
		at := s.StartedAt
		if !at.IsZero() {
			at = at.Add(m.Skew)
		}
		starts = append(starts, at)
	}
	return starts
}
