// Package testfarm is the farm of the tests of the simulation: the products'
// state without endpoints, certificates to work with, and the procedure by hand.
//
// Tests alone import it.
package testfarm

import (
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// The servers of a farm, and the site that its issuers have permission on.
const (
	Master = "oos-01.contoso.com" // Server 2016
	Member = "oos-02.contoso.com" // Server 2019
	Front  = "sp-01.contoso.com"
	Second = "sp-02.contoso.com"
	Alone  = "file-01.contoso.com" // in no farm, with Office Online Server installed
	Site   = "https://portal.contoso.com"
)

// NotStarted is the error of a start of WACSM that finds no certificate; the
// cause is in the event log.
const NotStarted = "Failed to start service 'Office Online (WACSM)'."

// Admin is an administrator of the domain, whose sessions reach SharePoint's
// database if it is local.
var Admin = model.Logon{User: `CONTOSO\svc`, Auth: model.NTLM}

// Farm is a world of two office servers and a SharePoint farm of two, with
// nothing set up, unless changes say otherwise.
type Farm struct {
	T     testing.TB
	World *model.World
}

// New makes a farm under a policy of the products.
func New(t testing.TB, policy model.Policy, changes ...func(*model.SharePointSpec)) *Farm {
	t.Helper()
	f := &Farm{t, model.New(policy)}
	t.Cleanup(func() {
		for _, text := range f.World.Unguarded() {
			t.Error(text)
		}
	})
	builds := map[string]int{Master: 14393, Member: 17763, Front: 14393, Second: 14393, Alone: 20348}
	for _, host := range []string{Master, Member, Front, Second, Alone} {
		f.OK(f.World.AddMachine(model.MachineSpec{Host: host, Build: builds[host], Office: host == Alone}))
	}
	f.OK(f.World.NewOfficeFarm(model.OfficeSettings{}, Master, Member))
	spec := model.SharePointSpec{
		Name: "portal", Version: "16.0.4456.1000", Servers: []string{Front, Second}, Sites: []string{Site}, UserProfileServices: 1,
	}
	for _, change := range changes {
		change(&spec)
	}
	f.OK(f.World.NewSharePointFarm(spec, NewPair(t, "SharePoint Root Authority", nil).Cert.Raw))
	return f
}

// OK fails the test at once when err is not nil.
func (f *Farm) OK(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// Refused asserts that an operation ends with an error of the products.
func (f *Farm) Refused(err error, message string) {
	f.T.Helper()
	var refused *model.Error
	if !errors.As(err, &refused) || refused.Message != message {
		f.T.Errorf("got error %v, want %q", err, message)
	}
}

// On returns a session of [Admin] on a host.
func (f *Farm) On(host string) *model.Session { return f.OnAs(host, Admin) }

// OnAs returns a session of some account on a host.
func (f *Farm) OnAs(host string, logon model.Logon) *model.Session {
	f.T.Helper()
	session, err := f.World.LogOn(host, logon)
	f.OK(err)
	return session
}

// Obstacles between an office server and a SharePoint server, by rule.
func (f *Farm) Obstacles(office, sharePoint string) []model.RuleID {
	f.T.Helper()
	found, err := f.World.DataRefresh(office, sharePoint)
	f.OK(err)
	var rules []model.RuleID
	for _, o := range found {
		if !slices.Contains(rules, o.Rule) {
			rules = append(rules, o.Rule)
		}
	}
	return rules
}

// Broken asserts that a data refresh fails for one reason.
func (f *Farm) Broken(rule model.RuleID) {
	f.T.Helper()
	if got := f.Obstacles(Master, Front); !slices.Equal(got, []model.RuleID{rule}) {
		f.T.Errorf("obstacles %q, want only %q", got, rule)
	}
}

// Works asserts that a data refresh works.
func (f *Farm) Works() {
	f.T.Helper()
	if got := f.Obstacles(Master, Front); len(got) > 0 {
		f.T.Errorf("a data refresh is kept from working by %q", got)
	}
}

// MachineKey are the flags that an import for the machine needs.
var MachineKey = model.ImportFlags{MachineKeySet: true, PersistKeySet: true}

// Install imports a pair and names it, without granting its key.
func (f *Farm) Install(host string, p KeyPair, friendlyName string) {
	f.T.Helper()
	_, err := f.On(host).ImportPFX(model.StoreAdd, p.NamedPFX(f.T), []byte(Password), MachineKey)
	f.OK(err)
	f.OK(f.On(host).SetFriendlyName(model.My, p.Thumbprint(), friendlyName))
}

// Grant lets NETWORK SERVICE read the key of a pair.
func (f *Farm) Grant(host string, p KeyPair) {
	f.T.Helper()
	_, err := f.On(host).GrantKey(p.Thumbprint(), farm.NetworkService)
	f.OK(err)
}

// UseS2S sets the friendly name of the S2S certificate on the master.
func (f *Farm) UseS2S(name string) {
	f.T.Helper()
	f.OK(f.On(Master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}))
}

// Register registers a certificate with both issuers, their permissions, and its
// chain.
func (f *Farm) Register(p KeyPair) {
	f.T.Helper()
	shell := f.On(Front).SharePoint()
	for _, i := range farm.Issuers() {
		f.OK(shell.NewTrustedSecurityTokenIssuer(IssuerParameters(i, p)))
		f.Permit(i)
	}
	authorities := p.Chain
	if len(authorities) == 0 {
		authorities = []*x509.Certificate{p.Cert}
	}
	for _, c := range authorities {
		f.OK(shell.NewTrustedRootAuthority(model.AuthorityParameters{Name: c.Subject.CommonName, Certificate: c.Raw, Confirmed: true}))
	}
}

// IssuerParameters are what creates or updates an issuer with a pair.
func IssuerParameters(i farm.Issuer, p KeyPair) model.IssuerParameters {
	return model.IssuerParameters{
		Name: "OOS " + i.Product, Identity: "OOS " + i.Product, Certificate: p.Cert.Raw, RegisteredIssuerName: &i.RegisteredName, Confirmed: true,
	}
}

// Permit gives the app principal of an issuer full control, app-only.
func (f *Farm) Permit(i farm.Issuer) {
	f.T.Helper()
	shell := f.On(Front).SharePoint()
	principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: Site, NameIdentifier: i.RegisteredName})
	f.OK(err)
	f.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
		Site: Site, AppPrincipal: principal.NameIdentifier, Scope: "sitesubscription", Right: "fullcontrol", EnableAppOnlyPolicy: true,
	}))
}

// RestartOffice restarts WACSM and IIS.
func (f *Farm) RestartOffice(host string) {
	f.T.Helper()
	f.OK(f.On(host).RestartService(model.WACSM))
	f.OK(f.On(host).IISReset())
}

// RestartSharePoint restarts IIS and SPTimerV4.
func (f *Farm) RestartSharePoint(host string) {
	f.T.Helper()
	f.OK(f.On(host).IISReset())
	f.OK(f.On(host).RestartService(model.SPTimerV4))
}

// SetUp performs the whole procedure for a pair on the two machines that
// Obstacles are looked for between.
func (f *Farm) SetUp(p KeyPair) {
	f.T.Helper()
	f.Install(Master, p, "S2S")
	f.Grant(Master, p)
	f.UseS2S("S2S")
	f.Register(p)
	f.RestartSharePoint(Front)
	f.RestartOffice(Master)
}

// ModernPFX is a PFX with the algorithms of today.
func (p KeyPair) ModernPFX(t testing.TB) []byte {
	t.Helper()
	made, err := pkcs12.Modern2023.Encode(p.Key, p.Cert, p.Chain, Password)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Trust is everything that scripts may change, as it is now.
func (f *Farm) Trust() farmsim.Trust { return farmsim.TrustOf(f.World.State()) }

// AssertUnchangedSince asserts that nothing differs from what was before.
func (f *Farm) AssertUnchangedSince(before farmsim.Trust) {
	f.T.Helper()
	if diff := before.Diff(f.Trust()); diff != "" {
		f.T.Errorf("the farm is not as it was (-before +now):\n%s", diff)
	}
}
