package farm_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// carryOut does on the farm what a difference asks for, as the steps do it, a minute
// after the last change.
func (tf *testFarm) carryOut(d farm.Difference) {
	tf.now = tf.now.Add(time.Minute)
	for i := range tf.observed.Office {
		if s := &tf.observed.Office[i]; s.Machine.Host == d.Server {
			tf.carryOutOffice(s, d)
		}
	}
	for i := range tf.observed.SharePoint {
		f := &tf.observed.SharePoint[i]
		if f.FrontEnd == d.Server {
			tf.carryOutTrust(f, d)
		}
		for j := range f.Servers {
			if s := &f.Servers[j]; s.Machine.Host == d.Server && d.Step == farm.StepRestart {
				s.Timer.Running, s.Timer.StartedAt, s.WorkersStartedAt = true, tf.now, tf.now
			}
		}
	}
}

func (tf *testFarm) carryOutOffice(s *farm.OfficeServer, d farm.Difference) {
	target := tf.desired.Target
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
			s.Certificates = append(s.Certificates, farm.StoreCertificate{
				Thumbprint: target.Thumbprint, Subject: target.Subject, FriendlyName: target.FriendlyName, HasKey: true, Archived: tf.hasVisible(*s),
			})
		default:
			c := tf.targetOn(s)
			c.FriendlyName, c.HasKey = target.FriendlyName, true
		}
	case farm.StepGrant:
		c := tf.targetOn(s)
		c.KeyReaders, c.KeySigns = []string{farm.NetworkService}, true
	case farm.StepS2SName, farm.StepReplication:
		if d.Subject != "S2SCertificateName" {
			for i := range s.Certificates {
				s.Certificates[i].Archived = s.Certificates[i].Thumbprint != target.Thumbprint
			}
			return
		}
		s.Settings.S2SCertificateName, s.SettingsChangedAt = target.FriendlyName, tf.now
	case farm.StepHTTPSettings:
		office, _ := tf.desired.Farm.OfficeOf(s.Machine.Host)
		for i := range tf.observed.Office {
			member := &tf.observed.Office[i]
			if member.OfficeFarm != s.OfficeFarm {
				continue
			}
			if v := office.AllowOutboundHTTP; v != nil {
				member.Settings.AllowOutboundHTTP = *v
			}
			if v := office.AllowHTTPSecureStoreConnections; v != nil {
				member.Settings.AllowHTTPSecureStoreConnections = *v
			}
			member.SettingsChangedAt = tf.now
		}
	case farm.StepRestart:
		s.Service.Running, s.Service.StartedAt, s.WorkersStartedAt = true, tf.now, tf.now
	}
}

func (tf *testFarm) carryOutTrust(f *farm.SharePointFarm, d farm.Difference) {
	switch d.Step {
	case farm.StepRootAuthority:
		for _, c := range tf.desired.Target.RootAuthorities() {
			if d.Subject == "root authority "+c.Thumbprint.Short() {
				f.RootAuthorities = append(f.RootAuthorities, farm.RootAuthority{Thumbprint: c.Thumbprint})
			}
		}
	case farm.StepIssuer:
		for _, i := range farm.Issuers() {
			if d.Subject == "issuer "+i.Product {
				f.Issuers = slices.DeleteFunc(f.Issuers, func(t farm.TokenIssuer) bool { return t.RegisteredName == i.RegisteredName })
				f.Issuers = append(f.Issuers, farm.TokenIssuer{RegisteredName: i.RegisteredName, Thumbprint: tf.desired.Target.Thumbprint, ChangedAt: tf.now})
			}
			for j := range f.Permissions {
				if p := &f.Permissions[j]; d.Subject == "permission "+i.Product+" "+p.Site && p.RegisteredName == i.RegisteredName {
					p.Right, p.AppOnly = farm.FullControl, true
				}
			}
		}
	}
}

func (tf *testFarm) carryOutAll(differences []farm.Difference) {
	for _, d := range differences {
		tf.carryOut(d)
	}
}

// assertTrustWorks fails unless the trust is as the procedure wants it. It does not
// ask the code under test.
func (tf *testFarm) assertTrustWorks(t rapid.TB) {
	t.Helper()
	for _, s := range tf.observed.Office {
		tf.assertOfficeServerReady(t, s)
	}
	for _, office := range tf.desired.Farm.Offices() {
		tf.assertHTTPSettings(t, office)
	}
	for _, f := range tf.observed.SharePoint {
		tf.assertSharePointTrusts(t, f)
	}
}

func (tf *testFarm) assertHTTPSettings(t rapid.TB, office farm.Office) {
	t.Helper()
	master, _ := tf.observed.Master(office.Name)
	for _, setting := range []struct {
		name string
		want *bool
		got  bool
	}{
		{"AllowOutboundHttp", office.AllowOutboundHTTP, master.Settings.AllowOutboundHTTP},
		{"AllowHttpSecureStoreConnections", office.AllowHTTPSecureStoreConnections, master.Settings.AllowHTTPSecureStoreConnections},
	} {
		if setting.want != nil && *setting.want != setting.got {
			t.Errorf("%s: %s is %t", master.Machine.Host, setting.name, setting.got)
		}
	}
}

func (tf *testFarm) assertOfficeServerReady(t rapid.TB, s farm.OfficeServer) {
	t.Helper()
	expect := expecter(t, s.Machine.Host)
	target := tf.desired.Target
	expect(!tf.hasVisible(s), "another certificate of the subject is visible")
	expect(tf.targetOn(&s) != nil, "no certificate")
	if c := tf.targetOn(&s); c != nil {
		expect(!c.Archived, "archived")
		expect(c.HasKey, "no key")
		expect(c.KeySigns, "the key does not sign")
		expect(slices.Contains(c.KeyReaders, farm.NetworkService), "NETWORK SERVICE cannot read the key")
		expect(c.FriendlyName == target.FriendlyName, "friendly name %q", c.FriendlyName)
		expect(s.Settings.S2SCertificateName == target.FriendlyName, "S2SCertificateName %q", s.Settings.S2SCertificateName)
	}
	expect(!target.SelfSigned || len(s.Roots) > 0, "not in Trusted Root")
	for _, c := range target.Chain[:max(0, len(target.Chain)-1)] {
		expect(slices.Contains(s.Intermediates, c.Thumbprint), "no intermediate %s", c.Subject)
	}
}

func (tf *testFarm) assertSharePointTrusts(t rapid.TB, f farm.SharePointFarm) {
	t.Helper()
	expect := expecter(t, f.FrontEnd)
	target := tf.desired.Target
	expect(len(f.Issuers) == 2, "%d issuers", len(f.Issuers))
	for _, i := range f.Issuers {
		expect(i.Thumbprint == target.Thumbprint, "issuer %s with %s", i.RegisteredName, i.Thumbprint)
	}
	for _, p := range f.Permissions {
		expect(p.Right == "FullControl", "%s: right %q", p.Site, p.Right)
		expect(p.AppOnly, "%s: not app-only", p.Site)
	}
	trusts := func(thumbprint farm.Thumbprint) bool {
		return slices.ContainsFunc(f.RootAuthorities, func(a farm.RootAuthority) bool { return a.Thumbprint == thumbprint })
	}
	expect(!target.SelfSigned || trusts(target.Thumbprint), "the self-signed certificate is not trusted")
	for _, c := range target.Chain {
		expect(trusts(c.Thumbprint), "%s is not trusted", c.Subject)
	}
}

// expecter returns a function that fails the test for a server unless a condition
// holds.
func expecter(t rapid.TB, host string) func(ok bool, format string, args ...any) {
	return func(ok bool, format string, args ...any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s", host, fmt.Sprintf(format, args...))
		}
	}
}

// assertSettingsLoaded fails if a server runs with older settings than it has.
func (tf *testFarm) assertSettingsLoaded(t rapid.TB) {
	t.Helper()
	for _, s := range tf.observed.Office {
		expect := expecter(t, s.Machine.Host)
		expect(s.Service.Running, "WACSM is not running")
		expect(!s.Service.StartedAt.Before(s.SettingsChangedAt), "WACSM has not loaded the settings")
		expect(!s.WorkersStartedAt.Before(s.SettingsChangedAt), "IIS has not loaded the settings")
	}
	for _, f := range tf.observed.SharePoint {
		for _, s := range f.Servers {
			expect := expecter(t, s.Machine.Host)
			for _, i := range f.Issuers {
				expect(!s.Timer.StartedAt.Before(i.ChangedAt), "SPTimerV4 has not loaded the issuers")
				expect(!s.WorkersStartedAt.Before(i.ChangedAt), "IIS has not loaded the issuers")
			}
		}
	}
}
