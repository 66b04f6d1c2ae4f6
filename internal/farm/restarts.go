package farm

import (
	"fmt"
	"strings"
	"time"
)

// compareRestarts lists the servers that must load settings which have changed, or
// are about to. A server whose times are unknown needs no restart: see
// [OfficeServer.SettingsChangedAt].
func compareRestarts(d Desired, o Observed, pending []Difference) []Difference {
	var out []Difference
	for _, sp := range d.Farm.SharePoint {
		seen, _ := o.Farm(sp.FrontEnd.Host)
		changes := hasPendingOn(pending, sp.FrontEnd.Host, StepRootAuthority, StepIssuer)
		for _, s := range seen.Servers {
			if why := pendingSharePointRestart(s, changes, seen.TrustChangedAt()); why != "" {
				out = append(out, restartDifference(s.Machine.Host, "iisreset and SPTimerV4", "restart IIS and SPTimerV4: "+why))
			}
		}
	}
	trust := o.trustChange(pending, StepIssuer)
	for _, s := range o.Office {
		master, _ := o.Master(s.OfficeFarm)
		changes := hasPendingOn(pending, master.Machine.Host, StepS2SName, StepHTTPSettings) || hasPendingOn(pending, s.Machine.Host, StepReplication)
		if why := pendingOfficeRestart(s, changes, trust); why != "" {
			out = append(out, restartDifference(s.Machine.Host, "WACSM and iisreset", "restart WACSM and IIS: "+why))
		}
	}
	return out
}

// pendingSharePointRestart says why a SharePoint server must restart; empty when it
// need not. Since is when the trust of its farm was last changed.
func pendingSharePointRestart(s SharePointServer, changes bool, since time.Time) string {
	if changes {
		return "its settings change"
	}
	if stopped := s.StoppedServices(); len(stopped) > 0 {
		return notRunning(stopped, s.LastErrors)
	}
	return startedBefore(since, "the settings changed", s.Timer, s.WorkersStartedAt)
}

// trustChange is when what SharePoint trusts was last changed: every office server
// must have loaded the certificate that it trusts now.
type trustChange struct {
	// at is zero when farmtrust never changed it.
	at time.Time
	// pending reports whether it is about to change.
	pending bool
}

// trustChange looks at what is observed, and for steps that are about to set the
// certificate of an issuer.
func (o Observed) trustChange(pending []Difference, step Step) trustChange {
	var t trustChange
	for _, f := range o.SharePoint {
		if at := f.TrustChangedAt(); at.After(t.at) {
			t.at = at
		}
	}
	for _, d := range selectSteps(pending, step) {
		t.pending = t.pending || strings.HasPrefix(d.Subject, "issuer ")
	}
	return t
}

// pendingOfficeRestart says why an office server must restart; empty when it need
// not.
//
// Its processes use what was set when they started, and no interface tells what
// that was. Two things do: farmtrust's note of the last restart, if it equals what
// is set now and the processes are not older, which proves that they loaded it; and
// time. Without that proof, a restart is pending where a process is older than the
// settings file, than the key of the certificate that the settings select, or than
// the last change of what SharePoint trusts; and where it is the very process of a
// note that says something else. Time alone proves nothing: whether a product
// writes its settings file without a change is unknown. Where the trust changes, a
// note proves nothing about a process other than its own, which may have started
// while something else was set.
func pendingOfficeRestart(s OfficeServer, changes bool, trust trustChange) string {
	stopped, proven := s.StoppedServices(), s.hasLoadedSettings()
	isNoted := s.Loaded != nil && sameMoment(s.Loaded.Service, s.Service.StartedAt)
	switch {
	case changes:
		return "its settings change"
	case len(stopped) > 0:
		return notRunning(stopped, s.LastErrors)
	case proven && isNoted:
		return ""
	case trust.pending:
		return "the issuers change, and nothing proves that it has loaded the certificate that they will hold"
	case isNoted && !s.Loaded.equals(s):
		return fmt.Sprintf("it was last restarted with %s (%s), which is not what is set now",
			textOrNone(s.Loaded.S2SCertificateName), textOrNone(s.Loaded.Thumbprint.Short()))
	}
	selected, _ := s.Selected()
	for _, change := range []struct {
		at   time.Time
		what string
		// unlessProven reports whether a proof about another process makes up for it.
		unlessProven bool
	}{
		{s.SettingsChangedAt, "the settings changed", true},
		{selected.KeyCreatedAt, "the certificate that they name came to the server", true},
		{trust.at, "the issuers changed", false},
	} {
		if proven && change.unlessProven {
			continue
		}
		if why := startedBefore(change.at, change.what, s.Service, s.WorkersStartedAt); why != "" {
			return why
		}
	}
	return ""
}

// hasLoadedSettings reports whether the note of the last restart proves that the
// server's processes have loaded what is set now.
func (s OfficeServer) hasLoadedSettings() bool {
	return s.Loaded != nil && s.Loaded.equals(s) && startedBefore(s.Loaded.Since, "", s.Service, s.WorkersStartedAt) == ""
}

// equals reports whether a note says what is set now.
func (l LoadedSettings) equals(s OfficeServer) bool {
	selected, _ := s.Selected()
	return s.Joined && l.S2SCertificateName == s.Settings.S2SCertificateName && l.Thumbprint == selected.Thumbprint &&
		l.AllowOutboundHTTP == s.Settings.AllowOutboundHTTP &&
		l.AllowHTTPSecureStoreConnections == s.Settings.AllowHTTPSecureStoreConnections
}

// sameMoment reports whether two times are that of one event, read twice.
func sameMoment(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }

// startedBefore says which of a server's processes started before a moment, at
// which what happened; empty when none did. No IIS worker is no problem where IIS
// runs: the next one loads what is set then.
func startedBefore(moment time.Time, what string, service Service, workers time.Time) string {
	switch {
	case service.StartedAt.Before(moment):
		return fmt.Sprintf("%s started before %s", service.Name, what)
	case !workers.IsZero() && workers.Before(moment):
		return "IIS workers started before " + what
	}
	return ""
}

// notRunning says which services do not run, and what the event logs say.
func notRunning(services, lastErrors []string) string {
	text := strings.Join(services, ", ") + " not running"
	if len(services) == 1 {
		text = services[0] + " is not running"
	}
	if len(lastErrors) > 0 {
		text += " (last errors: " + strings.Join(lastErrors, "; ") + ")"
	}
	return text
}

func restartDifference(host, subject, text string) Difference {
	return Difference{Step: StepRestart, Server: host, Subject: subject, Have: "pending", Want: "done", Text: text}
}
