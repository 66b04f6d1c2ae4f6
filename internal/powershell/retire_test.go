package powershell_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// germanBindings is what netsh prints on a German server.
func germanBindings(c testCertificate) []string {
	return []string{
		"", "SSL-Zertifikatbindungen:", "-------------------------", "",
		"    IP:Port                      : 0.0.0.0:443",
		"    Zertifikathash               : 00112233445566778899aabbccddeeff00112233",
		"    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}", "",
		"    IP:Port                      : [::]:444",
		"    Zertifikathash               : " + strings.ToLower(c.thumbprint),
		"    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}", "",
		"    Hostname:Port                : office.contoso.com:443",
		"    Zertifikathash               : " + strings.ToLower(c.thumbprint), "",
	}
}

// asPasted is a thumbprint as it was pasted from the dialog of a certificate.
func asPasted(c testCertificate) string {
	return "\u200e" + strings.ToLower(c.thumbprint[:2]) + " " + c.thumbprint[2:]
}

// usesOf are the ways in which something may name a certificate called friendly.
func usesOf(c testCertificate) map[string]func(s *serverSpec) {
	return map[string]func(s *serverSpec){
		"S2S name": func(s *serverSpec) { s.office.S2SCertificateName = friendly },
		"TLS name": func(s *serverSpec) { s.override("Get-OfficeWebAppsFarm", pwsh.Edit("CertificateName", friendly)) },
		"http.sys": func(s *serverSpec) { s.override("Get-TlsBindingText", pwsh.Return(germanBindings(c))) },
		"WinRM listener": func(s *serverSpec) {
			s.override("Get-ListenerThumbprint", pwsh.Return([]string{"", asPasted(c)}))
		},
		"WinRM service":  func(s *serverSpec) { s.override("Get-WinRmThumbprint", pwsh.Return(asPasted(c))) },
		"Remote Desktop": func(s *serverSpec) { s.override("Get-RemoteDesktopThumbprint", pwsh.Return([]string{c.thumbprint})) },
	}
}

func TestGetCertificateUse(t *testing.T) {
	t.Parallel()
	s2s := newCertificate(t, "s2s.contoso.com")
	held := s2s.withKey(friendly)
	archived := held
	archived.archived = true
	cases := []struct {
		name string
		spec func(s *serverSpec)
		want powershell.CertificateUse
	}{
		{"unused", func(s *serverSpec) { s.in(model.My, held) }, powershell.CertificateUse{Present: true, Uses: []string{}}},
		{"not there", func(*serverSpec) {}, powershell.CertificateUse{Uses: []string{}}},
		{
			"archived, in no farm", func(s *serverSpec) { s.in(model.My, archived).office, s.machine.Office = nil, true },
			powershell.CertificateUse{Present: true, Archived: true, Uses: []string{}},
		},
		{
			"in every way, whatever the server's language",
			func(s *serverSpec) {
				s.in(model.My, held)
				for _, use := range usesOf(s2s) {
					use(s)
				}
			},
			powershell.CertificateUse{Present: true, Uses: []string{
				"S2SCertificateName", "CertificateName", "http.sys [::]:444", "http.sys office.contoso.com:443",
				"WinRM listener", "WinRM service", "Remote Desktop",
			}},
		},
		{
			"unused as far as can be read",
			func(s *serverSpec) {
				s.in(model.My, held).machine.CentralStore = `\\files\certificates`
				s.override("Get-RemoteDesktopThumbprint", pwsh.Throw(model.Error{ID: "cim", Message: "Invalid namespace", Category: "MetadataError", Exception: "System.InvalidOperationException"}))
			},
			powershell.CertificateUse{Present: true, Uses: []string{}, Notes: []string{
				"the certificate of Remote Desktop could not be read: Invalid namespace",
				`IIS's central certificate store is in use (\\files\certificates), and its files are protected by passwords`,
			}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer()
			c.spec(spec)
			got := mustRun(t, newServer(t, spec), powershell.GetCertificateUse{Thumbprint: s2s.thumbprint})
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
	for name, wildcard := range map[string]testCertificate{
		"a wildcard":                       newCertificate(t, "*.contoso.com"),
		"a wildcard among the other names": newCertificateFor(t, "contoso.com", farm.KeyProvider, "contoso.com", "*.office.contoso.com"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, newOfficeServer().in(model.My, wildcard.withKey(friendly)))
			if got := mustRun(t, s, powershell.GetCertificateUse{Thumbprint: wildcard.thumbprint}); !got.Wildcard {
				t.Errorf("got %+v", got)
			}
			seen := mustRun(t, s, powershell.GetOfficeServer{Thumbprint: wildcard.thumbprint})
			if len(seen.Certificates) != 1 || !seen.Certificates[0].Wildcard {
				t.Errorf("observed: %+v", seen.Certificates)
			}
		})
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	t.Run("once and back", func(t *testing.T) {
		t.Parallel()
		old, next := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		spec := newOfficeServer().in(model.My, old.withKey("old"), next.withKey(friendly))
		spec.office.S2SCertificateName = friendly
		s := newServer(t, spec)
		for _, archived := range []bool{true, false} {
			params := powershell.SetS2SCertificateArchived{Thumbprint: old.thumbprint, Archived: archived}
			if first, second := mustRun(t, s, params), mustRun(t, s, params); !first.Changed || second.Changed {
				t.Errorf("archived %v: first %+v, second %+v", archived, first, second)
			}
			marked := stored(old, "old", true)
			marked.Archived = archived
			assertStores(t, s, map[model.Store][]model.CertificateState{model.My: {marked, stored(next, friendly, true)}})
			if found := mustRun(t, s, powershell.GetOfficeServer{Thumbprint: old.thumbprint}).Certificates[0]; found.Archived != archived {
				t.Errorf("archived %v: it is observed as archived %v", archived, found.Archived)
			}
		}
	})
	t.Run("without the certificate changes nothing", func(t *testing.T) {
		t.Parallel()
		params := powershell.SetS2SCertificateArchived{Thumbprint: newCertificate(t, "absent").thumbprint, Archived: true}
		if got := mustRun(t, newServer(t, newOfficeServer()), params); got.Changed {
			t.Errorf("got %+v", got)
		}
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	t.Run("the certificate, its key and what came with it", func(t *testing.T) {
		t.Parallel()
		ours, theirs, issuing := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "theirs"), newCertificate(t, "Contoso Issuing")
		for name, archived := range map[string]bool{"archived": true, "not archived": false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				held := ours.withKey(friendly)
				held.archived = archived
				s := newServer(t, newOfficeServer().
					in(model.My, held, theirs.withKey("theirs"), issuing.withoutKey("")).
					in(model.Root, ours.withoutKey(""), theirs.withoutKey("")).
					in(model.CA, issuing.withoutKey(""), theirs.withoutKey("")))
				kept := s.keyFile(theirs)
				params := powershell.RemoveS2SCertificate{
					Thumbprint: ours.thumbprint, Personal: true, Root: true, Intermediates: []string{issuing.thumbprint},
				}
				want := powershell.RemoveResult{Changed: true, Removed: []string{"Root", "CA", "My"}}
				if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
					t.Errorf("first, want -, got +:\n%s", diff)
				}
				if diff := cmp.Diff(powershell.RemoveResult{Removed: []string{}}, mustRun(t, s, params)); diff != "" {
					t.Errorf("second, want -, got +:\n%s", diff)
				}
				assertStores(t, s, map[model.Store][]model.CertificateState{
					model.My:   {stored(theirs, "theirs", true), stored(issuing, "", false)},
					model.Root: {stored(theirs, "", false)}, model.CA: {stored(theirs, "", false)},
				})
				if diff := cmp.Diff([]string{kept}, s.state().KeyFiles); diff != "" {
					t.Errorf("key files, want -, got +:\n%s", diff)
				}
			})
		}
	})
	t.Run("only what is asked for", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)).in(model.Root, s2s.withoutKey("")).in(model.CA, s2s.withoutKey("")))
		got := mustRun(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Root: true})
		if diff := cmp.Diff(powershell.RemoveResult{Changed: true, Removed: []string{"Root"}}, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		assertStores(t, s, map[model.Store][]model.CertificateState{
			model.My: {stored(s2s, friendly, true)}, model.CA: {stored(s2s, "", false)}, model.Root: {},
		})
		assertKeyFiles(t, s, 1)
	})
}

func TestRemove_Key(t *testing.T) {
	t.Parallel()
	t.Run("a removal that was interrupted is finished", func(t *testing.T) {
		t.Parallel()
		s2s, public := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "public.contoso.com")
		interrupted := s2s.withKey(friendly)
		interrupted.keyGone = true
		s := newServer(t, newOfficeServer().in(model.My, interrupted, public.withoutKey("")))
		for _, thumbprint := range []string{s2s.thumbprint, public.thumbprint} {
			if got := mustRun(t, s, powershell.RemoveS2SCertificate{Thumbprint: thumbprint, Personal: true}); !got.Changed {
				t.Errorf("got %+v", got)
			}
		}
		assertStores(t, s, map[model.Store][]model.CertificateState{model.My: {}})
	})
	t.Run("a key that another certificate shares is kept", func(t *testing.T) {
		t.Parallel()
		old, next, broken := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com"), newCertificate(t, "broken")
		renewed, gone := next.withoutKey(friendly), broken.withKey("broken")
		renewed.keyOf, gone.keyGone = &old, true
		s := newServer(t, newOfficeServer().in(model.My, gone, old.withKey("old"), renewed))
		shared := s.keyFile(old)
		mustRun(t, s, powershell.RemoveS2SCertificate{Thumbprint: old.thumbprint, Personal: true})
		state := s.state()
		if diff := cmp.Diff([]string{shared}, state.KeyFiles); diff != "" {
			t.Errorf("key files, want -, got +:\n%s", diff)
		}
		if left := len(state.Stores[model.My]); left != 2 {
			t.Errorf("%d certificates left, want 2", left)
		}
	})
	t.Run("a key that cannot be found is left to an operator", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		noKey := model.Error{ID: powershell.KeyMissing, Message: "no RSA key", Category: "InvalidOperation", Exception: "System.InvalidOperationException"}
		for name, c := range map[string]struct {
			location pwsh.Override
			id       string
		}{
			"in no known folder":     {pwsh.Edit("File", ""), powershell.KeyFileNotFound},
			"of an unknown provider": {pwsh.Throw(noKey), powershell.KeyMissing},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Get-KeyLocation", c.location))
				before := s.state()
				assertRefused(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Personal: true}, c.id)
				assertUnchanged(t, before, s)
			})
		}
	})
}

func TestRetire(t *testing.T) {
	t.Parallel()
	t.Run("a certificate in use is neither archived nor removed", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		for name, use := range usesOf(s2s) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := newOfficeServer().in(model.My, s2s.withKey(friendly)).in(model.Root, s2s.withoutKey(""))
				use(spec)
				s := newServer(t, spec)
				before := s.state()
				assertRefused(t, s, powershell.SetS2SCertificateArchived{Thumbprint: s2s.thumbprint, Archived: true}, powershell.InUse)
				assertRefused(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Personal: true, Root: true}, powershell.InUse)
				assertUnchanged(t, before, s)
			})
		}
	})
	t.Run("a certificate that stays is an error", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		spec := newOfficeServer().in(model.My, s2s.withKey(friendly)).in(model.Root, s2s.withoutKey("")).
			override("Remove-StoreCertificate", pwsh.Ignore()).override("Set-StoreArchived", pwsh.Ignore())
		s := newServer(t, spec)
		assertRefused(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Personal: true}, powershell.SettingNotKept)
		assertRefused(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Root: true}, powershell.SettingNotKept)
		assertRefused(t, s, powershell.SetS2SCertificateArchived{Thumbprint: s2s.thumbprint, Archived: true}, powershell.SettingNotKept)
	})
	t.Run("needs administrator rights", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		spec := newOfficeServer()
		spec.filtered = true
		s := newServer(t, spec)
		assertRefused(t, s, powershell.GetCertificateUse{Thumbprint: s2s.thumbprint}, powershell.NotElevated)
		assertRefused(t, s, powershell.SetS2SCertificateArchived{Thumbprint: s2s.thumbprint, Archived: true}, powershell.NotElevated)
		assertRefused(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint}, powershell.NotElevated)
		assertRefused(t, s, powershell.RevokeS2SKey{Thumbprint: s2s.thumbprint, Sid: farm.NetworkService}, powershell.NotElevated)
		assertRefused(t, s, powershell.RestoreS2SCertificateName{Ours: friendly}, powershell.NotElevated)
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	t.Run("takes read access back once", func(t *testing.T) {
		t.Parallel()
		s2s, public := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "public.contoso.com")
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly), public.withoutKey("")))
		before := s.state()
		mustRun(t, s, grantOf(s2s, "administrator"))
		params := powershell.RevokeS2SKey{Thumbprint: s2s.thumbprint, Sid: farm.NetworkService}
		if first, second := mustRun(t, s, params), mustRun(t, s, params); !first.Changed || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		for _, without := range []string{public.thumbprint, newCertificate(t, "absent").thumbprint} {
			if got := mustRun(t, s, powershell.RevokeS2SKey{Thumbprint: without, Sid: farm.NetworkService}); got.Changed {
				t.Errorf("without a key: %+v", got)
			}
		}
		assertUnchanged(t, before, s)
	})
	t.Run("leaves another access entry to an operator", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		// The account reads by an inherited entry, which the script does not remove.
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Remove-KeyReader", pwsh.Ignore()))
		_, err := s.session().GrantKey(farm.Thumbprint(s2s.thumbprint), farm.NetworkService)
		requireNoError(t, err)
		assertRefused(t, s, powershell.RevokeS2SKey{Thumbprint: s2s.thumbprint, Sid: farm.NetworkService}, powershell.ChangedSince)
	})
}
