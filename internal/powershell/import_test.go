package powershell_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func importOf(c testCertificate) powershell.ImportS2SCertificate {
	return powershell.ImportS2SCertificate{
		Thumbprint: c.thumbprint, FriendlyName: friendly, Provider: farm.KeyProvider,
		PFX: slices.Clone(c.pfx), Password: []byte(pfxPassword),
	}
}

// stored are the certificates of a store that tests compare.
func stored(c testCertificate, friendlyName string, hasKey bool) model.CertificateState {
	state := model.CertificateState{
		Thumbprint: farm.Thumbprint(c.thumbprint), FriendlyName: friendlyName, Subject: c.subject, NotBefore: notBefore, NotAfter: notAfter,
	}
	if hasKey {
		state.Provider, state.KeyReaders = farm.KeyProvider, []string{model.System, model.Administrators}
	}
	return state
}

// assertStores compares stores; [assertKeyFiles] is about the files of keys, which
// have names of their own.
func assertStores(t *testing.T, s *testServer, want map[model.Store][]model.CertificateState) {
	t.Helper()
	empty := cmpopts.IgnoreMapEntries(func(_ model.Store, held []model.CertificateState) bool { return len(held) == 0 })
	unnamed := cmpopts.IgnoreFields(model.CertificateState{}, "KeyFile")
	if diff := cmp.Diff(want, s.state().Stores, empty, unnamed); diff != "" {
		t.Errorf("stores, want -, got +:\n%s", diff)
	}
}

func assertKeyFiles(t *testing.T, s *testServer, want int) {
	t.Helper()
	if got := s.state().KeyFiles; len(got) != want {
		t.Errorf("the machine has the key files %q, want %d", got, want)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	t.Run("each part goes where it belongs, once", func(t *testing.T) {
		t.Parallel()
		s2s, issuing := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "Contoso Issuing CA")
		s := newServer(t, newOfficeServer())
		params := importOf(s2s)
		params.SelfSigned = true
		params.Intermediates = []string{b64(issuing.der)}
		want := powershell.ImportResult{Changed: true, Added: []string{"My", "CA", "Root"}, Certificate: recordOf(s2s, friendly, true, true)}
		want.Container = farm.KeyContainer(farm.Thumbprint(s2s.thumbprint))
		if diff := cmp.Diff(want, mustRun(t, s, params), keyTimes); diff != "" {
			t.Errorf("first import, want -, got +:\n%s", diff)
		}
		want.Changed, want.Added, want.Container = false, []string{}, ""
		if diff := cmp.Diff(want, mustRun(t, s, params), keyTimes); diff != "" {
			t.Errorf("second import, want -, got +:\n%s", diff)
		}
		assertStores(t, s, map[model.Store][]model.CertificateState{
			model.My: {stored(s2s, friendly, true)}, model.CA: {stored(issuing, "", false)}, model.Root: {stored(s2s, "", false)},
		})
		assertKeyFiles(t, s, 1)
	})
	t.Run("archived, and as it is where it is there", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		for name, before := range map[string][]storeEntry{"new": nil, "without its key": {s2s.withoutKey(friendly)}, "archived": {archived(s2s.withKey(""))}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, newOfficeServer().in(model.My, before...))
				params := importOf(s2s)
				params.Archived = true
				want := recordOf(s2s, friendly, true, true)
				want.Archived = true
				if diff := cmp.Diff(want, mustRun(t, s, params).Certificate, keyTimes); diff != "" {
					t.Errorf("want -, got +:\n%s", diff)
				}
				assertArchived(t, s, s2s)
			})
		}
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)))
		params := importOf(s2s)
		params.Archived = true
		if got := mustRun(t, s, params); got.Changed {
			t.Errorf("changed: %+v", got)
		}
		assertArchived(t, s)
	})
	t.Run("a certificate without a name is named", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey("")))
		want := powershell.ImportResult{Changed: true, Added: []string{}, Certificate: recordOf(s2s, friendly, true, true)}
		if diff := cmp.Diff(want, mustRun(t, s, importOf(s2s)), keyTimes); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		assertStores(t, s, map[model.Store][]model.CertificateState{model.My: {stored(s2s, friendly, true)}})
	})
	t.Run("a copy without its key is replaced", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		s := newServer(t, newOfficeServer().in(model.My, s2s.withoutKey(friendly)))
		if got := mustRun(t, s, importOf(s2s)); !got.Certificate.HasKey {
			t.Errorf("the certificate has no key: %+v", got.Certificate)
		}
		assertStores(t, s, map[model.Store][]model.CertificateState{model.My: {stored(s2s, friendly, true)}})
	})
}

func TestImport_RefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	s2s, another := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "other.contoso.com")
	plain := newCertificateIn(t, "plain.contoso.com", pkcs12.Modern, pfxPassword)
	cases := []struct {
		name   string
		spec   func(s *serverSpec)
		params func(p *powershell.ImportS2SCertificate)
		id     string
	}{
		{name: "a wrong password", id: powershell.PfxRefused, params: func(p *powershell.ImportS2SCertificate) { p.Password = []byte("wrong") }},
		{
			name: "a PFX with another certificate", id: powershell.WrongCertificate,
			params: func(p *powershell.ImportS2SCertificate) { p.PFX = another.pfx },
		},
		{
			name: "another provider got the key", id: powershell.ProviderNotApplied, // as for any PFX that names none
			params: func(p *powershell.ImportS2SCertificate) { p.PFX, p.Thumbprint = plain.pfx, plain.thumbprint },
		},
		{
			name: "the store lost the key", id: powershell.KeyMissing,
			spec: func(s *serverSpec) { s.override("Get-PersonalCertificate", pwsh.Edit("HasPrivateKey", false)) },
		},
		{name: "no administrator rights", id: powershell.NotElevated, spec: func(s *serverSpec) { s.filtered = true }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec, params := newOfficeServer(), importOf(s2s)
			if c.spec != nil {
				c.spec(spec)
			}
			if c.params != nil {
				c.params(&params)
			}
			s := newServer(t, spec)
			assertRefused(t, s, params, c.id)
			if left := s.state().Stores[model.My]; len(left) != 0 {
				t.Errorf("certificates left in Personal: %+v", left)
			}
			assertKeyFiles(t, s, 0)
		})
	}
}

// An import never renames a certificate, and never makes a name ambiguous.
func TestImport_RefusedOverAName(t *testing.T) {
	t.Parallel()
	s2s, another := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "other.contoso.com")
	cases := []struct {
		name  string
		store model.Store
		entry storeEntry
		id    string
	}{
		{"the target has another name", model.My, s2s.withKey("theirs"), powershell.NameDiffers},
		{"another certificate has the name", model.My, another.withKey(friendly), powershell.AmbiguousFriendlyName},
		{"another certificate in Trusted Root has the name", model.Root, another.withoutKey(friendly), powershell.AmbiguousFriendlyName},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, newOfficeServer().in(c.store, c.entry))
			before := s.state()
			assertRefused(t, s, importOf(s2s), c.id)
			assertUnchanged(t, before, s)
		})
	}
}

// assertUnchanged asserts that a server and its farms are as before.
func assertUnchanged(t *testing.T, before serverState, s *testServer) {
	t.Helper()
	if diff := cmp.Diff(before, s.state()); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
}
