package farm

import (
	"strconv"
	"strings"
)

// checkPowerShell stops below PowerShell 5.0, whose scripts can make objects by
// "::new", as the import does.
// Source: Microsoft, "What's New in PowerShell 5.0".
func checkPowerShell(_ Desired, o Observed) []Finding {
	const needed = 5
	var out []Finding
	for _, m := range o.allMachines() {
		first, _, _ := strings.Cut(m.PowerShell, ".")
		if major, err := strconv.Atoi(first); err == nil && major < needed {
			out = append(out, stopFinding("powershell-old", m.Host, "install Windows Management Framework 5.1",
				"runs PowerShell %s; the scripts need 5.0 or later", m.PowerShell))
		}
	}
	return out
}

// checkDiscovery stops where an office server is not well before anything is
// changed: after its restart nothing would show whether that did it.
func checkDiscovery(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		switch why := s.WhyUnhealthy(OfficeServer{}); {
		case !s.Joined || why == "":
		case !s.Discovery.IsReached():
			out = append(out, stopFinding("office-server-unreachable", s.Machine.Host, "start IIS (WAS, W3SVC), and see that its site is bound to that name and port",
				"does not serve its own users: %s", why))
		default:
			out = append(out, stopFinding("discovery-unhealthy", s.Machine.Host, s.Discovery.remedy(), "%s, not 200", why))
		}
	}
	return out
}

func (d Discovery) remedy() string {
	if d.depth() == notTrusted {
		return "give the site a certificate with that name which the server itself trusts (CertificateName), or accept that nothing more is seen of it after its restart"
	}
	return "see the event logs Application, System and Microsoft Office Web Apps, or accept that it responds no better after its restart"
}

// checkSharePointServices stops where a service that every SharePoint server needs
// does not run: after its restart, the server would be waited for in vain.
func checkSharePointServices(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		for _, s := range f.Servers {
			if stopped := s.StoppedServices(); len(stopped) > 0 {
				out = append(out, stopFinding("sharepoint-service-stopped", s.Machine.Host, "remove the cause, see that the service is not disabled, and start it",
					"%s", notRunning(stopped, s.LastErrors)))
			}
		}
	}
	return out
}

// checkSites stops where no server of a SharePoint farm serves any site, as then
// nothing shows when the next one may be restarted. One server that serves none may
// have another role.
func checkSites(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		var silent []Finding
		asked := 0
		for _, s := range f.Servers {
			if len(s.Sites) == 0 {
				continue
			}
			asked++
			if !s.ServesAny() {
				silent = append(silent, warnFinding("site-not-served", s.Machine.Host, "none, if it is not a front end: its restart is then waited for by its services alone",
					"serves none of the farm's sites: %s", describeAll(s.Sites)))
			}
		}
		if asked > 0 && len(silent) == asked {
			silent = []Finding{stopFinding("no-site-answers", f.FrontEnd, "see whether the sites are served under these names, with a certificate that the servers trust, or accept that restarts are waited for by services alone",
				"no server of the SharePoint farm serves a site; on %s: %s", f.Servers[0].Machine.Host, describeAll(f.Servers[0].Sites))}
		}
		out = append(out, silent...)
	}
	return out
}

func describeAll(responses []Discovery) string {
	var texts []string
	for _, d := range responses {
		texts = append(texts, d.String())
	}
	return strings.Join(texts, ", ")
}

// checkCertificateName warns of the certificate for HTTPS, which farmtrust does not
// renew: without it the whole of Office Online Server is down.
func checkCertificateName(d Desired, o Observed) []Finding {
	const remedy = "renew it with Set-OfficeWebAppsFarm -CertificateName, and restart every machine of the farm: farmtrust does not"
	var out []Finding
	current, _ := o.Current()
	for _, master := range o.Masters() {
		name := master.Settings.CertificateName
		https, ok := findFirst(master.Certificates, func(c StoreCertificate) bool {
			return name != "" && strings.EqualFold(c.FriendlyName, name) && !c.Archived
		})
		switch left := https.NotAfter.Sub(master.Machine.Clock); {
		case !ok:
		case https.Thumbprint == current.Thumbprint:
			out = append(out, warnFinding("certificate-name-shared", master.Machine.Host, remedy,
				"the certificate in use, %s, is also the one for HTTPS (CertificateName %q), which stays and expires on %s", https.Thumbprint.Short(), name, FormatTime(https.NotAfter)))
		case left < d.Farm.Certificate.LeadTime:
			out = append(out, warnFinding("certificate-name-shared", master.Machine.Host, remedy,
				"the certificate for HTTPS (CertificateName %q), %s, expires on %s", name, https.Thumbprint.Short(), FormatTime(https.NotAfter)))
		}
	}
	return out
}
