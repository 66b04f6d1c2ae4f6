package farm_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is a farm as a model that steps can be carried out on.
type world struct {
	desired  farm.Desired
	observed farm.Observed
}

// drawWorld draws a farm somewhere between never set up and as desired.
func drawWorld(t *rapid.T) *world {
	w := &world{}
	w.desired = drawDesired(t)
	master := rapid.IntRange(0, len(w.desired.Farm.Office.Servers)-1).Draw(t, "master")
	for i := range w.desired.Farm.Office.Servers {
		w.observed.Office = append(w.observed.Office, w.drawOfficeServer(t, i, master))
	}
	for _, sp := range w.desired.Farm.SharePoint {
		w.observed.SharePoint = append(w.observed.SharePoint, w.drawSharePoint(t, sp))
	}
	return w
}

func drawDesired(t *rapid.T) farm.Desired {
	f := farm.Farm{Name: "contoso", Certificate: farm.CertificatePolicy{Name: "OOS S2S"}}
	for i := range rapid.IntRange(1, 4).Draw(t, "office servers") {
		f.Office.Servers = append(f.Office.Servers, farm.Server{Host: fmt.Sprintf("oos-%02d", i)})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "sharepoint farms") {
		front := farm.Server{Host: fmt.Sprintf("sp-%02d", i)}
		f.SharePoint = append(f.SharePoint, farm.SharePoint{
			FrontEnd: front, Servers: []farm.Server{front, {Host: front.Host + "b"}}, IssuerName: "OOS",
			Sites: []string{"https://portal-" + front.Host}[:1],
		})
	}
	f.Office.AllowOutboundHTTP = rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "allowOutboundHttp")
	f.Office.AllowHTTPSecureStoreConnections = rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "allowHttpSecureStore")
	target := farm.Certificate{
		Thumbprint: print40("T"), Subject: "CN=oos-s2s", FriendlyName: "OOS S2S new", DER: []byte("new"),
		NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(365 * 24 * time.Hour), SelfSigned: rapid.Bool().Draw(t, "self-signed"),
	}
	if !target.SelfSigned {
		for i := range rapid.IntRange(1, 3).Draw(t, "chain") {
			target.Chain = append(target.Chain, farm.ChainCertificate{Thumbprint: print40(fmt.Sprint("C", i)), Subject: fmt.Sprint("CN=CA ", i), DER: []byte{byte(i)}})
		}
	}
	return farm.Desired{Farm: f, Target: target}
}

func (w *world) drawOfficeServer(t *rapid.T, i, master int) farm.OfficeServer {
	target := w.desired.Target
	s := farm.OfficeServer{
		Machine: machine(w.desired.Farm.Office.Servers[i].Host), Joined: true,
		Settings: farm.OfficeFarm{
			Master:                          strings.ToUpper(w.desired.Farm.Office.Servers[master].Host),
			S2SCertificateName:              rapid.SampledFrom([]string{"", "old", target.FriendlyName}).Draw(t, "s2s name"),
			AllowOutboundHTTP:               rapid.Bool().Draw(t, "outbound"),
			AllowHTTPSecureStoreConnections: rapid.Bool().Draw(t, "secure store"),
		},
		Service:           farm.Service{Name: "WACSM", Running: rapid.Bool().Draw(t, "running"), StartedAt: drawTime(t)},
		SettingsChangedAt: drawTime(t), WorkersStartedAt: drawTime(t),
	}
	if rapid.Bool().Draw(t, "has target") {
		s.Certificates = append(s.Certificates, farm.StoreCertificate{
			Thumbprint: target.Thumbprint, Subject: target.Subject, FriendlyName: rapid.SampledFrom([]string{"", target.FriendlyName}).Draw(t, "friendly name"),
			HasKey: rapid.Bool().Draw(t, "has key"), KeySigns: rapid.Bool().Draw(t, "signs"),
			KeyReaders: rapid.SampledFrom([][]string{nil, {farm.NetworkService}}).Draw(t, "readers"),
		})
	}
	if rapid.Bool().Draw(t, "has chain") {
		for _, c := range target.Intermediates() {
			s.Intermediates = append(s.Intermediates, c.Thumbprint)
		}
	}
	if rapid.Bool().Draw(t, "has root") {
		s.Roots = append(s.Roots, farm.StoreCertificate{Thumbprint: target.Thumbprint})
	}
	return s
}

func (w *world) drawSharePoint(t *rapid.T, sp farm.SharePoint) farm.SharePointFarm {
	f := farm.SharePointFarm{FrontEnd: sp.FrontEnd.Host, UserProfileServices: 1}
	for _, i := range farm.Issuers() {
		if rapid.Bool().Draw(t, "has issuer") {
			f.Issuers = append(f.Issuers, farm.TokenIssuer{
				Name: "by somebody", RegisteredName: i.RegisteredName, ChangedAt: drawTime(t),
				Thumbprint: rapid.SampledFrom([]farm.Thumbprint{w.desired.Target.Thumbprint, print40("OLD")}).Draw(t, "issuer certificate"),
			})
		}
		for _, site := range sp.Sites {
			f.Permissions = append(f.Permissions, farm.AppPermission{
				Site: site, RegisteredName: i.RegisteredName, AppOnly: rapid.Bool().Draw(t, "app only"),
				Right: rapid.SampledFrom([]string{"", "Read", farm.FullControl}).Draw(t, "right"),
			})
		}
	}
	for _, c := range w.desired.Target.RootAuthorities() {
		if rapid.Bool().Draw(t, "trusted") {
			f.RootAuthorities = append(f.RootAuthorities, farm.RootAuthority{Name: "by somebody", Thumbprint: c.Thumbprint})
		}
	}
	for _, s := range sp.Servers {
		f.Servers = append(f.Servers, farm.SharePointServer{
			Machine: machine(s.Host), WorkersStartedAt: drawTime(t),
			Timer: farm.Service{Name: "SPTimerV4", Running: true, StartedAt: drawTime(t)},
		})
	}
	return f
}

// carryOut does on the model what a difference asks for, as the steps do it.
func (w *world) carryOut(d farm.Difference, now time.Time) {
	for i := range w.observed.Office {
		if s := &w.observed.Office[i]; s.Machine.Host == d.Server {
			w.carryOutOffice(s, d, now)
		}
	}
	for i := range w.observed.SharePoint {
		f := &w.observed.SharePoint[i]
		if f.FrontEnd == d.Server {
			w.carryOutTrust(f, d, now)
		}
		for j := range f.Servers {
			if s := &f.Servers[j]; s.Machine.Host == d.Server && d.Step == farm.StepRestart {
				s.Timer.Running, s.Timer.StartedAt, s.WorkersStartedAt = true, now, now
			}
		}
	}
}

func (w *world) carryOutOffice(s *farm.OfficeServer, d farm.Difference, now time.Time) {
	target := w.desired.Target
	switch d.Step {
	case farm.StepImport:
		switch {
		case d.Subject == "trusted root":
			s.Roots = append(s.Roots, farm.StoreCertificate{Thumbprint: target.Thumbprint})
		case d.Subject != "certificate":
			for _, c := range target.Intermediates() {
				if strings.HasSuffix(d.Subject, c.Thumbprint.Short()) {
					s.Intermediates = append(s.Intermediates, c.Thumbprint)
				}
			}
		case d.Have == "absent":
			s.Certificates = append(s.Certificates, farm.StoreCertificate{Thumbprint: target.Thumbprint, Subject: target.Subject, FriendlyName: target.FriendlyName, HasKey: true})
		default:
			s.Certificates[0].FriendlyName, s.Certificates[0].HasKey = target.FriendlyName, true
		}
	case farm.StepGrant:
		for i := range s.Certificates {
			s.Certificates[i].KeyReaders, s.Certificates[i].KeySigns = []string{farm.NetworkService}, true
		}
	case farm.StepS2SName, farm.StepReplication:
		s.Settings.S2SCertificateName, s.SettingsChangedAt = target.FriendlyName, now
	case farm.StepHTTPSettings:
		for i := range w.observed.Office {
			settings := &w.observed.Office[i].Settings
			if v := w.desired.Farm.Office.AllowOutboundHTTP; v != nil {
				settings.AllowOutboundHTTP = *v
			}
			if v := w.desired.Farm.Office.AllowHTTPSecureStoreConnections; v != nil {
				settings.AllowHTTPSecureStoreConnections = *v
			}
			w.observed.Office[i].SettingsChangedAt = now
		}
	case farm.StepRestart:
		s.Service.Running, s.Service.StartedAt, s.WorkersStartedAt = true, now, now
	}
}

func (w *world) carryOutTrust(f *farm.SharePointFarm, d farm.Difference, now time.Time) {
	switch d.Step {
	case farm.StepRootAuthority:
		for _, c := range w.desired.Target.RootAuthorities() {
			if d.Subject == "root authority "+c.Thumbprint.Short() {
				f.RootAuthorities = append(f.RootAuthorities, farm.RootAuthority{Thumbprint: c.Thumbprint})
			}
		}
	case farm.StepIssuer:
		for _, i := range farm.Issuers() {
			if d.Subject == "issuer "+i.Product {
				f.Issuers = slices.DeleteFunc(f.Issuers, func(t farm.TokenIssuer) bool { return t.RegisteredName == i.RegisteredName })
				f.Issuers = append(f.Issuers, farm.TokenIssuer{RegisteredName: i.RegisteredName, Thumbprint: w.desired.Target.Thumbprint, ChangedAt: now})
			}
			for j := range f.Permissions {
				if p := &f.Permissions[j]; d.Subject == "permission "+i.Product+" "+p.Site && p.RegisteredName == i.RegisteredName {
					p.Right, p.AppOnly = farm.FullControl, true
				}
			}
		}
	}
}

// wrong lists in what the trust is not as the procedure wants it, without
// asking the code under test.
func (w *world) wrong() []string {
	var out []string
	must := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	target, office := w.desired.Target, w.desired.Farm.Office
	for _, s := range w.observed.Office {
		host := s.Machine.Host
		must(len(s.Certificates) == 1, "%s: no certificate", host)
		for _, c := range s.Certificates {
			must(c.HasKey && c.KeySigns && slices.Contains(c.KeyReaders, farm.NetworkService), "%s: key %+v", host, c)
			must(c.FriendlyName == target.FriendlyName && s.Settings.S2SCertificateName == target.FriendlyName, "%s: name %q, set %q", host, c.FriendlyName, s.Settings.S2SCertificateName)
		}
		must(!target.SelfSigned || len(s.Roots) > 0, "%s: not in Trusted Root", host)
		for _, c := range target.Chain[:max(0, len(target.Chain)-1)] {
			must(slices.Contains(s.Intermediates, c.Thumbprint), "%s: no intermediate %s", host, c.Subject)
		}
	}
	master, _ := w.observed.Master()
	must(office.AllowOutboundHTTP == nil || *office.AllowOutboundHTTP == master.Settings.AllowOutboundHTTP, "AllowOutboundHttp")
	must(office.AllowHTTPSecureStoreConnections == nil || *office.AllowHTTPSecureStoreConnections == master.Settings.AllowHTTPSecureStoreConnections, "AllowHttpSecureStoreConnections")
	for _, f := range w.observed.SharePoint {
		must(len(f.Issuers) == 2, "%s: %d issuers", f.FrontEnd, len(f.Issuers))
		for _, i := range f.Issuers {
			must(i.Thumbprint == target.Thumbprint, "%s: issuer with %s", f.FrontEnd, i.Thumbprint)
		}
		for _, p := range f.Permissions {
			must(p.Right == "FullControl" && p.AppOnly, "%s: permission %+v", f.FrontEnd, p)
		}
		trusts := func(t farm.Thumbprint) bool {
			return slices.ContainsFunc(f.RootAuthorities, func(a farm.RootAuthority) bool { return a.Thumbprint == t })
		}
		must(!target.SelfSigned || trusts(target.Thumbprint), "%s: does not trust the self-signed certificate", f.FrontEnd)
		for _, c := range target.Chain {
			must(trusts(c.Thumbprint), "%s: does not trust %s", f.FrontEnd, c.Subject)
		}
	}
	return out
}

// stale lists the servers that run with settings older than those they have.
func (w *world) stale() []string {
	var out []string
	for _, s := range w.observed.Office {
		if !s.Service.Running || s.Service.StartedAt.Before(s.SettingsChangedAt) || s.WorkersStartedAt.Before(s.SettingsChangedAt) {
			out = append(out, s.Machine.Host)
		}
	}
	for _, f := range w.observed.SharePoint {
		for _, s := range f.Servers {
			for _, i := range f.Issuers {
				if s.Timer.StartedAt.Before(i.ChangedAt) || s.WorkersStartedAt.Before(i.ChangedAt) {
					out = append(out, s.Machine.Host)
				}
			}
		}
	}
	return out
}

func machine(host string) farm.Machine {
	return farm.Machine{Host: host, Name: strings.ToUpper(host), Forest: "contoso.com", Elevated: true, Clock: epoch, WindowsBuild: 14393}
}

func drawTime(t *rapid.T) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "hour")) * time.Hour)
}

func print40(seed string) farm.Thumbprint { return farm.ThumbprintOf([]byte(seed)) }

//go:fix inline
func ptr[T any](v T) *T { return new(v) }
