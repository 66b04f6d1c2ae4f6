package powershell_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func grantOf(c testCertificate, proveAs string) powershell.GrantS2SKey {
	return powershell.GrantS2SKey{Thumbprint: c.thumbprint, Sid: farm.NetworkService, ProveAs: proveAs}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	t.Run("gives read access once and proves the key", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		for proveAs, account := range map[string]string{"networkService": farm.NetworkService, "administrator": administrator.User} {
			t.Run(proveAs, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)))
				want := powershell.GrantResult{Changed: true, Provider: farm.KeyProvider, KeyFile: s.keyFile(s2s), SignedAs: account, SignedBy: "legacy"}
				if diff := cmp.Diff(want, mustRun(t, s, grantOf(s2s, proveAs))); diff != "" {
					t.Errorf("first, want -, got +:\n%s", diff)
				}
				want.Changed = false
				if diff := cmp.Diff(want, mustRun(t, s, grantOf(s2s, proveAs))); diff != "" {
					t.Errorf("second, want -, got +:\n%s", diff)
				}
				readers := []string{model.System, farm.NetworkService, model.Administrators}
				if diff := cmp.Diff(readers, s.state().Stores[model.My][0].KeyReaders, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
					t.Errorf("readers, want -, got +:\n%s", diff)
				}
				assertNoTasks(t, s)
			})
		}
	})
	t.Run("proves what Office Online Server does", func(t *testing.T) {
		t.Parallel()
		for _, proveAs := range []string{"networkService", "administrator"} {
			t.Run(proveAs, func(t *testing.T) {
				t.Parallel()
				old := newCertificateFor(t, "old.contoso.com", model.EnhancedProvider)
				modern := newCertificateFor(t, "modern.contoso.com", model.SoftwareKSP)
				s := newServer(t, newOfficeServer().in(model.My, old.withKey(friendly), modern.withKey("modern")))
				// A provider of type 1 signs once its key is opened again in one of type 24.
				if got := mustRun(t, s, grantOf(old, proveAs)); got.Provider != model.EnhancedProvider || got.SignedBy != "legacy" {
					t.Errorf("the key of %q signs by %q", got.Provider, got.SignedBy)
				}
				assertRefused(t, s, grantOf(modern, proveAs), powershell.KeyModernOnly)
				seen := mustRun(t, s, powershell.GetOfficeServer{Thumbprint: old.thumbprint, Previous: modern.thumbprint})
				paths := map[string][2]bool{}
				for _, c := range seen.Certificates {
					paths[c.Thumbprint] = [2]bool{c.KeySigns, c.ModernKeySigns}
				}
				want := map[string][2]bool{old.thumbprint: {true, false}, modern.thumbprint: {false, true}}
				if diff := cmp.Diff(want, paths); diff != "" {
					t.Errorf("signs by the legacy and the modern path, want -, got +:\n%s", diff)
				}
				assertNoTasks(t, s)
			})
		}
	})
	t.Run("reports a proof that fails and removes its task", func(t *testing.T) {
		t.Parallel()
		s2s := newCertificate(t, "s2s.contoso.com")
		for result, id := range map[int]string{
			91: powershell.KeyDoesNotSign, 92: powershell.KeyDoesNotSign, 94: powershell.KeyModernOnly,
			0: powershell.ProofUnavailable, 93: powershell.ProofUnavailable, 2147942402: powershell.ProofUnavailable,
		} {
			t.Run(strconv.Itoa(result), func(t *testing.T) {
				t.Parallel()
				spec := newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Get-ScheduledTaskInfo", pwsh.Edit("LastTaskResult", result))
				s := newServer(t, spec)
				assertRefused(t, s, grantOf(s2s, "networkService"), id)
				assertNoTasks(t, s)
			})
		}
	})
}

// TestGrant_RemovesOldProofs checks that the task of a proof whose script was killed does
// not stay.
func TestGrant_RemovesOldProofs(t *testing.T) {
	t.Parallel()
	s2s := newCertificate(t, "s2s.contoso.com")
	s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)))
	kept := []string{"farmtrust-another", "farmtrust-sharepoint", "theirs-" + strings.Repeat("0", 32)}
	for _, name := range append(kept, "farmtrust-"+strings.Repeat("0", 32), "farmtrust-"+strings.Repeat("f", 32)) {
		requireNoError(t, s.session().RegisterTask(model.Task{Name: name, User: farm.NetworkService}))
	}
	mustRun(t, s, grantOf(s2s, "networkService"))
	if diff := cmp.Diff(kept, s.state().Tasks); diff != "" {
		t.Errorf("tasks, want -, got +:\n%s", diff)
	}
}

func assertNoTasks(t *testing.T, s *testServer) {
	t.Helper()
	if tasks := s.state().Tasks; len(tasks) != 0 {
		t.Errorf("tasks left on the server: %v", tasks)
	}
}

// denyNetworkService is an access entry on every key file that denies the
// account.
func denyNetworkService(_ json.RawMessage, do func() (any, error)) (any, error) {
	readers, err := do()
	allowed, _ := readers.([]string)
	return slices.DeleteFunc(allowed, func(sid string) bool { return sid == farm.NetworkService }), err
}

func TestGrant_RefusesUnsuitableKey(t *testing.T) {
	t.Parallel()
	s2s := newCertificate(t, "s2s.contoso.com")
	cases := []struct {
		name string
		spec *serverSpec
		id   string
	}{
		{"not imported", newOfficeServer(), powershell.CertificateNotFound},
		{"without its key", newOfficeServer().in(model.My, s2s.withoutKey(friendly)), powershell.KeyMissing},
		{
			"key in no folder",
			newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Get-KeyLocation", pwsh.Edit("File", "")), powershell.KeyFileNotFound,
		},
		{
			"denied",
			newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Get-KeyReader", denyNetworkService), powershell.KeyDenied,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assertRefused(t, newServer(t, c.spec), grantOf(s2s, "networkService"), c.id)
		})
	}
	t.Run("does not sign for the administrator", func(t *testing.T) {
		t.Parallel()
		broken := func(json.RawMessage, func() (any, error)) (any, error) {
			return nil, &model.Error{ID: "CryptographicException", Message: "Bad Key.", Category: "NotSpecified", Exception: model.CryptographicException}
		}
		spec := newOfficeServer().in(model.My, s2s.withKey(friendly)).override("SignData", broken)
		assertRefused(t, newServer(t, spec), grantOf(s2s, "administrator"), powershell.KeyDoesNotSign)
	})
	t.Run("granted and denied", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)).override("Get-KeyReader", denyNetworkService))
		_, err := s.session().GrantKey(farm.Thumbprint(s2s.thumbprint), farm.NetworkService)
		requireNoError(t, err)
		assertRefused(t, s, grantOf(s2s, "networkService"), powershell.KeyDenied)
	})
}

func TestExport_GivesThePublicPart(t *testing.T) {
	t.Parallel()
	s2s := newCertificate(t, "s2s.contoso.com")
	s := newServer(t, newOfficeServer().in(model.My, s2s.withKey(friendly)))
	want := powershell.ExportResult{DER: s2s.der}
	if diff := cmp.Diff(want, mustRun(t, s, powershell.ExportS2SCertificate{Thumbprint: s2s.thumbprint})); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
