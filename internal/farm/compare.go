package farm

import (
	"fmt"
	"slices"
	"time"
)

// Compare lists the differences between the observed farm and the desired one,
// in the order of the procedure. The list is empty when the trust is configured
// as desired and each office server could use the key. Settings that are not
// configured are not compared.
//
// A restart is listed for each server that still runs with older settings than
// it should, and for each server whose settings are changed by another difference
// in the list.
func Compare(d Desired, o Observed) []Difference {
	var all []Difference
	for _, part := range []func(Desired, Observed) []Difference{
		compareImports, compareKeys, compareRootAuthorities, compareS2SName, compareReplication, compareHTTPSettings, compareIssuers,
	} {
		all = append(all, part(d, o)...)
	}
	return append(all, compareRestarts(d, o, all)...)
}

func compareImports(d Desired, o Observed) []Difference {
	var out []Difference
	t := d.Target
	for _, s := range o.Office {
		add := func(subject, have, want, text string) {
			out = append(out, Difference{Step: StepImport, Server: s.Machine.Host, Subject: subject, Have: have, Want: want, Text: text})
		}
		switch c, ok := s.Certificate(t.Thumbprint); {
		case !ok:
			add("certificate", "absent", t.FriendlyName, fmt.Sprintf("import %q (%s): the Personal store does not hold it", t.FriendlyName, t.Thumbprint.Short()))
		case !c.HasKey:
			add("certificate", "without key", t.FriendlyName, fmt.Sprintf("import %q (%s) again: it is there, but without its private key", t.FriendlyName, t.Thumbprint.Short()))
		case c.FriendlyName == "":
			add("certificate", "without friendly name", t.FriendlyName, fmt.Sprintf("name %s %q: Office Online Server selects it by friendly name", t.Thumbprint.Short(), t.FriendlyName))
		}
		for _, i := range t.Intermediates() {
			if !s.HasIntermediate(i.Thumbprint) {
				add("intermediate "+i.Thumbprint.Short(), "absent", i.Subject, fmt.Sprintf("add intermediate %q to the CA store: the chain needs it", i.Subject))
			}
		}
		if t.SelfSigned && !s.HasRoot(t.Thumbprint) {
			add("trusted root", "absent", t.Subject, "add the public certificate to Trusted Root: it is self-signed")
		}
	}
	return out
}

func compareKeys(d Desired, o Observed) []Difference {
	var out []Difference
	for _, s := range o.Office {
		c, _ := s.Certificate(d.Target.Thumbprint)
		if c.HasKey && c.KeySigns && c.ReadableBy(NetworkService) {
			continue
		}
		have, text := "no access", "grant NETWORK SERVICE read access to the key: Office Online Server runs under that account"
		switch {
		case c.HasKey && c.isModernOnly():
			have, text = "signs by CNG alone", "prove that the key signs as Office Online Server does: it signs by CNG alone"
		case c.HasKey && !c.KeySigns:
			have, text = "does not sign", "prove that the key signs: the last test signature failed"
		}
		out = append(out, Difference{Step: StepGrant, Server: s.Machine.Host, Subject: "key", Have: have, Want: "NETWORK SERVICE reads it, and it signs", Text: text})
	}
	return out
}

func compareRootAuthorities(d Desired, o Observed) []Difference {
	var out []Difference
	for _, sp := range d.Farm.SharePoint {
		seen, _ := o.Farm(sp.FrontEnd.Host)
		for _, c := range d.Target.RootAuthorities() {
			if seen.Trusts(c.Thumbprint) {
				continue
			}
			out = append(out, Difference{
				Step: StepRootAuthority, Server: sp.FrontEnd.Host, Subject: "root authority " + c.Thumbprint.Short(),
				Have: "absent", Want: c.Subject,
				Text: fmt.Sprintf("add trusted root authority %q for %q: SharePoint does not trust it yet", sp.RootAuthorityName(c), c.Subject),
			})
		}
	}
	return out
}

func compareS2SName(d Desired, o Observed) []Difference {
	var out []Difference
	for _, master := range o.Masters() {
		if master.Settings.S2SCertificateName == d.Target.FriendlyName {
			continue
		}
		out = append(out, Difference{
			Step: StepS2SName, Server: master.Machine.Host, Subject: "S2SCertificateName",
			Have: textOrNone(master.Settings.S2SCertificateName), Want: d.Target.FriendlyName,
			Text: fmt.Sprintf("set S2SCertificateName to %q on the master: it is %s", d.Target.FriendlyName, textOrNone(master.Settings.S2SCertificateName)),
		})
	}
	return out
}

func compareReplication(d Desired, o Observed) []Difference {
	var out []Difference
	for _, s := range o.Office {
		master, _ := o.Master(s.OfficeFarm)
		if s.Machine.Host == master.Machine.Host || s.Settings.S2SCertificateName == d.Target.FriendlyName {
			continue
		}
		out = append(out, Difference{
			Step: StepReplication, Server: s.Machine.Host, Subject: "S2SCertificateName",
			Have: textOrNone(s.Settings.S2SCertificateName), Want: d.Target.FriendlyName,
			Text: fmt.Sprintf("wait until it has %q: the master replicates the setting, which takes some time", d.Target.FriendlyName),
		})
	}
	return out
}

func compareHTTPSettings(d Desired, o Observed) []Difference {
	var out []Difference
	for _, office := range d.Farm.Offices() {
		if master, ok := o.Master(office.Name); ok {
			out = append(out, compareHTTPSettingsOf(office, master)...)
		}
	}
	return out
}

func compareHTTPSettingsOf(office Office, master OfficeServer) []Difference {
	var out []Difference
	for _, setting := range []struct {
		name string
		want *bool
		have bool
	}{
		{"AllowOutboundHttp", office.AllowOutboundHTTP, master.Settings.AllowOutboundHTTP},
		{"AllowHttpSecureStoreConnections", office.AllowHTTPSecureStoreConnections, master.Settings.AllowHTTPSecureStoreConnections},
	} {
		if setting.want == nil || *setting.want == setting.have {
			continue
		}
		out = append(out, Difference{
			Step: StepHTTPSettings, Server: master.Machine.Host, Subject: setting.name,
			Have: fmt.Sprint(setting.have), Want: fmt.Sprint(*setting.want),
			Text: fmt.Sprintf("set %s to %t, as configured", setting.name, *setting.want),
		})
	}
	return out
}

func compareIssuers(d Desired, o Observed) []Difference {
	var out []Difference
	for _, sp := range d.Farm.SharePoint {
		seen, _ := o.Farm(sp.FrontEnd.Host)
		for _, i := range Issuers() {
			out = append(out, compareIssuer(d, sp, seen, i)...)
		}
	}
	return out
}

func compareIssuer(d Desired, sp SharePoint, seen SharePointFarm, i Issuer) []Difference {
	var out []Difference
	add := func(subject, have, want, text string) {
		out = append(out, Difference{Step: StepIssuer, Server: sp.FrontEnd.Host, Subject: subject, Have: have, Want: want, Text: text})
	}
	want := d.Target.Thumbprint.Short()
	switch has, ok := seen.Issuer(i.RegisteredName); {
	case !ok:
		add("issuer "+i.Product, "absent", want, fmt.Sprintf("create trusted token issuer %q for %s with %s: there is none", sp.IssuerDisplayName(i), i.Product, want))
	case has.Thumbprint != d.Target.Thumbprint:
		add("issuer "+i.Product, textOrNone(has.Thumbprint.Short()), want, fmt.Sprintf("update trusted token issuer %q (%s) in place from %s to %s", has.Name, i.Product, textOrNone(has.Thumbprint.Short()), want))
	}
	for _, site := range sp.Sites {
		if p := seen.Permission(site, i.RegisteredName); p.Right != FullControl || !p.AppOnly {
			add("permission "+i.Product+" "+site, textOrNone(p.Right), FullControl+", app-only",
				fmt.Sprintf("grant the app principal of %s app-only full control at %s", i.Product, site))
		}
	}
	return out
}

// compareRestarts lists the servers that must load settings which have changed, or
// are about to. A server whose times are unknown needs no restart: see
// [OfficeServer.SettingsChangedAt].
func compareRestarts(d Desired, o Observed, pending []Difference) []Difference {
	var out []Difference
	for _, sp := range d.Farm.SharePoint {
		seen, _ := o.Farm(sp.FrontEnd.Host)
		changes := hasPendingOn(pending, sp.FrontEnd.Host, StepRootAuthority, StepIssuer)
		for _, s := range seen.Servers {
			if why := pendingRestart(changes, seen.TrustChangedAt(), s.Timer, s.WorkersStartedAt); why != "" {
				out = append(out, restartDifference(s.Machine.Host, "iisreset and SPTimerV4", "restart IIS and SPTimerV4: "+why))
			}
		}
	}
	for _, s := range o.Office {
		master, _ := o.Master(s.OfficeFarm)
		changes := hasPendingOn(pending, master.Machine.Host, StepS2SName, StepHTTPSettings)
		if why := pendingRestart(changes || hasPendingOn(pending, s.Machine.Host, StepReplication), s.SettingsChangedAt, s.Service, s.WorkersStartedAt); why != "" {
			out = append(out, restartDifference(s.Machine.Host, "WACSM and iisreset", "restart WACSM and IIS: "+why))
		}
	}
	return out
}

// pendingRestart says why a server must restart; empty when it need not.
func pendingRestart(changes bool, since time.Time, service Service, workers time.Time) string {
	switch {
	case changes:
		return "its settings change"
	case !service.Running:
		return service.Name + " is not running"
	case service.StartedAt.Before(since):
		return fmt.Sprintf("%s started before the settings changed", service.Name)
	case !workers.IsZero() && workers.Before(since):
		return "IIS workers started before the settings changed"
	}
	return ""
}

func restartDifference(host, subject, text string) Difference {
	return Difference{Step: StepRestart, Server: host, Subject: subject, Have: "pending", Want: "done", Text: text}
}

func hasPendingOn(pending []Difference, host string, steps ...Step) bool {
	return slices.ContainsFunc(selectSteps(pending, steps...), func(p Difference) bool { return p.Server == host })
}

func selectSteps(pending []Difference, steps ...Step) []Difference {
	var out []Difference
	for _, p := range pending {
		if slices.Contains(steps, p.Step) {
			out = append(out, p)
		}
	}
	return out
}

func textOrNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
