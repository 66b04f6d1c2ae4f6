package powershell_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// restoreOf restores an issuer to the certificate before a rotation; none means
// that there was no issuer.
func restoreOf(ours testCertificate, before []byte, was ...powershell.SitePermission) powershell.RestoreTrustedIssuer {
	return powershell.RestoreTrustedIssuer{
		RegisteredName: sharePointIssuer, Ours: ours.thumbprint, Previous: before, Description: "for OOS", Permissions: was,
	}
}

// noPermission is that of an app principal without a right.
var noPermission = powershell.SitePermission{Site: site}

func TestRestoreIssuer(t *testing.T) {
	t.Parallel()
	t.Run("removes the rotation's own", func(t *testing.T) {
		t.Parallel()
		ours, theirs := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "theirs")
		for edition, version := range editions {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				spec := newFrontEnd(version)
				spec.sharePoint.Issuers = []model.TokenIssuer{{Name: "theirs", RegisteredIssuerName: sqlIssuer, Certificate: theirs.der}}
				s := newServer(t, spec)
				before := s.state()
				mustRun(t, s, trustOf(ours, sharePointIssuer, "OOS SharePoint Server"))

				want := powershell.RestoreIssuerResult{Changed: true, Removed: true, Permissions: []string{site}}
				if diff := cmp.Diff(want, mustRun(t, s, restoreOf(ours, nil, noPermission))); diff != "" {
					t.Errorf("first, want -, got +:\n%s", diff)
				}
				if second := mustRun(t, s, restoreOf(ours, nil, noPermission)); second.Changed {
					t.Errorf("second: %+v", second)
				}
				assertPermissions(t, s, nil)
				if diff := cmp.Diff(before, s.state(), cmpopts.IgnoreFields(serverState{}, "Permissions")); diff != "" {
					t.Errorf("before -, after +:\n%s", diff)
				}
			})
		}
	})
	t.Run("gives the certificate back and marks a restart", func(t *testing.T) {
		t.Parallel()
		old, ours := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		for edition, version := range editions {
			for kind, broker := range map[string]bool{"trust broker": true, "self issuer": false} {
				t.Run(edition+" "+kind, func(t *testing.T) {
					t.Parallel()
					spec := newFrontEnd(version)
					theirs := issuerOf(old, "theirs")
					theirs.TrustBroker, theirs.Description = broker, "for OOS [farmtrust 2025-01-02T03:04:05.678Z]"
					spec.sharePoint.Issuers = []model.TokenIssuer{theirs}
					s := newServer(t, spec)
					mustRun(t, s, trustOf(ours, sharePointIssuer, "ours"))
					params := restoreOf(ours, old.der, noPermission)
					want := powershell.RestoreIssuerResult{Changed: true, Updated: true, Permissions: []string{site}}
					if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
						t.Errorf("first, want -, got +:\n%s", diff)
					}
					if again := mustRun(t, s, params); again.Changed {
						t.Errorf("again: %+v", again)
					}
					assertRestored(t, s, old, broker)
				})
			}
		}
	})
}

// assertRestored asserts that an issuer has the certificate before the rotation,
// and that its description tells that it was set just now.
func assertRestored(t *testing.T, s *testServer, c testCertificate, broker bool) {
	t.Helper()
	found := mustRun(t, s, powershell.GetSharePointFarm{RegisteredNames: []string{sharePointIssuer}, Sites: []string{site}})
	issuer := found.Issuers[0]
	if issuer.Since == nil || time.Since(*issuer.Since) > time.Minute {
		t.Errorf("since %v, want just now", issuer.Since)
	}
	if !strings.HasPrefix(issuer.Description, "for OOS [farmtrust ") {
		t.Errorf("description %q", issuer.Description)
	}
	issuer.Since, issuer.Description = nil, ""
	want := powershell.TokenIssuer{
		Name: "theirs", RegisteredName: sharePointIssuer, Thumbprint: c.thumbprint, Certificate: c.der, TrustBroker: broker,
	}
	if diff := cmp.Diff(want, issuer); diff != "" {
		t.Errorf("issuer, want -, got +:\n%s", diff)
	}
	if p := found.Permissions[0]; p.Right != "" {
		t.Errorf("permission %+v, want none", p)
	}
}

func TestRestoreIssuer_Permission(t *testing.T) {
	t.Parallel()
	t.Run("is as it was", func(t *testing.T) {
		t.Parallel()
		ours := newCertificate(t, "s2s.contoso.com")
		cases := []struct {
			name    string
			was     powershell.SitePermission
			now     map[string]model.AppPermission
			changed bool
		}{
			{"none", noPermission, permissionOf("FullControl", true), true},
			{"a lesser right", powershell.SitePermission{Site: site, Right: "Read"}, permissionOf("FullControl", true), true},
			{"a lesser right without a user", powershell.SitePermission{Site: site, Right: "Manage", AppOnly: true}, permissionOf("FullControl", true), true},
			{"full control with a user", powershell.SitePermission{Site: site, Right: "FullControl"}, permissionOf("FullControl", true), true},
			{"a lesser right, interrupted", powershell.SitePermission{Site: site, Right: "Write"}, nil, true},
			{"full control as now", powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}, permissionOf("FullControl", true), false},
			{"a lesser right as now", powershell.SitePermission{Site: site, Right: "Read"}, permissionOf("Read", false), false},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				// The rotation found its certificate here already: it changed the permission only.
				spec := newFrontEnd(editions["2016"])
				spec.sharePoint.Issuers, spec.sharePoint.Permissions = []model.TokenIssuer{issuerOf(ours, "one")}, maps.Clone(c.now)
				s := newServer(t, spec)
				want := powershell.RestoreIssuerResult{Changed: c.changed, Permissions: []string{}}
				if c.changed {
					want.Permissions = []string{site}
				}
				if diff := cmp.Diff(want, mustRun(t, s, restoreOf(ours, ours.der, c.was))); diff != "" {
					t.Errorf("want -, got +:\n%s", diff)
				}
				permission := permissionOf(c.was.Right, c.was.AppOnly)
				if c.was.Right == "" {
					permission = nil
				}
				assertPermissions(t, s, permission)
				if again := mustRun(t, s, restoreOf(ours, ours.der, c.was)); again.Changed {
					t.Errorf("again: %+v", again)
				}
			})
		}
	})
	t.Run("of a principal that went with its issuer is ignored", func(t *testing.T) {
		t.Parallel()
		ours := newCertificate(t, "s2s.contoso.com")
		missing := model.Error{ID: "Microsoft.SharePoint.PowerShell.SPCmdletGetAppPrincipal", Message: "not found", Category: "InvalidData", Exception: "System.ArgumentException"}
		for name, principal := range map[string]pwsh.Override{"as an error": pwsh.Throw(missing), "as nothing": pwsh.Return(nil)} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := newFrontEnd(editions["2016"]).override("Get-SPAppPrincipal", principal).override("Get-AppPermission", pwsh.Return(
					pwsh.Object("AppPermission", map[string]any{"Right": "FullControl", "AppOnly": true})))
				if got := mustRun(t, newServer(t, spec), restoreOf(ours, nil, noPermission)); got.Changed {
					t.Errorf("got %+v", got)
				}
			})
		}
	})
}

func TestRestoreIssuer_RefusedIfNotOurs(t *testing.T) {
	t.Parallel()
	old, ours, theirs := newCertificate(t, "old"), newCertificate(t, "ours"), newCertificate(t, "theirs")
	one := func(c testCertificate) []model.TokenIssuer { return []model.TokenIssuer{issuerOf(c, "one")} }
	fullControl := powershell.SitePermission{Site: site, Right: "FullControl", AppOnly: true}
	cases := []struct {
		name        string
		issuers     []model.TokenIssuer
		permissions map[string]model.AppPermission
		cmdlet      string
		override    pwsh.Override
		params      powershell.RestoreTrustedIssuer
		id          string
	}{
		{name: "another certificate", issuers: one(theirs), params: restoreOf(ours, old.der), id: powershell.ChangedSince},
		{name: "another certificate in a new issuer", issuers: one(theirs), params: restoreOf(ours, nil), id: powershell.ChangedSince},
		{
			name: "an issuer without certificate", issuers: []model.TokenIssuer{{Name: "one", RegisteredIssuerName: sharePointIssuer}},
			params: restoreOf(ours, nil), id: powershell.ChangedSince,
		},
		{name: "somebody removed the issuer", params: restoreOf(ours, old.der), id: powershell.ChangedSince},
		{name: "two issuers", issuers: append(one(ours), issuerOf(ours, "two")), params: restoreOf(ours, old.der), id: powershell.IssuerAmbiguous},
		{
			name: "another permission", issuers: one(ours), permissions: permissionOf("Write", true),
			params: restoreOf(ours, old.der, noPermission), id: powershell.ChangedSince,
		},
		{name: "somebody took full control away", issuers: one(ours), params: restoreOf(ours, old.der, fullControl), id: powershell.ChangedSince},
		{
			name: "no app principal", issuers: one(ours), permissions: permissionOf("FullControl", true),
			cmdlet: "Get-SPAppPrincipal", override: pwsh.Return(nil), params: restoreOf(ours, old.der, noPermission), id: powershell.AppPrincipalMissing,
		},
		{
			name: "the permission stays", issuers: one(ours), permissions: permissionOf("FullControl", true),
			cmdlet: "Remove-SPAppPrincipalPermission", override: pwsh.Ignore(), params: restoreOf(ours, old.der, noPermission), id: powershell.SettingNotKept,
		},
		{
			name: "the issuer stays", issuers: one(ours),
			cmdlet: "Remove-SPTrustedSecurityTokenIssuer", override: pwsh.Ignore(), params: restoreOf(ours, nil), id: powershell.SettingNotKept,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newFrontEnd(editions["2016"]).override(c.cmdlet, c.override)
			spec.sharePoint.Issuers, spec.sharePoint.Permissions = c.issuers, c.permissions
			s := newServer(t, spec)
			before := s.state()
			assertRefused(t, s, c.params, c.id)
			assertUnchanged(t, before, s)
		})
	}
	t.Run("the farm cannot be reached", func(t *testing.T) {
		t.Parallel()
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.RemoteSQL = true
		assertRefused(t, newServer(t, spec), restoreOf(ours, nil), powershell.SecondHop)
	})
}

func TestRemoveRootAuthority(t *testing.T) {
	t.Parallel()
	t.Run("goes by the certificate and never takes local", func(t *testing.T) {
		t.Parallel()
		ours, theirs := newCertificate(t, "Contoso Root"), newCertificate(t, "theirs")
		for edition, version := range editions {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				kept := []model.RootAuthority{{Name: "without"}, {Name: "theirs", Certificate: theirs.der}}
				spec := newFrontEnd(version)
				spec.local, spec.sharePoint.Authorities = ours.der, append([]model.RootAuthority{{Name: "renamed", Certificate: ours.der}}, kept...)
				s := newServer(t, spec)
				params := powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}}
				if diff := cmp.Diff(powershell.RemoveRootResult{Changed: true, Removed: []string{"renamed"}, Kept: []string{}}, mustRun(t, s, params)); diff != "" {
					t.Errorf("first, want -, got +:\n%s", diff)
				}
				if diff := cmp.Diff(powershell.RemoveRootResult{Removed: []string{}, Kept: []string{}}, mustRun(t, s, params)); diff != "" {
					t.Errorf("second, want -, got +:\n%s", diff)
				}
				// Without the farm's own, which state leaves out because it is there.
				if diff := cmp.Diff(kept, s.state().Authorities); diff != "" {
					t.Errorf("authorities, want -, got +:\n%s", diff)
				}
			})
		}
	})
	t.Run("keeps what another issuer's certificate needs", func(t *testing.T) {
		t.Parallel()
		root := testfarm.NewPair(t, "Contoso Root", nil)
		issuing := testfarm.NewPair(t, "Contoso Issuing", &root)
		addIn, ours := testfarm.NewPair(t, "add-in", &issuing), testfarm.NewPair(t, "s2s", &issuing)
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.Issuers = []model.TokenIssuer{
			{Name: "ours", RegisteredIssuerName: strings.ToUpper(sharePointIssuer), Certificate: ours.Cert.Raw},
			{Name: "without a certificate", RegisteredIssuerName: "c@d"},
			{Name: "add-in", RegisteredIssuerName: "a@b", Certificate: addIn.Cert.Raw},
		}
		for _, pair := range []testfarm.KeyPair{root, issuing, ours} {
			spec.sharePoint.Authorities = append(spec.sharePoint.Authorities, model.RootAuthority{Name: pair.Cert.Subject.CommonName, Certificate: pair.Cert.Raw})
		}
		got := mustRun(t, newServer(t, spec), powershell.RemoveRootAuthority{
			Thumbprints:     []string{string(root.Thumbprint()), string(issuing.Thumbprint()), string(ours.Thumbprint())},
			RegisteredNames: []string{sharePointIssuer, sqlIssuer},
		})
		want := powershell.RemoveRootResult{Changed: true, Removed: []string{"s2s"}, Kept: []string{
			"'Contoso Root', which issuer 'add-in' needs", "'Contoso Issuing', which issuer 'add-in' needs",
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("one that stays is an error", func(t *testing.T) {
		t.Parallel()
		ours := newCertificate(t, "Contoso Root")
		spec := newFrontEnd(editions["2016"]).override("Remove-SPTrustedRootAuthority", pwsh.Ignore())
		spec.sharePoint.Authorities = []model.RootAuthority{{Name: "r", Certificate: ours.der}}
		assertRefused(t, newServer(t, spec), powershell.RemoveRootAuthority{Thumbprints: []string{ours.thumbprint}}, powershell.SettingNotKept)
	})
}

// refusesNoName is a product that does not accept an empty name.
func refusesNoName(s *serverSpec) {
	s.override("Set-OfficeWebAppsFarm", pwsh.Throw(model.Error{
		ID: "lokalisiert", Message: "Der Name fehlt.", Category: "InvalidArgument", Exception: "System.ArgumentException",
	}))
}

// forgetsSettings is a product that does not keep a setting, without an error.
func forgetsSettings(s *serverSpec) { s.override("Set-OfficeWebAppsFarm", pwsh.Ignore()) }

func TestRestoreS2SName_OnlyFromOurs(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, now, previous string
		spec                func(s *serverSpec)
		want                powershell.RestoreNameResult
		after               string
	}{
		{name: "to a name", now: friendly, previous: "old", want: powershell.RestoreNameResult{Changed: true}, after: "old"},
		{name: "to none", now: friendly, want: powershell.RestoreNameResult{Changed: true}},
		{
			name: "to none, refused", now: friendly, spec: refusesNoName,
			want: powershell.RestoreNameResult{ClearRefused: true, Reason: "Der Name fehlt."}, after: friendly,
		},
		{name: "to none, ignored", now: friendly, spec: forgetsSettings, want: powershell.RestoreNameResult{ClearRefused: true}, after: friendly},
		{name: "has the name", now: "old", previous: "old", after: "old"},
		{name: "has none"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer()
			spec.office.S2SCertificateName = c.now
			if c.spec != nil {
				c.spec(spec)
			}
			s := newServer(t, spec)
			params := powershell.RestoreS2SCertificateName{Ours: friendly, Previous: c.previous}
			if diff := cmp.Diff(c.want, mustRun(t, s, params), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if again := mustRun(t, s, params); again.Changed {
				t.Errorf("again: %+v", again)
			}
			assertS2SName(t, s, c.after)
		})
	}
}

// What was visible before is visible again, unless the product keeps the name.
func TestRestoreS2SName_Unarchives(t *testing.T) {
	t.Parallel()
	old, s2s := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
	both := func(one, other testCertificate) []string { return []string{one.thumbprint, other.thumbprint} }
	for name, c := range map[string]struct {
		previous string
		spec     func(*serverSpec)
		want     powershell.RestoreNameResult
		archived testCertificate
	}{
		"to a name": {previous: "old", spec: func(*serverSpec) {}, want: powershell.RestoreNameResult{Changed: true, Marked: both(old, s2s)}, archived: s2s},
		"to none":   {spec: func(*serverSpec) {}, want: powershell.RestoreNameResult{Changed: true, Marked: both(old, s2s)}, archived: s2s},
		"to none, refused": {
			spec: refusesNoName, want: powershell.RestoreNameResult{ClearRefused: true, Reason: "Der Name fehlt.", Marked: []string{}}, archived: old,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().in(model.My, archived(old.withKey("old")), s2s.withKey(friendly))
			spec.office.S2SCertificateName = friendly
			c.spec(spec)
			s := newServer(t, spec)
			params := powershell.RestoreS2SCertificateName{
				Ours: friendly, Previous: c.previous, Unarchive: []string{old.thumbprint}, Archive: []string{s2s.thumbprint},
			}
			if diff := cmp.Diff(c.want, mustRun(t, s, params)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			assertArchived(t, s, c.archived)
			if again := mustRun(t, s, params); again.Changed || len(again.Marked) > 0 {
				t.Errorf("again: %+v", again)
			}
			assertArchived(t, s, c.archived)
		})
	}
	t.Run("to a name, refused", func(t *testing.T) {
		t.Parallel()
		spec := newOfficeServer().in(model.My, archived(old.withKey("old")), s2s.withKey(friendly))
		spec.office.S2SCertificateName = friendly
		refusesNoName(spec)
		s := newServer(t, spec)
		assertRefused(t, s, powershell.RestoreS2SCertificateName{
			Ours: friendly, Previous: "old", Unarchive: []string{old.thumbprint}, Archive: []string{s2s.thumbprint},
		}, "lokalisiert")
		assertArchived(t, s, old)
	})
}

// A restore is refused where the name is not ours, or where it does not stay.
func TestRestoreS2SName_Refused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, now string
		spec      func(s *serverSpec)
		id        string
	}{
		{"somebody else's name", "theirs", func(*serverSpec) {}, powershell.ChangedSince},
		{"no name", "", func(*serverSpec) {}, powershell.ChangedSince},
		{"the farm forgets the setting", friendly, forgetsSettings, powershell.SettingNotKept},
		{"another machine is the master", friendly, func(s *serverSpec) { s.isMember = true }, powershell.NotMaster},
		{"the product refuses a name", friendly, refusesNoName, "lokalisiert"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer()
			spec.office.S2SCertificateName = c.now
			c.spec(spec)
			s := newServer(t, spec)
			assertRefused(t, s, powershell.RestoreS2SCertificateName{Ours: friendly, Previous: "old"}, c.id)
			assertS2SName(t, s, c.now)
		})
	}
}
