package farm

import (
	"fmt"
	"slices"
)

// RollbackPlan is how to roll back a rotation.
type RollbackPlan struct {
	// Reversals restore what the rotation changed, newest change first. They
	// touch nothing that another administrator changed.
	Reversals []Difference `json:"reversals"`
	// Conflicts are values that are neither the rotation's nor the snapshot's:
	// another administrator changed them since, and an operator must decide.
	Conflicts []Finding `json:"conflicts"`
	// Remaining are the rotation's changes that are not rolled back, and why.
	Remaining []Finding `json:"remaining"`
	// Proofs say what shows that nothing is left to roll back; nil while something is.
	Proofs []string `json:"proofs,omitempty"`
}

// Has reports whether a step is part of the plan on a server; an empty server means any.
func (p RollbackPlan) Has(step Step, server string) bool {
	return slices.ContainsFunc(p.Reversals, func(d Difference) bool { return d.Step == step && (server == "" || d.Server == server) })
}

// PlanRollback compares a rotation's snapshot with what is observed now. A value
// that the rotation set is restored from the snapshot, a value that equals the
// snapshot's needs nothing, and any other value is a conflict.
//
// A rotation that has only staged is rolled back by removing what it staged.
//
// If the rollback is blocked, nothing is rolled back, and Remaining says why. Where
// nothing but staging is to be rolled back, it does not matter whether the previous
// certificate can be used. LeftOut are office servers that do not count for that.
// Otherwise there are five things that a rollback cannot restore; the first four
// are listed in Remaining, by these codes:
//   - certificate-stays: what makes usable a certificate that the settings named
//     before, although it was deleted or archived;
//   - friendly-name-stays: a certificate that had no friendly name keeps its new
//     one;
//   - key-stays: a certificate that had no key keeps the imported one;
//   - s2s-name-stays: an empty S2S name, if Office Online Server refuses to clear
//     it, which only the attempt shows;
//   - restarts that were pending before the rotation, which have happened by then.
func PlanRollback(s Snapshot, f Farm, now Observed, leftOut ...string) RollbackPlan {
	if s.Staged {
		return planUnstaging(s, f, now)
	}
	if why := s.RollbackBlocked(now); why != "" {
		return RollbackPlan{Remaining: []Finding{stopFinding("rollback-blocked", "", "rotate to a newer certificate instead", "%s", why)}}
	}
	s.Before = s.Before.GroupedAs(now)
	p := &rollbackPlanner{snapshot: s, farm: f, now: now}
	p.planIssuers()
	p.planHTTPSettings()
	p.planS2SNames()
	p.planReplication()
	p.planRestarts()
	p.planRootAuthorities()
	p.planKeys()
	p.planCertificates()
	unusable := slices.DeleteFunc(s.findUnusable(now), func(f Finding) bool { return slices.Contains(leftOut, f.Server) })
	if len(unusable) > 0 && p.plan.restoresCertificate() {
		return RollbackPlan{Remaining: []Finding{blockedAt(unusable[0])}}
	}
	p.plan.Proofs = p.prove()
	return p.plan
}

// planUnstaging plans the removal of what was staged, where nothing else was done. It
// restores nothing, so that it is always possible, and what someone else has changed
// since is not in its way.
func planUnstaging(s Snapshot, f Farm, now Observed) RollbackPlan {
	s.Before = s.Before.GroupedAs(now)
	p := &rollbackPlanner{snapshot: s, farm: f, now: now}
	p.planRootAuthorities()
	p.planKeys()
	p.planCertificates()
	var unused []Difference
	for _, d := range p.plan.Reversals {
		if !now.usesOn(d.Server, s.Target) {
			unused = append(unused, d)
			continue
		}
		p.plan.Remaining = append(p.plan.Remaining, warnFinding("certificate-stays", d.Server, "nothing needs to be done while it is in use",
			"the %s stays: another administrator has set the certificate since", d.Subject))
	}
	p.plan.Reversals = unused
	p.plan.Proofs = p.prove()
	return p.plan
}

// usesOn reports whether a server's farm is set to use a certificate: an office farm
// names it, or an issuer of a SharePoint farm holds it.
func (o Observed) usesOn(host string, c Certificate) bool {
	s := o.OfficeServer(host)
	if s.Machine.Host != "" {
		return s.namesS2S(c.FriendlyName)
	}
	f, _ := o.Farm(host)
	return slices.ContainsFunc(f.Issuers, func(i TokenIssuer) bool { return i.Thumbprint == c.Thumbprint })
}

type rollbackPlanner struct {
	snapshot Snapshot
	farm     Farm
	now      Observed
	plan     RollbackPlan
}

func (p *rollbackPlanner) addReversal(step Step, server, subject, have, want, format string, args ...any) {
	p.plan.Reversals = append(p.plan.Reversals, Difference{Step: step, Server: server, Subject: subject, Have: have, Want: want, Text: fmt.Sprintf(format, args...)})
}

func (p *rollbackPlanner) addConflict(server, format string, args ...any) {
	p.plan.Conflicts = append(p.plan.Conflicts, stopFinding("changed-since", server, "decide which value is right, set it, then retry", format, args...))
}

// addStays adds what stays because WACSM would not start with what was there before.
func (p *rollbackPlanner) addStays(host, subject string) {
	p.plan.Remaining = append(p.plan.Remaining, warnFinding("certificate-stays", host, "nothing needs to be done",
		"the %s is not as it was before: the certificate that S2SCertificateName named was absent or archived, and WACSM would not have started", subject))
}

func (p *rollbackPlanner) planIssuers() {
	for _, sp := range p.farm.SharePoint {
		before, _ := p.snapshot.Before.Farm(sp.FrontEnd.Host)
		now, _ := p.now.Farm(sp.FrontEnd.Host)
		for _, i := range slices.Backward(Issuers()) {
			p.planPermissions(sp, before, now, i)
			p.planIssuer(sp.FrontEnd.Host, before, now, i)
		}
	}
}

func (p *rollbackPlanner) planIssuer(frontEnd string, before, now SharePointFarm, i Issuer) {
	ours := p.snapshot.Target.Thumbprint
	was, existed := before.Issuer(i.RegisteredName)
	is, exists := now.Issuer(i.RegisteredName)
	switch {
	case exists == existed && is.Thumbprint == was.Thumbprint:
	case exists && is.Thumbprint != ours, !exists:
		p.addConflict(frontEnd, "the issuer of %s holds %s: neither the new certificate %s nor the one before, %s",
			i.Product, textOrNone(is.Thumbprint.Short()), ours.Short(), textOrNone(was.Thumbprint.Short()))
	case existed && len(was.Certificate) == 0:
		p.plan.Conflicts = append(p.plan.Conflicts, stopFinding("nothing-to-restore", frontEnd, "set it there by hand, then retry",
			"the issuer %q (%s) had no certificate of its own before (a metadata address, perhaps), so there is none to restore", was.Name, i.Product))
	case existed:
		p.addReversal(StepRestoreIssuers, frontEnd, "issuer "+i.Product, ours.Short(), was.Thumbprint.Short(),
			"restore trusted token issuer %q (%s) to %s", is.Name, i.Product, was.Thumbprint.Short())
	default:
		p.addReversal(StepRestoreIssuers, frontEnd, "issuer "+i.Product, ours.Short(), "absent",
			"remove trusted token issuer %q (%s): this rotation created it", is.Name, i.Product)
	}
}

func (p *rollbackPlanner) planPermissions(sp SharePoint, before, now SharePointFarm, i Issuer) {
	for _, site := range sp.Sites {
		was, is := before.Permission(site, i.RegisteredName), now.Permission(site, i.RegisteredName)
		if is.Right == was.Right && is.AppOnly == was.AppOnly {
			continue
		}
		subject := "permission " + i.Product + " " + site
		if is.Right != FullControl || !is.AppOnly {
			p.addConflict(sp.FrontEnd.Host, "the app permission of %s at %s is %s: neither app-only full control nor the permission before, %s", i.Product, site, textOrNone(is.Right), textOrNone(was.Right))
			continue
		}
		p.addReversal(StepRestoreIssuers, sp.FrontEnd.Host, subject, FullControl+", app-only", textOrNone(was.Right),
			"restore the app permission of %s at %s to %s", i.Product, site, textOrNone(was.Right))
	}
}

// master returns the master of an office farm as it is observed now, and the
// settings of that farm before. Where no server can say which one it is, because
// their services are stopped, that is the master of the snapshot. It is false when
// that server was not observed.
func (p *rollbackPlanner) master(officeFarm string) (now OfficeServer, before OfficeFarm, ok bool) {
	was := p.snapshot.Before.GroupedAs(p.now)
	before, _ = was.SettingsOf(officeFarm)
	if now, ok = p.now.Master(officeFarm); ok {
		return now, before, true
	}
	master, _ := was.Master(officeFarm)
	now = p.now.OfficeServer(master.Machine.Host)
	return now, before, now.Machine.Host != ""
}

func (p *rollbackPlanner) planHTTPSettings() {
	for _, office := range p.farm.Offices() {
		if now, before, ok := p.master(office.Name); ok {
			p.planHTTPSettingsOf(p.snapshot.onlyAsked(office), before, now)
		}
	}
}

func (p *rollbackPlanner) planHTTPSettingsOf(office Office, before OfficeFarm, now OfficeServer) {
	for _, setting := range []struct {
		name     string
		want     *bool
		was, now bool
	}{
		{"AllowOutboundHttp", office.AllowOutboundHTTP, before.AllowOutboundHTTP, now.Settings.AllowOutboundHTTP},
		{"AllowHttpSecureStoreConnections", office.AllowHTTPSecureStoreConnections, before.AllowHTTPSecureStoreConnections, now.Settings.AllowHTTPSecureStoreConnections},
	} {
		if setting.want != nil && (!now.Joined || setting.now != setting.was) {
			p.addReversal(StepRestoreHTTPSettings, now.Machine.Host, setting.name, now.readable(fmt.Sprint(setting.now)), fmt.Sprint(setting.was),
				"set %s back to %t", setting.name, setting.was)
		}
	}
}

func (p *rollbackPlanner) planS2SNames() {
	for _, office := range p.farm.Offices() {
		if now, before, ok := p.master(office.Name); ok {
			p.planS2SName(now, before.S2SCertificateName)
			p.planVisible(StepRestoreS2SName, now)
		}
	}
}

func (p *rollbackPlanner) planS2SName(master OfficeServer, was string) {
	if p.snapshot.WasClearRefused(master.OfficeFarm) {
		p.plan.Remaining = append(p.plan.Remaining, warnFinding("s2s-name-stays", master.Machine.Host, "set another certificate's name and roll back again, if it must go",
			"S2SCertificateName stays %q, and with it that certificate on every office server, where others of its subject stay archived: Office Online Server refuses to have none", p.snapshot.Target.FriendlyName))
		return
	}
	is := master.Settings.S2SCertificateName
	switch {
	case master.namesS2S(was):
	case !master.Joined:
		p.addReversal(StepRestoreS2SName, master.Machine.Host, "S2SCertificateName", master.s2sName(), textOrNone(was),
			"set S2SCertificateName back to %s: what it is now is %s", textOrNone(was), master.s2sName())
	case is == "":
		p.plan.Conflicts = append(p.plan.Conflicts, stopFinding("changed-since", master.Machine.Host,
			fmt.Sprintf("set it there with Set-OfficeWebAppsFarm -S2SCertificateName %s -Force, then retry", quotePowerShell(was)),
			"S2SCertificateName is not set, as after an update that made the office farm new: before the rotation it was %q", was))
	case is != p.snapshot.Target.FriendlyName:
		p.addConflict(master.Machine.Host, "S2SCertificateName is %q: neither the new %q nor the one before, %q", is, p.snapshot.Target.FriendlyName, was)
	case was == "":
		p.addReversal(StepRestoreS2SName, master.Machine.Host, "S2SCertificateName", is, "none",
			"clear S2SCertificateName; whether Office Online Server accepts that is unknown, and if it does not, the name stays")
	default:
		p.addReversal(StepRestoreS2SName, master.Machine.Host, "S2SCertificateName", is, was, "set S2SCertificateName back to %q", was)
	}
}

// planReplication adds the office servers that do not yet have the setting that
// their master had before.
func (p *rollbackPlanner) planReplication() {
	for _, s := range p.now.Office {
		master, before, _ := p.master(s.OfficeFarm)
		was := before.S2SCertificateName
		if s.Machine.Host != master.Machine.Host {
			p.planVisible(StepReplicationAgain, s)
		}
		if p.snapshot.WasClearRefused(s.OfficeFarm) || s.Machine.Host == master.Machine.Host || s.namesS2S(was) ||
			(s.Joined && s.Settings.S2SCertificateName != p.snapshot.Target.FriendlyName) {
			continue
		}
		p.addReversal(StepReplicationAgain, s.Machine.Host, "S2SCertificateName", s.s2sName(), textOrNone(was),
			"wait until its S2SCertificateName is %s again, which the master replicates: it is %s", textOrNone(was), s.s2sName())
	}
}

// planRestarts adds the restarts that the reversals cause, and those still pending.
func (p *rollbackPlanner) planRestarts() {
	reversals := withoutVisible(p.plan.Reversals)
	for _, sp := range p.farm.SharePoint {
		now, _ := p.now.Farm(sp.FrontEnd.Host)
		changes := hasPendingOn(reversals, sp.FrontEnd.Host, StepRestoreIssuers) || len(p.addedAuthorities(sp, now)) > 0
		for _, s := range now.Servers {
			if why := pendingSharePointRestart(s, changes, now.TrustChangedAt()); why != "" {
				p.addReversal(StepRestartAgain, s.Machine.Host, "iisreset and SPTimerV4", "pending", "done", "restart IIS and SPTimerV4: %s", why)
			}
		}
	}
	trust := p.now.trustChange(reversals, StepRestoreIssuers)
	for _, s := range p.now.Office {
		master, _, _ := p.master(s.OfficeFarm)
		changes := hasPendingOn(reversals, master.Machine.Host, StepRestoreS2SName, StepRestoreHTTPSettings) || hasPendingOn(reversals, s.Machine.Host, StepReplicationAgain)
		if why := pendingOfficeRestart(s, changes, trust); why != "" {
			p.addReversal(StepRestartAgain, s.Machine.Host, "WACSM and iisreset", "pending", "done", "restart WACSM and IIS: %s", why)
		}
	}
}

// addedAuthorities returns the root authorities that the rotation added and that
// are still there.
func (p *rollbackPlanner) addedAuthorities(sp SharePoint, now SharePointFarm) []ChainCertificate {
	return slices.DeleteFunc(p.snapshot.AddedAuthorities(sp.FrontEnd.Host), func(c ChainCertificate) bool { return !now.Trusts(c.Thumbprint) })
}

func (p *rollbackPlanner) planRootAuthorities() {
	for _, sp := range p.farm.SharePoint {
		now, _ := p.now.Farm(sp.FrontEnd.Host)
		for _, c := range p.addedAuthorities(sp, now) {
			p.addReversal(StepRemoveRootAuthority, sp.FrontEnd.Host, "root authority "+c.Thumbprint.Short(), c.Subject, "absent",
				"remove the trusted root authority of %q: this rotation added it", c.Subject)
		}
	}
}

func (p *rollbackPlanner) planKeys() {
	for _, s := range p.now.Office {
		was, existed := p.snapshot.Before.OfficeServer(s.Machine.Host).Certificate(p.snapshot.Target.Thumbprint)
		is, _ := s.Certificate(p.snapshot.Target.Thumbprint)
		if existed && was.HasKey && is.ReadableBy(NetworkService) && !was.ReadableBy(NetworkService) {
			p.addReversal(StepRevokeKey, s.Machine.Host, "key", "NETWORK SERVICE reads it", "no access", "revoke NETWORK SERVICE's access to the key: this rotation granted it")
		}
		if existed && was.FriendlyName == "" && is.FriendlyName != "" {
			p.plan.Remaining = append(p.plan.Remaining, warnFinding("friendly-name-stays", s.Machine.Host, "nothing needs to be done; it had no friendly name before",
				"certificate %s keeps the friendly name %q", is.Thumbprint.Short(), is.FriendlyName))
		}
	}
}

// planCertificates adds the removal of certificates. It comes last: until then
// something may still use them.
func (p *rollbackPlanner) planCertificates() {
	for _, s := range p.now.Office {
		if !p.snapshot.WasClearRefused(s.OfficeFarm) {
			p.planCertificatesOf(s, p.snapshot.Before.OfficeServer(s.Machine.Host))
		}
	}
}

func (p *rollbackPlanner) planCertificatesOf(s, before OfficeServer) {
	t := p.snapshot.Target
	was, existed := before.Certificate(t.Thumbprint)
	is, exists := s.Certificate(t.Thumbprint)
	remove := func(subject, have, format string, args ...any) {
		if p.snapshot.NamedTarget(s.Machine.Host) {
			p.addStays(s.Machine.Host, subject)
			return
		}
		p.addReversal(StepRemoveCertificate, s.Machine.Host, subject, have, "absent", format, args...)
	}
	switch {
	case exists && !existed:
		remove("certificate", t.FriendlyName, "remove certificate %s and its key: this rotation imported it", t.Thumbprint.Short())
	case s.OrphanedKey && !existed:
		remove("key", "of no certificate", "delete the key of certificate %s, which an import left that was cut off", t.Thumbprint.Short())
	case exists && is.HasKey && !was.HasKey:
		p.plan.Remaining = append(p.plan.Remaining, warnFinding("key-stays", s.Machine.Host, "remove the certificate by hand if its key is unwanted",
			"certificate %s was there without its key, which it now keeps", t.Thumbprint.Short()))
	}
	for _, c := range t.Intermediates() {
		if s.HasIntermediate(c.Thumbprint) && !before.HasIntermediate(c.Thumbprint) {
			remove("intermediate "+c.Thumbprint.Short(), c.Subject, "remove intermediate %q from the CA store: this rotation added it", c.Subject)
		}
	}
	if t.SelfSigned && s.HasRoot(t.Thumbprint) && !before.HasRoot(t.Thumbprint) {
		remove("trusted root", t.Subject, "remove the public certificate from Trusted Root: this rotation added it")
	}
}
