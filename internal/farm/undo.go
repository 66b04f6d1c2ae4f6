package farm

import (
	"fmt"
	"slices"
)

// The steps of the way back, newest change first.
const (
	StepWayBack           Step = "find the way back"
	StepIssuerBack        Step = "put issuers back"
	StepSwitchesBack      Step = "put HTTP switches back"
	StepS2SBack           Step = "put S2S certificate back"
	StepRestartBack       Step = "restart again"
	StepRootAuthorityBack Step = "remove root authority"
	StepGrantBack         Step = "revoke key"
	StepImportBack        Step = "remove certificate"
)

// The steps of a retirement; [StepRootAuthorityBack] may follow.
const (
	StepUse    Step = "find what uses it"
	StepHide   Step = "archive old certificate"
	StepShow   Step = "show old certificate again"
	StepDelete Step = "delete old certificate"
)

// RetireSteps lists the steps that only a retirement has.
func RetireSteps() []Step { return []Step{StepUse, StepHide, StepShow, StepDelete} }

// UndoSteps lists the steps of the way back, in order.
func UndoSteps() []Step {
	return []Step{StepWayBack, StepIssuerBack, StepSwitchesBack, StepS2SBack, StepRestartBack, StepRootAuthorityBack, StepGrantBack, StepImportBack}
}

// WayBack is how to undo a rotation.
type WayBack struct {
	// Reversals are what this rotation changed and how it is put back, newest
	// first. Nothing that belongs to others is among them.
	Reversals []Difference `json:"reversals"`
	// Conflicts are values that are neither ours nor the journal's: somebody
	// else changed them since, and a person must decide.
	Conflicts []Finding `json:"conflicts"`
	// Stays are changes of ours that are not put back, and why.
	Stays []Finding `json:"stays"`
}

// Undo compares a rotation's journal with what is observed now. A value that
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
func Undo(j Journal, f Farm, now Observed) WayBack {
	if why := j.NoWayBack(now); why != "" {
		return WayBack{Stays: []Finding{stop("no-way-back", "", "rotate to a newer certificate instead", "%s", why)}}
	}
	u := &undoing{journal: j, farm: f, now: now}
	u.issuers()
	u.switches()
	u.s2sName()
	u.restarts()
	u.rootAuthorities()
	u.keys()
	u.certificates()
	return u.way
}

// undoing gathers the way back.
type undoing struct {
	journal Journal
	farm    Farm
	now     Observed
	way     WayBack
}

func (u *undoing) reverse(step Step, server, subject, have, want, format string, args ...any) {
	u.way.Reversals = append(u.way.Reversals, Difference{Step: step, Server: server, Subject: subject, Have: have, Want: want, Text: fmt.Sprintf(format, args...)})
}

func (u *undoing) conflict(server, format string, args ...any) {
	u.way.Conflicts = append(u.way.Conflicts, stop("changed-since", server, "decide which value is right, set it, then retry", format, args...))
}

func (u *undoing) issuers() {
	for _, sp := range u.farm.SharePoint {
		before, _ := u.journal.Before.Farm(sp.FrontEnd.Host)
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		for _, i := range slices.Backward(Issuers()) {
			u.permissions(sp, before, now, i)
			u.issuer(sp.FrontEnd.Host, before, now, i)
		}
	}
}

func (u *undoing) issuer(frontEnd string, before, now SharePointFarm, i Issuer) {
	ours := u.journal.Target.Thumbprint
	was, existed := before.Issuer(i.RegisteredName)
	is, exists := now.Issuer(i.RegisteredName)
	switch {
	case exists == existed && is.Thumbprint == was.Thumbprint:
	case exists && is.Thumbprint != ours, !exists:
		u.conflict(frontEnd, "the issuer of %s holds %s: neither the new certificate %s nor the one before, %s",
			i.Product, orNone(is.Thumbprint.Short()), ours.Short(), orNone(was.Thumbprint.Short()))
	case existed:
		u.reverse(StepIssuerBack, frontEnd, "issuer "+i.Product, ours.Short(), was.Thumbprint.Short(),
			"put trusted token issuer %q (%s) back to %s", is.Name, i.Product, was.Thumbprint.Short())
	default:
		u.reverse(StepIssuerBack, frontEnd, "issuer "+i.Product, ours.Short(), "absent",
			"remove trusted token issuer %q (%s): this rotation created it", is.Name, i.Product)
	}
}

func (u *undoing) permissions(sp SharePoint, before, now SharePointFarm, i Issuer) {
	for _, site := range sp.Sites {
		was, is := before.Permission(site, i.RegisteredName), now.Permission(site, i.RegisteredName)
		if is.Right == was.Right && is.AppOnly == was.AppOnly {
			continue
		}
		subject := "permission " + i.Product + " " + site
		if is.Right != FullControl || !is.AppOnly {
			u.conflict(sp.FrontEnd.Host, "the app permission of %s at %s is %s: neither full control nor what it was, %s", i.Product, site, orNone(is.Right), orNone(was.Right))
			continue
		}
		u.reverse(StepIssuerBack, sp.FrontEnd.Host, subject, FullControl+", app-only", orNone(was.Right),
			"put the app permission of %s at %s back to %s", i.Product, site, orNone(was.Right))
	}
}

func (u *undoing) switches() {
	before, _ := u.journal.Before.Master()
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
			u.reverse(StepSwitchesBack, now.Machine.Host, sw.name, fmt.Sprint(sw.now), fmt.Sprint(sw.was), "set %s back to %t", sw.name, sw.was)
		}
	}
}

func (u *undoing) s2sName() {
	before, _ := u.journal.Before.Master()
	master, ok := u.now.Master()
	was, is := before.Settings.S2SCertificateName, master.Settings.S2SCertificateName
	switch {
	case !ok || is == was:
	case is != u.journal.Target.FriendlyName:
		u.conflict(master.Machine.Host, "S2SCertificateName is %q: neither the new %q nor the one before, %q", is, u.journal.Target.FriendlyName, was)
	case was == "":
		u.reverse(StepS2SBack, master.Machine.Host, "S2SCertificateName", is, "none",
			"set S2SCertificateName back to none; whether Office Online Server accepts that is unknown, and if not it stays")
	default:
		u.reverse(StepS2SBack, master.Machine.Host, "S2SCertificateName", is, was, "set S2SCertificateName back to %q", was)
	}
}

// restarts lists the restarts that the reversals cause, and those still owed.
func (u *undoing) restarts() {
	reversals := u.way.Reversals
	for _, sp := range u.farm.SharePoint {
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		changes := pendingOn(reversals, sp.FrontEnd.Host, StepIssuerBack) || len(u.addedAuthorities(sp, now)) > 0
		for _, s := range now.Servers {
			if why := restartOwed(changes, now.TrustSince(), s.Timer, s.WorkersSince); why != "" {
				u.reverse(StepRestartBack, s.Machine.Host, "iisreset and SPTimerV4", "owed", "done", "restart IIS and SPTimerV4: %s", why)
			}
		}
	}
	changes := len(pendingSteps(reversals, StepS2SBack, StepSwitchesBack)) > 0
	for _, s := range u.now.Office {
		if why := restartOwed(changes, s.SettingsSince, s.Service, s.WorkersSince); why != "" {
			u.reverse(StepRestartBack, s.Machine.Host, "WACSM and iisreset", "owed", "done", "restart WACSM and IIS: %s", why)
		}
	}
}

// addedAuthorities are those of the journal's that are still there.
func (u *undoing) addedAuthorities(sp SharePoint, now SharePointFarm) []ChainCertificate {
	return slices.DeleteFunc(u.journal.AddedAuthorities(sp.FrontEnd.Host), func(c ChainCertificate) bool { return !now.Trusts(c.Thumbprint) })
}

func (u *undoing) rootAuthorities() {
	for _, sp := range u.farm.SharePoint {
		now, _ := u.now.Farm(sp.FrontEnd.Host)
		for _, c := range u.addedAuthorities(sp, now) {
			u.reverse(StepRootAuthorityBack, sp.FrontEnd.Host, "root authority "+c.Thumbprint.Short(), c.Subject, "absent",
				"remove the trusted root authority of %q: this rotation added it", c.Subject)
		}
	}
}

func (u *undoing) keys() {
	for _, s := range u.now.Office {
		was, existed := officeBefore(u.journal, s).Certificate(u.journal.Target.Thumbprint)
		is, _ := s.Certificate(u.journal.Target.Thumbprint)
		if existed && was.HasKey && is.ReadableBy(NetworkService) && !was.ReadableBy(NetworkService) {
			u.reverse(StepGrantBack, s.Machine.Host, "key", "NETWORK SERVICE reads it", "no access", "take NETWORK SERVICE's access to the key back: this rotation gave it")
		}
		if existed && was.FriendlyName == "" && is.FriendlyName != "" {
			u.way.Stays = append(u.way.Stays, warn("friendly-name-stays", s.Machine.Host, "harmless; it had none before",
				"certificate %s keeps the friendly name %q", is.Thumbprint.Short(), is.FriendlyName))
		}
	}
}

// certificates come last: until then something may still name them.
func (u *undoing) certificates() {
	t := u.journal.Target
	for _, s := range u.now.Office {
		before := officeBefore(u.journal, s)
		was, existed := before.Certificate(t.Thumbprint)
		is, exists := s.Certificate(t.Thumbprint)
		if exists && !existed {
			u.reverse(StepImportBack, s.Machine.Host, "certificate", t.FriendlyName, "absent", "remove certificate %s and its key: this rotation imported it", t.Thumbprint.Short())
		}
		if exists && existed && is.HasKey && !was.HasKey {
			u.way.Stays = append(u.way.Stays, warn("key-stays", s.Machine.Host, "remove the certificate by hand if its key is unwanted",
				"certificate %s was there without its key, and keeps it", t.Thumbprint.Short()))
		}
		for _, c := range t.Intermediates() {
			if s.HasIntermediate(c.Thumbprint) && !before.HasIntermediate(c.Thumbprint) {
				u.reverse(StepImportBack, s.Machine.Host, "intermediate "+c.Thumbprint.Short(), c.Subject, "absent", "remove intermediate %q from the CA store: this rotation added it", c.Subject)
			}
		}
		if t.SelfSigned && s.HasRoot(t.Thumbprint) && !before.HasRoot(t.Thumbprint) {
			u.reverse(StepImportBack, s.Machine.Host, "trusted root", t.Subject, "absent", "remove the public certificate from Trusted Root: this rotation added it")
		}
	}
}

func officeBefore(j Journal, now OfficeServer) OfficeServer {
	before, _ := find(j.Before.Office, func(s OfficeServer) bool { return s.Machine.Host == now.Machine.Host })
	return before
}
