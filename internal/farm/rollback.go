package farm

import (
	"fmt"
	"slices"
)

// RollbackPlan is how to undo a rotation.
type RollbackPlan struct {
	// Reversals are what this rotation changed and how it is put back, newest
	// first. Nothing that belongs to others is among them.
	Reversals []Difference `json:"reversals"`
	// Conflicts are values that are neither ours nor the journal's: somebody
	// else changed them since, and a person must decide.
	Conflicts []Finding `json:"conflicts"`
	// Remaining are changes of ours that are not put back, and why.
	Remaining []Finding `json:"remaining"`
}

// PlanRollback compares a rotation's journal with what is observed now. A value that
// the rotation set goes back to the journal's, a value that is the journal's
// needs nothing, and any other value is a conflict.
//
// Where there is no way back, nothing is put back and Stays says so. Else
// everything is put back but, each by its name in Stays:
//   - friendly-name-stays: the name of a certificate that was there without one;
//   - key-stays: the key of a certificate that was there without it;
//
// and two that nobody can know beforehand, or that were not the rotation's:
// an S2S name where there was none, if Office Online Server refuses to have
// none, and restarts that were owed before, which are made.
func PlanRollback(j Snapshot, f Farm, now Observed) RollbackPlan {
	if why := j.RollbackBlocked(now); why != "" {
		return RollbackPlan{Remaining: []Finding{stop("no-way-back", "", "rotate to a newer certificate instead", "%s", why)}}
	}
	u := &rollbackPlanner{snapshot: j, farm: f, now: now}
	u.planIssuers()
	u.planHTTPSettings()
	u.planS2SName()
	u.planRestarts()
	u.planRootAuthorities()
	u.planKeys()
	u.planCertificates()
	return u.plan
}

// rollbackPlanner gathers the way back.
type rollbackPlanner struct {
	snapshot Snapshot
	farm     Farm
	now      Observed
	plan     RollbackPlan
}

func (u *rollbackPlanner) addReversal(step Step, server, subject, have, want, format string, args ...any) {
	u.plan.Reversals = append(u.plan.Reversals, Difference{Step: step, Server: server, Subject: subject, Have: have, Want: want, Text: fmt.Sprintf(format, args...)})
}

func (u *rollbackPlanner) addConflict(server, format string, args ...any) {
	u.plan.Conflicts = append(u.plan.Conflicts, stop("changed-since", server, "decide which value is right, set it, then retry", format, args...))
}

func (u *rollbackPlanner) planIssuers() {
	for _, sp := range u.farm.SharePoint {
		before, _ := u.snapshot.Before.Farm(sp.FrontEnd.Host)
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		for _, i := range slices.Backward(Issuers()) {
			u.planPermissions(sp, before, now, i)
			u.planIssuer(sp.FrontEnd.Host, before, now, i)
		}
	}
}

func (u *rollbackPlanner) planIssuer(frontEnd string, before, now SharePointFarm, i Issuer) {
	ours := u.snapshot.Target.Thumbprint
	was, existed := before.Issuer(i.RegisteredName)
	is, exists := now.Issuer(i.RegisteredName)
	switch {
	case exists == existed && is.Thumbprint == was.Thumbprint:
	case exists && is.Thumbprint != ours, !exists:
		u.addConflict(frontEnd, "the issuer of %s holds %s: neither the new certificate %s nor the one before, %s",
			i.Product, orNone(is.Thumbprint.Short()), ours.Short(), orNone(was.Thumbprint.Short()))
	case existed:
		u.addReversal(StepRestoreIssuers, frontEnd, "issuer "+i.Product, ours.Short(), was.Thumbprint.Short(),
			"put trusted token issuer %q (%s) back to %s", is.Name, i.Product, was.Thumbprint.Short())
	default:
		u.addReversal(StepRestoreIssuers, frontEnd, "issuer "+i.Product, ours.Short(), "absent",
			"remove trusted token issuer %q (%s): this rotation created it", is.Name, i.Product)
	}
}

func (u *rollbackPlanner) planPermissions(sp SharePoint, before, now SharePointFarm, i Issuer) {
	for _, site := range sp.Sites {
		was, is := before.Permission(site, i.RegisteredName), now.Permission(site, i.RegisteredName)
		if is.Right == was.Right && is.AppOnly == was.AppOnly {
			continue
		}
		subject := "permission " + i.Product + " " + site
		if is.Right != FullControl || !is.AppOnly {
			u.addConflict(sp.FrontEnd.Host, "the app permission of %s at %s is %s: neither full control nor what it was, %s", i.Product, site, orNone(is.Right), orNone(was.Right))
			continue
		}
		u.addReversal(StepRestoreIssuers, sp.FrontEnd.Host, subject, FullControl+", app-only", orNone(was.Right),
			"put the app permission of %s at %s back to %s", i.Product, site, orNone(was.Right))
	}
}

func (u *rollbackPlanner) planHTTPSettings() {
	before, _ := u.snapshot.Before.Master()
	now, ok := u.now.Master()
	if !ok {
		return
	}
	for _, sw := range []struct {
		name     string
		want     *bool
		was, now bool
	}{
		{"AllowOutboundHttp", u.farm.Office.AllowOutboundHTTP, before.Settings.AllowOutboundHTTP, now.Settings.AllowOutboundHTTP},
		{"AllowHttpSecureStoreConnections", u.farm.Office.AllowHTTPSecureStoreConnections, before.Settings.AllowHTTPSecureStoreConnections, now.Settings.AllowHTTPSecureStoreConnections},
	} {
		if sw.want != nil && sw.now != sw.was {
			u.addReversal(StepRestoreHTTPSettings, now.Machine.Host, sw.name, fmt.Sprint(sw.now), fmt.Sprint(sw.was), "set %s back to %t", sw.name, sw.was)
		}
	}
}

func (u *rollbackPlanner) planS2SName() {
	before, _ := u.snapshot.Before.Master()
	master, ok := u.now.Master()
	was, is := before.Settings.S2SCertificateName, master.Settings.S2SCertificateName
	switch {
	case !ok || is == was:
	case is != u.snapshot.Target.FriendlyName:
		u.addConflict(master.Machine.Host, "S2SCertificateName is %q: neither the new %q nor the one before, %q", is, u.snapshot.Target.FriendlyName, was)
	case was == "":
		u.addReversal(StepRestoreS2SName, master.Machine.Host, "S2SCertificateName", is, "none",
			"set S2SCertificateName back to none; whether Office Online Server accepts that is unknown, and if not it stays")
	default:
		u.addReversal(StepRestoreS2SName, master.Machine.Host, "S2SCertificateName", is, was, "set S2SCertificateName back to %q", was)
	}
}

// planRestarts lists the restarts that the reversals cause, and those still owed.
func (u *rollbackPlanner) planRestarts() {
	reversals := u.plan.Reversals
	for _, sp := range u.farm.SharePoint {
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		changes := pendingOn(reversals, sp.FrontEnd.Host, StepRestoreIssuers) || len(u.addedAuthorities(sp, now)) > 0
		for _, s := range now.Servers {
			if why := pendingRestart(changes, now.TrustChangedAt(), s.Timer, s.WorkersStartedAt); why != "" {
				u.addReversal(StepRestartAgain, s.Machine.Host, "iisreset and SPTimerV4", "owed", "done", "restart IIS and SPTimerV4: %s", why)
			}
		}
	}
	changes := len(pendingSteps(reversals, StepRestoreS2SName, StepRestoreHTTPSettings)) > 0
	for _, s := range u.now.Office {
		if why := pendingRestart(changes, s.SettingsChangedAt, s.Service, s.WorkersStartedAt); why != "" {
			u.addReversal(StepRestartAgain, s.Machine.Host, "WACSM and iisreset", "owed", "done", "restart WACSM and IIS: %s", why)
		}
	}
}

// addedAuthorities are those of the journal's that are still there.
func (u *rollbackPlanner) addedAuthorities(sp SharePoint, now SharePointFarm) []ChainCertificate {
	return slices.DeleteFunc(u.snapshot.AddedAuthorities(sp.FrontEnd.Host), func(c ChainCertificate) bool { return !now.Trusts(c.Thumbprint) })
}

func (u *rollbackPlanner) planRootAuthorities() {
	for _, sp := range u.farm.SharePoint {
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		for _, c := range u.addedAuthorities(sp, now) {
			u.addReversal(StepRemoveRootAuthority, sp.FrontEnd.Host, "root authority "+c.Thumbprint.Short(), c.Subject, "absent",
				"remove the trusted root authority of %q: this rotation added it", c.Subject)
		}
	}
}

func (u *rollbackPlanner) planKeys() {
	for _, s := range u.now.Office {
		was, existed := officeBefore(u.snapshot, s).Certificate(u.snapshot.Target.Thumbprint)
		is, _ := s.Certificate(u.snapshot.Target.Thumbprint)
		if existed && was.HasKey && is.ReadableBy(NetworkService) && !was.ReadableBy(NetworkService) {
			u.addReversal(StepRevokeKey, s.Machine.Host, "key", "NETWORK SERVICE reads it", "no access", "take NETWORK SERVICE's access to the key back: this rotation gave it")
		}
		if existed && was.FriendlyName == "" && is.FriendlyName != "" {
			u.plan.Remaining = append(u.plan.Remaining, warn("friendly-name-stays", s.Machine.Host, "harmless; it had none before",
				"certificate %s keeps the friendly name %q", is.Thumbprint.Short(), is.FriendlyName))
		}
	}
}

// planCertificates come last: until then something may still name them.
func (u *rollbackPlanner) planCertificates() {
	t := u.snapshot.Target
	for _, s := range u.now.Office {
		before := officeBefore(u.snapshot, s)
		was, existed := before.Certificate(t.Thumbprint)
		is, exists := s.Certificate(t.Thumbprint)
		if exists && !existed {
			u.addReversal(StepRemoveCertificate, s.Machine.Host, "certificate", t.FriendlyName, "absent", "remove certificate %s and its key: this rotation imported it", t.Thumbprint.Short())
		}
		if exists && existed && is.HasKey && !was.HasKey {
			u.plan.Remaining = append(u.plan.Remaining, warn("key-stays", s.Machine.Host, "remove the certificate by hand if its key is unwanted",
				"certificate %s was there without its key, and keeps it", t.Thumbprint.Short()))
		}
		for _, c := range t.Intermediates() {
			if s.HasIntermediate(c.Thumbprint) && !before.HasIntermediate(c.Thumbprint) {
				u.addReversal(StepRemoveCertificate, s.Machine.Host, "intermediate "+c.Thumbprint.Short(), c.Subject, "absent", "remove intermediate %q from the CA store: this rotation added it", c.Subject)
			}
		}
		if t.SelfSigned && s.HasRoot(t.Thumbprint) && !before.HasRoot(t.Thumbprint) {
			u.addReversal(StepRemoveCertificate, s.Machine.Host, "trusted root", t.Subject, "absent", "remove the public certificate from Trusted Root: this rotation added it")
		}
	}
}

func officeBefore(j Snapshot, now OfficeServer) OfficeServer {
	before, _ := findFirst(j.Before.Office, func(s OfficeServer) bool { return s.Machine.Host == now.Machine.Host })
	return before
}
