package farmsim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// TestTrust_Diff holds the oracle of all other tests: each change that a
// rotation could leave behind is a difference, and names what differs.
func TestTrust_Diff(t *testing.T) {
	t.Parallel()
	const office, front = "oos-01.contoso.com", "sp-01.contoso.com"
	issuer := farm.Issuers()[0]
	for name, c := range map[string]struct {
		change func(office, front *model.Session, old model.Certificate) error
		fact   string
	}{
		"an archived certificate": {func(office, _ *model.Session, old model.Certificate) error {
			return office.Archive(old.Thumbprint, true)
		}, "archived true"},
		"another friendly name": {func(office, _ *model.Session, old model.Certificate) error {
			return office.SetFriendlyName(model.My, old.Thumbprint, "another")
		}, `friendly name "another"`},
		"another key reader": {func(office, _ *model.Session, old model.Certificate) error {
			return office.AddKeyReader(old.Key.File, "S-1-5-19")
		}, "S-1-5-19"},
		"a key without a certificate": {func(office, _ *model.Session, old model.Certificate) error {
			_, err := office.RemoveFromStore(model.My, old.Thumbprint)
			return err
		}, "of no certificate"},
		"a certificate without its key": {func(office, _ *model.Session, old model.Certificate) error {
			return office.RemoveKey(old.Key.File)
		}, "key file"},
		"a file": {func(office, _ *model.Session, _ model.Certificate) error {
			_, err := office.WriteFile(`C:\left.txt`, []byte("left"))
			return err
		}, `file C:\left.txt`},
		"a task": {func(office, _ *model.Session, _ model.Certificate) error {
			return office.RegisterTask(model.Task{Name: "left"})
		}, "scheduled task left"},
		"a setting, before any process has loaded it": {func(office, _ *model.Session, _ model.Certificate) error {
			name := ""
			return office.Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true})
		}, "office settings"},
		"a certificate that a process has not loaded": {func(office, _ *model.Session, old model.Certificate) error {
			if err := office.SetFriendlyName(model.My, old.Thumbprint, "another"); err != nil {
				return err
			}
			_ = office.RestartService(model.WACSM) // It cannot start without its certificate.
			return office.SetFriendlyName(model.My, old.Thumbprint, old.FriendlyName)
		}, "loaded by WACSM"},
		"an issuer's description": {func(_, front *model.Session, old model.Certificate) error {
			description := "another"
			return front.SharePoint().SetTrustedSecurityTokenIssuer(model.IssuerParameters{
				Identity: "Old " + issuer.Product, Certificate: old.DER, RegisteredIssuerName: &issuer.RegisteredName,
				Description: &description, Confirmed: true,
			})
		}, `description "another"`},
		"a root authority": {func(_, front *model.Session, old model.Certificate) error {
			return front.SharePoint().NewTrustedRootAuthority(model.AuthorityParameters{Name: "left", Certificate: old.DER, Confirmed: true})
		}, "root authority left"},
		"a permission": {func(_, front *model.Session, _ model.Certificate) error {
			return front.SharePoint().RemoveAppPrincipalPermission(model.PermissionParameters{
				Site: "https://portal.contoso.com", AppPrincipal: issuer.RegisteredName, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
			})
		}, "permission of " + issuer.RegisteredName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, Trusting: true, WithoutWire: true})
			onOffice, onFront := logOn(t, testFarm, office), logOn(t, testFarm, front)
			before := testFarm.Trust()
			held, err := onOffice.Certificates(model.My)
			if err != nil || len(held) != 1 {
				t.Fatalf("find the certificate: %v, %d there", err, len(held))
			}
			if err := c.change(onOffice, onFront, held[0]); err != nil {
				t.Fatal(err)
			}
			if diff := before.Diff(testFarm.Trust()); !strings.Contains(diff, c.fact) {
				t.Errorf("the difference is\n%s\nwant %q in it", diff, c.fact)
			}
		})
	}
}

// TestTrust_Unchanged holds that what tells when, and nothing else, is no fact.
func TestTrust_Unchanged(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, Trusting: true, WithoutWire: true})
	before := testFarm.Trust()
	office := logOn(t, testFarm, "oos-01.contoso.com")
	if err := office.IISReset(); err != nil {
		t.Fatal(err)
	}
	if err := testFarm.Reboot("sp-01.contoso.com", time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	if diff := before.Diff(testFarm.Trust()); diff != "" {
		t.Errorf("a restart and a reboot are differences:\n%s", diff)
	}
}

func logOn(t *testing.T, testFarm *farmsim.Farm, host string) *model.Session {
	t.Helper()
	session, err := testFarm.World.LogOn(host, model.Logon{User: `CONTOSO\svc`, Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	return session
}
