// Package windows_test takes a certificate through its life on real servers, with
// the scripts that ship, over real WinRM. It runs when FARMTRUST_WINDOWS names a
// configuration, as in .github/workflows/windows.yml, and passes with that of a
// simulated farm as well.
//
// It changes the servers and reverts its changes. An office farm that does not
// accept an empty S2S name keeps the certificate, which is then in use.
package windows_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// testFarm is one office server, the master of its farm, and one front end.
type testFarm struct {
	runner        *winrm.Runner
	office, front powershell.Target
	sites         []string
}

func connectFarm(t *testing.T) *testFarm {
	t.Helper()
	path := os.Getenv("FARMTRUST_WINDOWS")
	if path == "" {
		t.Skip("FARMTRUST_WINDOWS names no configuration of servers that may be changed")
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &testFarm{}
	s.runner = winrm.New(func(name string) (winrm.Connection, error) {
		connection, ok := c.Connections[name]
		if !ok {
			return winrm.Connection{}, fmt.Errorf("connection %q is not configured", name)
		}
		ca, err := os.ReadFile(connection.CA)
		return winrm.Connection{
			Auth: winrm.Auth(connection.Auth), User: connection.User, Password: connection.Password, CA: ca,
		}, err
	}, zaptest.NewLogger(t))
	t.Cleanup(s.runner.Close)
	f := c.Farms[0]
	target := func(s farm.Server) powershell.Target {
		return powershell.Target{Host: s.Host, Address: s.Address, Connection: s.Connection}
	}
	s.office, s.front = target(f.Office.Servers[0]), target(f.SharePoint[0].FrontEnd)
	s.sites = f.SharePoint[0].Sites
	return s
}

func runScript[R any](t *testing.T, s *testFarm, target powershell.Target, params powershell.Params[R]) R {
	t.Helper()
	result, err := powershell.Run(t.Context(), s.runner, target, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func assertRefused[R any](t *testing.T, s *testFarm, target powershell.Target, params powershell.Params[R], id string) {
	t.Helper()
	_, err := powershell.Run(t.Context(), s.runner, target, params)
	if said, ok := errors.AsType[*powershell.ScriptError](err); !ok || said.ID != id {
		t.Errorf("%s: got %v, want a refusal with %s", powershell.ScriptOf(params), err, id)
	}
}

// newCertificate makes a self-signed certificate, and the call that imports it.
func newCertificate(t *testing.T, build int) (*cert.Bundle, powershell.ImportS2SCertificate) {
	t.Helper()
	bundle, err := cert.SelfSigned("farmtrust test "+time.Now().Format("150405.000000"), time.Now().Add(-time.Hour), 48*time.Hour, 2048)
	if err != nil {
		t.Fatal(err)
	}
	password := cert.NewPassword()
	pfx, err := bundle.Encode(build, farm.KeyProvider, password)
	if err != nil {
		t.Fatal(err)
	}
	public := bundle.Certificate
	return bundle, powershell.ImportS2SCertificate{
		Thumbprint: string(public.Thumbprint), FriendlyName: "farmtrust " + public.Thumbprint.Short(),
		Provider: farm.KeyProvider, SelfSigned: true, PFX: pfx, Password: password,
	}
}

// assertEqual compares what a server did or shows with what it should.
func assertEqual[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// changes reports whether a call changed anything, and whether the same call
// did so again.
type changes struct{ First, Again bool }

// once is what every call that changes something is to report.
var once = changes{First: true}

func TestMachine(t *testing.T) {
	s := connectFarm(t)
	m := runScript(t, s, s.front, powershell.GetSharePointServer{}).Machine
	if !m.Elevated {
		t.Error("the account is no administrator")
	}
	if m.Name == "" {
		t.Error("the machine has no name")
	}
	if m.WindowsBuild < 14393 {
		t.Errorf("Windows build %d, want 14393 (Server 2016) or later", m.WindowsBuild)
	}
	if !strings.HasPrefix(m.PowerShell, "5.1.") {
		t.Errorf("PowerShell %s, want Windows PowerShell 5.1", m.PowerShell)
	}
	if skew := time.Since(m.Clock).Abs(); skew > time.Minute {
		t.Errorf("the clock is %v away", skew)
	}
}

func TestCertificate_Lifecycle(t *testing.T) {
	s := connectFarm(t)
	build := runScript(t, s, s.front, powershell.GetSharePointServer{}).Machine.WindowsBuild
	bundle, params := newCertificate(t, build)
	assertImport(t, s, params)
	keyFile := assertGrant(t, s, params)

	exported := runScript(t, s, s.office, powershell.ExportS2SCertificate{Thumbprint: params.Thumbprint})
	assertEqual(t, "exported DER", bundle.Certificate.DER, exported.DER)
	assertStores(t, s, params)

	name := powershell.SetS2SCertificateName{FriendlyName: params.FriendlyName, Thumbprint: params.Thumbprint}
	set, setAgain := runScript(t, s, s.office, name), runScript(t, s, s.office, name)
	assertEqual(t, "S2S name set", once, changes{set.Changed, setAgain.Changed})
	assertEqual(t, "S2S name before the second call", params.FriendlyName, setAgain.Previous)
	addTrust(t, s, bundle.Certificate)
	removeTrust(t, s, bundle.Certificate)
	removeCertificate(t, s, params, keyFile)
}

// assertImport imports a certificate twice, which changes something once.
func assertImport(t *testing.T, s *testFarm, params powershell.ImportS2SCertificate) {
	t.Helper()
	first, again := runScript(t, s, s.office, params), runScript(t, s, s.office, params)
	assertEqual(t, "imported", once, changes{first.Changed, again.Changed})
	assertEqual(t, "stores that got the certificate", []string{"My", "Root"}, first.Added)
	assertEqual(t, "container of the key", farm.KeyContainer(farm.Thumbprint(params.Thumbprint)), first.Container)
	got := first.Certificate
	assertEqual(t, "imported certificate",
		powershell.Certificate{FriendlyName: params.FriendlyName, Provider: farm.KeyProvider, HasKey: true, KeySigns: true},
		powershell.Certificate{FriendlyName: got.FriendlyName, Provider: got.Provider, HasKey: got.HasKey, KeySigns: got.KeySigns})
}

// assertGrant gives NETWORK SERVICE the key twice, which changes something once,
// and returns the key's file.
func assertGrant(t *testing.T, s *testFarm, imported powershell.ImportS2SCertificate) (keyFile string) {
	t.Helper()
	grant := powershell.GrantS2SKey{Thumbprint: imported.Thumbprint, Sid: farm.NetworkService, ProveAs: "networkService"}
	got, again := runScript(t, s, s.office, grant), runScript(t, s, s.office, grant)
	if got.KeyFile == "" {
		t.Error("the key has no file")
	}
	assertEqual(t, "key granted", powershell.GrantResult{
		Changed: true, KeyFile: got.KeyFile, SignedAs: farm.NetworkService, SignedBy: "legacy", Provider: farm.KeyProvider,
	}, got)
	if again.Changed {
		t.Error("the key was granted again")
	}
	return got.KeyFile
}

// assertStores checks the certificate and its key in Personal, and the public
// part in Trusted Root.
func assertStores(t *testing.T, s *testFarm, imported powershell.ImportS2SCertificate) {
	t.Helper()
	seen := runScript(t, s, s.office, powershell.GetOfficeServer{
		Thumbprint: imported.Thumbprint, FriendlyName: imported.FriendlyName, Chain: []string{},
	})
	at := slices.IndexFunc(seen.Certificates, func(c powershell.Certificate) bool { return c.Thumbprint == imported.Thumbprint })
	if at < 0 {
		t.Fatalf("observed %+v, want %s", seen.Certificates, imported.Thumbprint)
	}
	if c := seen.Certificates[at]; !slices.Contains(c.KeyReaders, farm.NetworkService) || !c.KeySigns {
		t.Errorf("observed %+v, want a key that signs and that NETWORK SERVICE can read", c)
	}
	if len(seen.Roots) != 1 || seen.Roots[0].HasKey || seen.Roots[0].FriendlyName != "" {
		t.Errorf("Trusted Root holds %+v, want the public part alone", seen.Roots)
	}
}

// removeTrust takes back what addTrust did.
func removeTrust(t *testing.T, s *testFarm, c farm.Certificate) {
	t.Helper()
	none := []powershell.SitePermission{}
	for _, site := range s.sites {
		none = append(none, powershell.SitePermission{Site: site})
	}
	issuer := powershell.RestoreTrustedIssuer{
		RegisteredName: farm.Issuers()[0].RegisteredName, Ours: string(c.Thumbprint), Previous: []byte{}, Permissions: none,
	}
	restored, again := runScript(t, s, s.front, issuer), runScript(t, s, s.front, issuer)
	assertEqual(t, "issuer removed", once, changes{restored.Removed, again.Changed})
	root := powershell.RemoveRootAuthority{Thumbprints: []string{string(c.Thumbprint)}}
	removed, removedAgain := runScript(t, s, s.front, root), runScript(t, s, s.front, root)
	assertEqual(t, "root authority removed", once, changes{len(removed.Removed) == 1, removedAgain.Changed})
}

// removeCertificate removes the setting, the permission, and the certificate with
// its key. Whether the key's file is gone shows only where the test runs on the
// server itself.
func removeCertificate(t *testing.T, s *testFarm, imported powershell.ImportS2SCertificate, keyFile string) {
	t.Helper()
	removal := powershell.RemoveS2SCertificate{Thumbprint: imported.Thumbprint, Personal: true, Root: true, Intermediates: []string{}}
	assertRefused(t, s, s.office, removal, powershell.InUse)
	name := powershell.RestoreS2SCertificateName{Ours: imported.FriendlyName}
	if restored := runScript(t, s, s.office, name); !restored.Changed || restored.ClearRefused {
		t.Fatalf("S2S name restored: %+v", restored)
	}
	revoke := powershell.RevokeS2SKey{Thumbprint: imported.Thumbprint, Sid: farm.NetworkService}
	revoked, again := runScript(t, s, s.office, revoke), runScript(t, s, s.office, revoke)
	assertEqual(t, "key revoked", once, changes{revoked.Changed, again.Changed})
	removed, removedAgain := runScript(t, s, s.office, removal), runScript(t, s, s.office, removal)
	assertEqual(t, "stores that lost the certificate", []string{"Root", "My"}, removed.Removed)
	if removedAgain.Changed {
		t.Errorf("removed again: %+v", removedAgain)
	}
	seen := runScript(t, s, s.office, powershell.GetOfficeServer{Thumbprint: imported.Thumbprint, FriendlyName: imported.FriendlyName, Chain: []string{}})
	if left := append(seen.Certificates, seen.Roots...); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("key file %s is still there: %v", keyFile, err)
	}
}

// addTrust makes SharePoint trust a certificate.
func addTrust(t *testing.T, s *testFarm, c farm.Certificate) {
	t.Helper()
	root := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS " + c.Thumbprint.Short(), Certificate: c.DER}}}
	added, again := runScript(t, s, s.front, root), runScript(t, s, s.front, root)
	assertEqual(t, "root authority added", once, changes{added.Changed, again.Changed})
	issuer := powershell.SetTrustedIssuer{
		Name: "OOS SharePoint Server", RegisteredName: farm.Issuers()[0].RegisteredName, Certificate: c.DER, Sites: s.sites,
	}
	set, setAgain := runScript(t, s, s.front, issuer), runScript(t, s, s.front, issuer)
	assertEqual(t, "issuer set", once, changes{set.Changed, setAgain.Changed})
	seen := runScript(t, s, s.front, powershell.GetSharePointFarm{Sites: s.sites, RegisteredNames: []string{issuer.RegisteredName}})
	if len(seen.Issuers) != 1 || seen.Issuers[0].Thumbprint != string(c.Thumbprint) || seen.Issuers[0].Since == nil {
		t.Errorf("issuers %+v", seen.Issuers)
	}
	if len(seen.Permissions) != len(s.sites) || seen.Permissions[0].Right != "FullControl" || !seen.Permissions[0].AppOnly {
		t.Errorf("permissions %+v", seen.Permissions)
	}
}

func TestImport_Refused(t *testing.T) {
	s := connectFarm(t)
	build := runScript(t, s, s.front, powershell.GetSharePointServer{}).Machine.WindowsBuild
	_, other := newCertificate(t, build)
	_, params := newCertificate(t, build)
	wrongPassword, wrongPFX, wrongProvider := params, params, params
	wrongPassword.Password = []byte("not the password")
	wrongPFX.PFX, wrongPFX.Password = other.PFX, other.Password
	wrongProvider.Provider = "Microsoft Software Key Storage Provider"
	t.Run("with a wrong password", func(t *testing.T) {
		assertRefused(t, s, s.office, wrongPassword, powershell.PfxRefused)
	})
	t.Run("of another certificate", func(t *testing.T) {
		assertRefused(t, s, s.office, wrongPFX, powershell.WrongCertificate)
	})
	t.Run("into another provider", func(t *testing.T) {
		assertRefused(t, s, s.office, wrongProvider, powershell.ProviderNotApplied)
	})
	t.Run("leaves nothing behind", func(t *testing.T) {
		seen := runScript(t, s, s.office, powershell.GetOfficeServer{Thumbprint: params.Thumbprint, FriendlyName: params.FriendlyName, Chain: []string{}})
		for _, c := range append(seen.Certificates, seen.Roots...) {
			if c.Thumbprint == params.Thumbprint {
				t.Errorf("left behind: %+v", c)
			}
		}
		assertRefused(t, s, s.office, powershell.GrantS2SKey{
			Thumbprint: params.Thumbprint, Sid: farm.NetworkService, ProveAs: "networkService",
		}, powershell.CertificateNotFound)
	})
}

// TestFilteredToken needs servers whose account has no administrator rights; CI
// asks for it by name.
func TestFilteredToken(t *testing.T) {
	s := connectFarm(t)
	if os.Getenv("FARMTRUST_WINDOWS_FILTERED") == "" {
		t.Skip("FARMTRUST_WINDOWS_FILTERED does not say that the account's token is filtered")
	}
	if m := runScript(t, s, s.office, powershell.GetOfficeServer{Chain: []string{}}).Machine; m.Elevated || m.Name == "" {
		t.Errorf("got %+v, want a machine without administrator rights", m)
	}
	_, params := newCertificate(t, 0)
	assertRefused(t, s, s.office, params, powershell.NotElevated)
}
