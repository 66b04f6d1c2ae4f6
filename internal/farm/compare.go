package farm

import (
	"fmt"
	"slices"
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
	return append(all, compareRestarts(d, o, withoutVisible(all))...)
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
		if !master.namesS2S(d.Target.FriendlyName) {
			out = append(out, Difference{
				Step: StepS2SName, Server: master.Machine.Host, Subject: "S2SCertificateName",
				Have: master.s2sName(), Want: d.Target.FriendlyName,
				Text: fmt.Sprintf("set S2SCertificateName to %q on the master: it is %s", d.Target.FriendlyName, master.s2sName()),
			})
		}
		out = append(out, compareVisible(StepS2SName, master, d.Target)...)
	}
	return out
}

func compareReplication(d Desired, o Observed) []Difference {
	var out []Difference
	for _, s := range o.Office {
		master, _ := o.Master(s.OfficeFarm)
		if s.Machine.Host == master.Machine.Host {
			continue
		}
		if !s.namesS2S(d.Target.FriendlyName) {
			out = append(out, Difference{
				Step: StepReplication, Server: s.Machine.Host, Subject: "S2SCertificateName",
				Have: s.s2sName(), Want: d.Target.FriendlyName,
				Text: fmt.Sprintf("wait until it has %q, which the master replicates in some time: it is %s", d.Target.FriendlyName, s.s2sName()),
			})
		}
		out = append(out, compareVisible(StepReplication, s, d.Target)...)
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
		if setting.want == nil || (master.Joined && *setting.want == setting.have) {
			continue
		}
		out = append(out, Difference{
			Step: StepHTTPSettings, Server: master.Machine.Host, Subject: setting.name,
			Have: master.readable(fmt.Sprint(setting.have)), Want: fmt.Sprint(*setting.want),
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

// namesS2S reports whether the farm's S2S setting, as this server has it, is known
// to be a friendly name.
func (s OfficeServer) namesS2S(friendlyName string) bool {
	return s.Joined && s.Settings.S2SCertificateName == friendlyName
}

// s2sName is the farm's S2S setting as this server has it, as operators read it.
func (s OfficeServer) s2sName() string { return s.readable(textOrNone(s.Settings.S2SCertificateName)) }

// readable is a setting as operators read it: what it is, or why that is unknown.
func (s OfficeServer) readable(setting string) string {
	switch {
	case s.Joined:
		return setting
	case !s.Service.Running:
		return "unknown: WACSM is not running"
	}
	return "unknown: " + s.WhyUnread()
}

// WhyUnread says why the farm's settings could not be read from this server, with
// the last errors of its event logs; it is for servers that are not
// [OfficeServer.Joined].
func (s OfficeServer) WhyUnread() string {
	if s.Service.Running {
		return "it is not in an Office Online Server farm"
	}
	return notRunning([]string{"WACSM"}, s.LastErrors)
}

func textOrNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
