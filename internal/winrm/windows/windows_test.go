// Package windows_test goes through the life of a certificate on real servers,
// with the scripts that ship, over real WinRM. It runs where FARMTRUST_WINDOWS
// names a configuration, and is what .github/workflows/windows.yml runs; on a
// simulated farm's configuration it passes as well.
//
// It changes the servers, and takes back what it changed. An office farm that
// refuses to have no S2S name keeps the certificate, which then is in use.
package windows_test

import (
	"crypto/sha256"
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

// servers are one office server, the master of its farm, and one front end.
type servers struct {
	runner        *winrm.Runner
	office, front powershell.Target
	sites         []string
}

func connect(t *testing.T) *servers {
	t.Helper()
	path := os.Getenv("FARMTRUST_WINDOWS")
	if path == "" {
		t.Skip("FARMTRUST_WINDOWS names no configuration of servers that may be changed")
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &servers{}
	s.runner = winrm.New(func(name string) (winrm.Connection, error) {
		way, ok := c.Connections[name]
		if !ok {
			return winrm.Connection{}, fmt.Errorf("connection %q is not configured", name)
		}
		ca, err := os.ReadFile(way.CA)
		return winrm.Connection{Auth: winrm.Auth(way.Auth), User: way.User, Password: way.Password, CA: ca}, err
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

func run[R any](t *testing.T, s *servers, target powershell.Target, params powershell.Params[R]) R {
	t.Helper()
	result, err := powershell.Run(t.Context(), s.runner, target, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func refused[R any](t *testing.T, s *servers, target powershell.Target, params powershell.Params[R], id string) {
	t.Helper()
	_, err := powershell.Run(t.Context(), s.runner, target, params)
	if said, ok := errors.AsType[*powershell.ScriptError](err); !ok || said.ID != id {
		t.Errorf("%s: got %v, want a refusal with %s", powershell.ScriptOf(params), err, id)
	}
}

// certificate is a new self-signed one, and the call that imports it.
func certificate(t *testing.T, build int) (*cert.Bundle, powershell.ImportS2SCertificate) {
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

func TestTheMachineIsWhatItSays(t *testing.T) {
	s := connect(t)
	m := run(t, s, s.front, powershell.GetSharePointServer{}).Machine
	if !m.Elevated || m.Name == "" || m.WindowsBuild < 14393 || !strings.HasPrefix(m.PowerShell, "5.1.") {
		t.Errorf("got %+v, want Windows PowerShell 5.1 on a server since 2016, for an administrator", m)
	}
	if skew := time.Since(m.Clock).Abs(); skew > time.Minute {
		t.Errorf("the clock is %v away", skew)
	}
}

func TestACertificateIsImportedGrantedProvedExportedAndRemoved(t *testing.T) {
	s := connect(t)
	build := run(t, s, s.front, powershell.GetSharePointServer{}).Machine.WindowsBuild
	bundle, params := certificate(t, build)
	imported := run(t, s, s.office, params)
	if !imported.Changed || !cmp.Equal(imported.Added, []string{"My", "Root"}) {
		t.Errorf("import: changed %v, added %v; want My and Root", imported.Changed, imported.Added)
	}
	if c := imported.Certificate; !c.HasKey || !c.KeySigns || c.Provider != farm.KeyProvider || c.FriendlyName != params.FriendlyName {
		t.Errorf("imported %+v", c)
	}
	if again := run(t, s, s.office, params); again.Changed {
		t.Errorf("again: added %v", again.Added)
	}

	grant := powershell.GrantS2SKey{Thumbprint: params.Thumbprint, Sid: farm.NetworkService, ProveAs: "networkService"}
	granted := run(t, s, s.office, grant)
	if !granted.Changed || granted.KeyFile == "" || granted.SignedAs != farm.NetworkService || granted.Provider != farm.KeyProvider {
		t.Errorf("granted %+v", granted)
	}
	if again := run(t, s, s.office, grant); again.Changed {
		t.Error("the key was granted again")
	}

	export := powershell.ExportS2SCertificate{Thumbprint: params.Thumbprint, Path: `C:\farmtrust-test.cer`}
	first, second := run(t, s, s.office, export), run(t, s, s.office, export)
	if !first.Changed || second.Changed || !slices.Equal(first.DER, bundle.Certificate.DER) {
		t.Errorf("exported %d bytes (SHA-256 %x), changed %v, then %v", len(first.DER), sha256.Sum256(first.DER), first.Changed, second.Changed)
	}

	seen := run(t, s, s.office, powershell.GetOfficeServer{Thumbprint: params.Thumbprint, FriendlyName: params.FriendlyName, Chain: []string{}})
	at := slices.IndexFunc(seen.Certificates, func(c powershell.Certificate) bool { return c.Thumbprint == params.Thumbprint })
	if at < 0 || !slices.Contains(seen.Certificates[at].KeyReaders, farm.NetworkService) || !seen.Certificates[at].KeySigns {
		t.Errorf("observed %+v, want %s, readable by NETWORK SERVICE", seen.Certificates, params.Thumbprint)
	}
	if len(seen.Roots) != 1 || seen.Roots[0].HasKey || seen.Roots[0].FriendlyName != "" {
		t.Errorf("Trusted Root holds %+v, want the public part alone", seen.Roots)
	}

	name := powershell.SetS2SCertificateName{FriendlyName: params.FriendlyName, Thumbprint: params.Thumbprint}
	if set, again := run(t, s, s.office, name), run(t, s, s.office, name); !set.Changed || again.Changed || again.Previous != params.FriendlyName {
		t.Errorf("set %+v, then %+v", set, again)
	}
	trust(t, s, bundle.Certificate)
	distrust(t, s, bundle.Certificate)
	remove(t, s, params, granted.KeyFile)
}

// distrust takes back what trust did.
func distrust(t *testing.T, s *servers, c farm.Certificate) {
	t.Helper()
	none := []powershell.SitePermission{}
	for _, site := range s.sites {
		none = append(none, powershell.SitePermission{Site: site})
	}
	issuer := powershell.RestoreTrustedIssuer{
		RegisteredName: farm.Issuers()[0].RegisteredName, Ours: string(c.Thumbprint), Previous: []byte{}, Permissions: none,
	}
	if first, again := run(t, s, s.front, issuer), run(t, s, s.front, issuer); !first.Removed || again.Changed {
		t.Errorf("issuer put back: %+v, then %+v", first, again)
	}
	root := powershell.RemoveRootAuthority{Thumbprints: []string{string(c.Thumbprint)}}
	if first, again := run(t, s, s.front, root), run(t, s, s.front, root); len(first.Removed) != 1 || again.Changed {
		t.Errorf("root authority removed: %+v, then %+v", first, again)
	}
}

// remove takes the setting, the right and the certificate with its key away.
// Whether the key's file is gone can be seen where the test runs on the server
// itself.
func remove(t *testing.T, s *servers, imported powershell.ImportS2SCertificate, keyFile string) {
	t.Helper()
	removal := powershell.RemoveS2SCertificate{Thumbprint: imported.Thumbprint, Personal: true, Root: true, Intermediates: []string{}}
	refused(t, s, s.office, removal, powershell.InUse)
	name := powershell.RestoreS2SCertificateName{Ours: imported.FriendlyName}
	if restored := run(t, s, s.office, name); !restored.Changed || restored.ClearRefused {
		t.Fatalf("S2S name put back: %+v", restored)
	}
	revoke := powershell.RevokeS2SKey{Thumbprint: imported.Thumbprint, Sid: farm.NetworkService}
	if first, again := run(t, s, s.office, revoke), run(t, s, s.office, revoke); !first.Changed || again.Changed {
		t.Errorf("key revoked: %+v, then %+v", first, again)
	}
	if first, again := run(t, s, s.office, removal), run(t, s, s.office, removal); !slices.Equal(first.Removed, []string{"Root", "My"}) || again.Changed {
		t.Errorf("removed: %+v, then %+v", first, again)
	}
	seen := run(t, s, s.office, powershell.GetOfficeServer{Thumbprint: imported.Thumbprint, FriendlyName: imported.FriendlyName, Chain: []string{}})
	if left := append(seen.Certificates, seen.Roots...); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("key file %s is still there: %v", keyFile, err)
	}
}

// trust makes SharePoint trust a certificate.
func trust(t *testing.T, s *servers, c farm.Certificate) {
	t.Helper()
	root := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS " + c.Thumbprint.Short(), Certificate: c.DER}}}
	if first, again := run(t, s, s.front, root), run(t, s, s.front, root); !first.Changed || again.Changed {
		t.Errorf("root authority: %+v, then %+v", first, again)
	}
	issuer := powershell.SetTrustedIssuer{
		Name: "OOS SharePoint Server", RegisteredName: farm.Issuers()[0].RegisteredName, Certificate: c.DER, Sites: s.sites,
	}
	if first, again := run(t, s, s.front, issuer), run(t, s, s.front, issuer); !first.Changed || again.Changed {
		t.Errorf("issuer: %+v, then %+v", first, again)
	}
	seen := run(t, s, s.front, powershell.GetSharePointFarm{Sites: s.sites, RegisteredNames: []string{issuer.RegisteredName}})
	if len(seen.Issuers) != 1 || seen.Issuers[0].Thumbprint != string(c.Thumbprint) || seen.Issuers[0].Since == nil {
		t.Errorf("issuers %+v", seen.Issuers)
	}
	if len(seen.Permissions) != len(s.sites) || seen.Permissions[0].Right != "FullControl" || !seen.Permissions[0].AppOnly {
		t.Errorf("permissions %+v", seen.Permissions)
	}
}

func TestWhatMustNotBeImportedIsRefusedAndLeavesNothing(t *testing.T) {
	s := connect(t)
	build := run(t, s, s.front, powershell.GetSharePointServer{}).Machine.WindowsBuild
	_, other := certificate(t, build)
	_, params := certificate(t, build)
	wrongPassword, wrongPFX := params, params
	wrongPassword.Password = []byte("not the password")
	wrongPFX.PFX, wrongPFX.Password = other.PFX, other.Password
	refused(t, s, s.office, wrongPassword, powershell.PfxRefused)
	refused(t, s, s.office, wrongPFX, powershell.WrongCertificate)
	wrongProvider := params
	wrongProvider.Provider = "Microsoft Software Key Storage Provider"
	refused(t, s, s.office, wrongProvider, powershell.ProviderNotApplied)
	seen := run(t, s, s.office, powershell.GetOfficeServer{Thumbprint: params.Thumbprint, FriendlyName: params.FriendlyName, Chain: []string{}})
	for _, c := range append(seen.Certificates, seen.Roots...) {
		if c.Thumbprint == params.Thumbprint {
			t.Errorf("left behind: %+v", c)
		}
	}
	refused(t, s, s.office, powershell.GrantS2SKey{
		Thumbprint: params.Thumbprint, Sid: farm.NetworkService, ProveAs: "networkService",
	}, powershell.CertificateNotFound)
}

// TestAFilteredTokenIsTold needs servers whose account has no administrator
// rights; it is asked for by name.
func TestAFilteredTokenIsTold(t *testing.T) {
	s := connect(t)
	if os.Getenv("FARMTRUST_WINDOWS_FILTERED") == "" {
		t.Skip("FARMTRUST_WINDOWS_FILTERED does not say that the account's token is filtered")
	}
	if m := run(t, s, s.office, powershell.GetOfficeServer{Chain: []string{}}).Machine; m.Elevated || m.Name == "" {
		t.Errorf("got %+v, want a machine without administrator rights", m)
	}
	_, params := certificate(t, 0)
	refused(t, s, s.office, params, powershell.NotElevated)
}
