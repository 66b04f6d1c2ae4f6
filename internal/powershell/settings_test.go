package powershell_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func assertS2SName(t *testing.T, s *testServer, want string) {
	t.Helper()
	if got := s.state().Office.S2SCertificateName; got != want {
		t.Errorf("the farm's S2S certificate name is %q, want %q", got, want)
	}
}

// archived is a certificate that is archived in its store.
func archived(e storeEntry) storeEntry {
	e.archived = true
	return e
}

// assertArchived asserts which certificates of Personal are archived, and that no
// other is.
func assertArchived(t *testing.T, s *testServer, want ...testCertificate) {
	t.Helper()
	var wanted, got []farm.Thumbprint
	for _, c := range want {
		wanted = append(wanted, farm.Thumbprint(c.thumbprint))
	}
	for _, c := range s.state().Stores[model.My] {
		if c.Archived {
			got = append(got, c.Thumbprint)
		}
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("archived, want -, got +:\n%s", diff)
	}
}

func TestSetS2SName(t *testing.T) {
	t.Parallel()
	t.Run("once, on the master", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		// The product names machines in either way.
		spec := newOfficeServer().in(model.My, s2s.withKey(friendly)).
			override("Get-OfficeWebAppsMachine", pwsh.Edit("MasterMachineName", host))
		s := newServer(t, spec)
		params := powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: s2s.thumbprint}
		if diff := cmp.Diff(powershell.SetNameResult{Changed: true, Marked: []string{}}, mustRun(t, s, params)); diff != "" {
			t.Errorf("first, want -, got +:\n%s", diff)
		}
		if diff := cmp.Diff(powershell.SetNameResult{Previous: friendly, Marked: []string{}}, mustRun(t, s, params)); diff != "" {
			t.Errorf("second, want -, got +:\n%s", diff)
		}
		assertS2SName(t, s, friendly)
	})
	t.Run("it is shown and the others of its subject are archived", func(t *testing.T) {
		t.Parallel()
		old, s2s := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		spec := newOfficeServer().in(model.My, old.withKey("old"), archived(s2s.withKey(friendly)))
		spec.office.S2SCertificateName = "old"
		s := newServer(t, spec)
		params := powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: s2s.thumbprint, Archive: []string{old.thumbprint}}
		want := powershell.SetNameResult{Changed: true, Previous: "old", Marked: []string{s2s.thumbprint, old.thumbprint}}
		if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
			t.Errorf("first, want -, got +:\n%s", diff)
		}
		want = powershell.SetNameResult{Previous: friendly, Marked: []string{}}
		if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
			t.Errorf("second, want -, got +:\n%s", diff)
		}
		assertArchived(t, s, old)
	})
	t.Run("what is archived stays where the setting is refused", func(t *testing.T) {
		t.Parallel()
		old, s2s := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		for name, c := range map[string]struct {
			spec func(*serverSpec)
			id   string
		}{
			"by the product":               {func(s *serverSpec) { forgetsSettings(s) }, powershell.SettingNotKept},
			"the other serves TLS as well": {usesOf(old)["http.sys"], powershell.InUse},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := newOfficeServer().in(model.My, old.withKey("old"), archived(s2s.withKey(friendly)))
				spec.office.S2SCertificateName = "old"
				c.spec(spec)
				s := newServer(t, spec)
				assertRefused(t, s, powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: s2s.thumbprint, Archive: []string{old.thumbprint}}, c.id)
				assertS2SName(t, s, "old")
				assertArchived(t, s, s2s)
			})
		}
	})
	t.Run("refused unless it selects the certificate and stays", func(t *testing.T) {
		t.Parallel()
		s2s, another := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "other.contoso.com")
		cases := []struct {
			name string
			spec func(s *serverSpec)
			id   string
		}{
			{"another machine is the master", func(s *serverSpec) { s.isMember = true }, powershell.NotMaster},
			{"the machine is in no farm", func(s *serverSpec) { s.office, s.machine.Office = nil, true }, powershell.NotJoined},
			{"the certificate has another name", func(s *serverSpec) { s.in(model.My, s2s.withKey("theirs")) }, powershell.WrongCertificate},
			{"the certificate is missing", func(s *serverSpec) { s.in(model.My) }, powershell.CertificateNotFound},
			{
				"two certificates have the name",
				func(s *serverSpec) { s.in(model.My, s2s.withKey(friendly), another.withKey(friendly)) }, powershell.AmbiguousFriendlyName,
			},
			{"the farm forgets the setting", func(s *serverSpec) { s.override("Set-OfficeWebAppsFarm", pwsh.Ignore()) }, powershell.SettingNotKept},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				spec := newOfficeServer().in(model.My, s2s.withKey(friendly))
				c.spec(spec)
				s := newServer(t, spec)
				assertRefused(t, s, powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: s2s.thumbprint}, c.id)
				assertS2SName(t, s, "")
			})
		}
	})
}

func TestSetOfficeHTTPSetting(t *testing.T) {
	t.Parallel()
	t.Run("changes only what is given", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newOfficeServer())
		on, off := true, false
		for _, c := range []struct {
			name   string
			params powershell.SetOfficeHTTPSetting
			want   []string
		}{
			{"nothing is given", powershell.SetOfficeHTTPSetting{}, []string{}},
			{
				"one of two differs",
				powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on, AllowHTTPSecureStoreConnections: &off},
				[]string{"AllowOutboundHttp"},
			},
			{"the other", powershell.SetOfficeHTTPSetting{AllowHTTPSecureStoreConnections: &on}, []string{"AllowHttpSecureStoreConnections"}},
		} {
			want := powershell.SetSettingResult{Changed: len(c.want) > 0, Settings: c.want}
			if diff := cmp.Diff(want, mustRun(t, s, c.params)); diff != "" {
				t.Errorf("%s, want -, got +:\n%s", c.name, diff)
			}
		}
		want := model.OfficeSettings{
			InternalURL: "https://office.contoso.com/", AllowOutboundHTTP: true, AllowHTTPSecureStoreConnections: true,
		}
		if diff := cmp.Diff(want, s.state().Office); diff != "" {
			t.Errorf("settings, want -, got +:\n%s", diff)
		}
	})
	t.Run("one that does not stay is an error", func(t *testing.T) {
		t.Parallel()
		on := true
		s := newServer(t, newOfficeServer().override("Set-OfficeWebAppsFarm", pwsh.Ignore()))
		assertRefused(t, s, powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on}, powershell.SettingNotKept)
	})
}
