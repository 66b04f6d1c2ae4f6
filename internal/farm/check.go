package farm

import (
	"fmt"
	"slices"
	"strings"
)

// Check lists what stands in the way of a rotation. A finding with severity
// [Stop] prevents it before anything is changed. Findings come in a fixed order.
func Check(d Desired, o Observed) []Finding {
	// An account without administrator rights sees almost nothing, and
	// everything would look missing.
	all := checkElevated(o)
	if len(all) > 0 {
		return all
	}
	for _, check := range []func(Desired, Observed) []Finding{
		checkJoined, checkMasters, checkMachinesConfigured, checkSharePointServersConfigured,
		checkPowerShell, checkDiscovery, checkSharePointServices, checkSites, checkOneForest,
		checkUserProfiles, checkPermissionServices, checkOAuthOverHTTP, checkIssuerRealms,
		checkValidByClock, checkFriendlyName, checkFriendlyNamesAgree, checkSubject, checkKeyProvider, checkCurrentKey, checkTargetEnd,
		checkS2SNames, checkOfficesAgree,
		checkIssuersUnique, checkIssuerName, checkOtherOwners, checkCertificateName, checkFIPSPolicy, checkClearText,
	} {
		all = append(all, check(d, o)...)
	}
	return all
}

// Stops returns the findings that stop a rotation.
func Stops(findings []Finding) []Finding {
	var out []Finding
	for _, f := range findings {
		if f.Severity == Stop {
			out = append(out, f)
		}
	}
	return out
}

func stopFinding(code, server, remedy, format string, args ...any) Finding {
	return Finding{Code: code, Severity: Stop, Server: server, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

func warnFinding(code, server, remedy, format string, args ...any) Finding {
	return Finding{Code: code, Severity: Warn, Server: server, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

func checkElevated(o Observed) []Finding {
	var out []Finding
	for _, m := range o.allMachines() {
		if !m.Elevated {
			out = append(out, stopFinding("not-elevated", m.Host, "use a domain account that is a local administrator, or set LocalAccountTokenFilterPolicy for a local one",
				"the connected account has no elevated token"))
		}
	}
	return out
}

func checkJoined(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		switch {
		case s.Joined:
		case !s.Service.Running:
			out = append(out, stopFinding("wacsm-stopped", s.Machine.Host,
				"remove the cause, and start the service; where its settings name a certificate that is not there, "+SettingsFileRemedy("the friendly name of one that is"),
				"%s, so its farm cannot be read", s.WhyUnread()))
		default:
			out = append(out, stopFinding("not-joined", s.Machine.Host, "join it to the farm, or remove it from the configuration", "is not in an Office Online Server farm"))
		}
	}
	return out
}

// SettingsFileRemedy says how to get WACSM running on a server whose copy of the
// farm's settings names a certificate that it cannot use: while the service is
// stopped, no cmdlet and no replication reaches that copy. The file's format is not
// documented; this is what public runbooks do. No name empties the setting.
func SettingsFileRemedy(name string) string {
	edit := "put " + name + " into"
	if name == "" {
		edit = "empty"
	}
	return fmt.Sprintf("%s the StringValue of S2SCertificateName in %s, then Start-Service WACSM", edit, settingsFile)
}

// checkMasters checks that the servers listed as one office farm are one, and its
// master among them.
func checkMasters(d Desired, o Observed) []Finding {
	var out []Finding
	for _, name := range o.OfficeFarms() {
		out = append(out, checkOneMaster(d, o, name)...)
	}
	return out
}

func checkOneMaster(d Desired, o Observed, officeFarm string) []Finding {
	var first OfficeServer
	for _, s := range o.OfficeServers(officeFarm) {
		switch {
		case !s.Joined:
		case first.Machine.Host == "":
			first = s
		case !SameMachine(s.Settings.Master, first.Settings.Master):
			return []Finding{stopFinding("masters-differ", s.Machine.Host, "list the servers of each Office Online Server farm apart: further farms go under office.others",
				"its master is %s, but that of %s is %s", s.Settings.Master, first.Machine.Host, first.Settings.Master)}
		}
	}
	if _, ok := o.Master(officeFarm); !ok && first.Machine.Host != "" {
		if d.isLeftOut(first.Settings.Master) {
			return []Finding{stopFinding("master-left-out", first.Machine.Host, "make another office server the master, with Set-OfficeWebAppsMachine -Master there, then leave the old one out",
				"its master %s is left out, and nothing can be set without the master", first.Settings.Master)}
		}
		return []Finding{stopFinding("master-not-configured", first.Machine.Host, "add the master to the servers of that office farm",
			"its master %s is not configured in the same office farm", first.Settings.Master)}
	}
	return nil
}

func checkMachinesConfigured(d Desired, o Observed) []Finding {
	var out []Finding
	for _, master := range o.Masters() {
		if !master.Joined {
			continue // its list of machines cannot be read
		}
		out = append(out, checkMachinesOf(d, master, o.OfficeServers(master.OfficeFarm))...)
	}
	return out
}

// isLeftOut reports whether a machine is one that the run leaves out.
func (d Desired) isLeftOut(machine string) bool {
	return slices.ContainsFunc(d.Farm.LeftOut, func(host string) bool { return SameMachine(host, machine) })
}

func checkMachinesOf(d Desired, master OfficeServer, configured []OfficeServer) []Finding {
	var out []Finding
	for _, name := range master.Settings.Machines {
		isConfigured := slices.ContainsFunc(configured, func(s OfficeServer) bool { return SameMachine(s.Machine.Name, name) })
		if !isConfigured && !d.isLeftOut(name) {
			out = append(out, stopFinding("machine-not-configured", name, "add it to office.servers, or to those of its office farm under office.others; otherwise it will not get the certificate",
				"is a machine of the Office Online Server farm, but is not configured"))
		}
	}
	for _, s := range configured {
		if s.Joined && !master.Settings.HasMachine(s.Machine.Name) {
			out = append(out, stopFinding("machine-not-in-farm", s.Machine.Host, "remove it from the servers of that office farm in the configuration, or join it to the farm",
				"is configured, but %s does not list it as a machine of the farm", master.Machine.Host))
		}
	}
	return out
}

func checkSharePointServersConfigured(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		for _, name := range f.Members {
			if !slices.ContainsFunc(f.Servers, func(s SharePointServer) bool { return SameMachine(s.Machine.Name, name) }) {
				out = append(out, stopFinding("sharepoint-server-not-configured", name, "add it to sharePoint.servers: it must be restarted to recognize the issuers",
					"is a server of the SharePoint farm of %s, but is not configured", f.FrontEnd))
			}
		}
	}
	return out
}

// checkOneForest checks the procedure's first prerequisite: Office Online
// Server and SharePoint are in the same Active Directory forest.
func checkOneForest(_ Desired, o Observed) []Finding {
	var out []Finding
	var first Machine
	for _, m := range o.allMachines() {
		switch {
		case m.Forest == "":
			out = append(out, warnFinding("forest-unknown", m.Host, "make sure that all servers are in the same Active Directory forest", "its Active Directory forest could not be read"))
		case first.Forest == "":
			first = m
		case !strings.EqualFold(m.Forest, first.Forest):
			out = append(out, stopFinding("forests-differ", m.Host, "server-to-server authentication needs one forest",
				"is in forest %s, but %s is in %s", m.Forest, first.Host, first.Forest))
		}
	}
	return out
}

func checkIssuersUnique(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		for _, i := range Issuers() {
			var names []string
			for _, t := range f.Issuers {
				if strings.EqualFold(t.RegisteredName, i.RegisteredName) {
					names = append(names, t.Name)
				}
			}
			if len(names) > 1 {
				out = append(out, stopFinding("issuers-ambiguous", f.FrontEnd, "remove all but one; which one SharePoint uses is not documented",
					"several trusted token issuers are registered for %s: %s", i.Product, strings.Join(names, ", ")))
			}
		}
	}
	return out
}

func checkIssuerName(d Desired, o Observed) []Finding {
	var out []Finding
	for _, sp := range d.Farm.SharePoint {
		f, _ := o.Farm(sp.FrontEnd.Host)
		for _, i := range Issuers() {
			if _, exists := f.Issuer(i.RegisteredName); exists {
				continue
			}
			for _, t := range f.Issuers {
				if strings.EqualFold(t.Name, sp.IssuerDisplayName(i)) && !hasOtherRealm(t) {
					out = append(out, stopFinding("issuer-name-taken", f.FrontEnd, "set another sharePoint.issuerName",
						"the name %q belongs to an issuer registered as %s", t.Name, t.RegisteredName))
				}
			}
		}
	}
	return out
}

// checkOtherOwners looks for what else is about to change a server.
func checkOtherOwners(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, m := range o.allMachines() {
		if m.PendingReboot {
			out = append(out, stopFinding("pending-reboot", m.Host, "reboot it before the rotation", "a reboot of Windows is pending"))
		}
		if strings.EqualFold(m.ConfigurationMode, "ApplyAndAutoCorrect") {
			out = append(out, stopFinding("dsc-auto-correct", m.Host, "set the Local Configuration Manager to ApplyAndMonitor for the rotation",
				"Desired State Configuration corrects settings automatically and may revert the rotation"))
		}
	}
	return out
}

// checkFIPSPolicy warns: SharePoint Server does not support the policy because it
// uses MD5 internally; how Office Online Server behaves under it is not
// documented.
// Source: Microsoft, "Federal Information Processing Standard security
// standards and SharePoint Server".
func checkFIPSPolicy(_ Desired, o Observed) []Finding {
	const remedy = "take the server out of the policy \"System cryptography: Use FIPS compliant algorithms\""
	var out []Finding
	for _, s := range o.Office {
		if s.Machine.FIPS {
			out = append(out, warnFinding("fips", s.Machine.Host, "if sign-in between the farms fails here, "+remedy,
				"the FIPS policy is enabled; whether Office Online Server works under it is not documented"))
		}
	}
	for _, f := range o.SharePoint {
		for _, s := range f.Servers {
			if s.Machine.FIPS {
				out = append(out, warnFinding("fips", s.Machine.Host, remedy, "the FIPS policy is enabled, which SharePoint Server does not support"))
			}
		}
	}
	return out
}

func checkClearText(d Desired, _ Observed) []Finding {
	allowed := func(setting func(Office) *bool) bool {
		return slices.ContainsFunc(d.Farm.Offices(), func(o Office) bool { v := setting(o); return v != nil && *v })
	}
	var out []Finding
	if allowed(func(o Office) *bool { return o.AllowOutboundHTTP }) {
		out = append(out, warnFinding("clear-text", "", "use HTTPS between Office Online Server and SharePoint",
			"allowOutboundHttp: OAuth tokens travel in clear text and can be intercepted and replayed"))
	}
	if allowed(func(o Office) *bool { return o.AllowHTTPSecureStoreConnections }) {
		out = append(out, warnFinding("clear-text", "", "store ODC files at HTTPS paths",
			"allowHttpSecureStoreConnections: ODC files, which may hold database passwords, travel in clear text"))
	}
	return out
}
