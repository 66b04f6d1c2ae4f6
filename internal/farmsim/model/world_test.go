package model_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

const (
	master = "oos-01.contoso.com" // Server 2016
	member = "oos-02.contoso.com" // Server 2019
	front  = "sp-01.contoso.com"
	second = "sp-02.contoso.com"
	alone  = "file-01.contoso.com" // in no farm, with Office Online Server installed
	site   = "https://portal.contoso.com"
)

var admin = model.Logon{User: `CONTOSO\svc`, Auth: model.NTLM}

// scene is a world of two office servers and a SharePoint farm of two, with
// nothing set up, unless changes say otherwise.
type scene struct {
	t     testing.TB
	world *model.World
}

func newScene(t testing.TB, policy model.Policy, changes ...func(*model.SharePointSpec)) *scene {
	t.Helper()
	s := &scene{t, model.New(policy)}
	builds := map[string]int{master: 14393, member: 17763, front: 14393, second: 14393, alone: 20348}
	for _, host := range []string{master, member, front, second, alone} {
		s.ok(s.world.AddMachine(model.MachineSpec{Host: host, Build: builds[host], Office: host == alone}))
	}
	s.ok(s.world.NewOfficeFarm(model.OfficeSettings{}, master, member))
	spec := model.SharePointSpec{
		Name: "portal", Version: "16.0.4456.1000", Servers: []string{front, second}, Sites: []string{site}, UserProfileServices: 1,
	}
	for _, change := range changes {
		change(&spec)
	}
	s.ok(s.world.NewSharePointFarm(spec, pair(t, "SharePoint Root Authority", nil).cert.Raw))
	return s
}

func (s *scene) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// refused asserts that an operation ends with an error of the products.
func (s *scene) refused(err error, message string) {
	s.t.Helper()
	var refused *model.Error
	if !errors.As(err, &refused) || refused.Message != message {
		s.t.Errorf("got error %v, want %q", err, message)
	}
}

func (s *scene) on(host string) *model.Session { return s.onAs(host, admin) }

func (s *scene) onAs(host string, logon model.Logon) *model.Session {
	s.t.Helper()
	session, err := s.world.LogOn(host, logon)
	s.ok(err)
	return session
}

// obstacles between an office server and a SharePoint server, by rule.
func (s *scene) obstacles(office, sharePoint string) []model.RuleID {
	s.t.Helper()
	found, err := s.world.DataRefresh(office, sharePoint)
	s.ok(err)
	var rules []model.RuleID
	for _, o := range found {
		if !slices.Contains(rules, o.Rule) {
			rules = append(rules, o.Rule)
		}
	}
	return rules
}

// broken asserts that a data refresh fails for one reason.
func (s *scene) broken(rule model.RuleID) {
	s.t.Helper()
	if got := s.obstacles(master, front); !slices.Equal(got, []model.RuleID{rule}) {
		s.t.Errorf("obstacles %q, want only %q", got, rule)
	}
}

func (s *scene) works() {
	s.t.Helper()
	if got := s.obstacles(master, front); len(got) > 0 {
		s.t.Errorf("a data refresh is kept from working by %q", got)
	}
}

// keyPair is a certificate with its key and its issuers.
type keyPair struct {
	cert  *x509.Certificate
	key   crypto.Signer
	chain []*x509.Certificate
}

func (p keyPair) thumbprint() farm.Thumbprint { return farm.ThumbprintOf(p.cert.Raw) }

var (
	serial atomic.Int64
	// Keys are expensive to make, and no rule is about whose key it is.
	rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

// pair makes a certificate: self-signed, or issued by an issuer.
func pair(t testing.TB, name string, issuer *keyPair) keyPair {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return pairWith(t, name, issuer, key)
}

func pairWith(t testing.TB, name string, issuer *keyPair, key crypto.Signer) keyPair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"Contoso"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := template, key
	var chain []*x509.Certificate
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
		chain = append([]*x509.Certificate{issuer.cert}, issuer.chain...)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{cert: made, key: key, chain: chain}
}

func ecPair(t testing.TB, name string, issuer *keyPair) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pairWith(t, name, issuer, key)
}

const password = "correct horse"

// pfx is a PFX that every Windows reads, and that names no provider.
func (p keyPair) pfx(t testing.TB) []byte {
	t.Helper()
	made, err := pkcs12.LegacyDES.Encode(p.key, p.cert, p.chain, password)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// named is a PFX that names the provider that S2S needs.
func (p keyPair) named(t testing.TB) []byte {
	t.Helper()
	bundle, err := cert.Load(p.pfx(t), []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	made, err := bundle.Encode(14393, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var machineKey = model.ImportFlags{MachineKeySet: true, PersistKeySet: true}

// install imports a pair and names it, without granting its key.
func (s *scene) install(host string, p keyPair, friendlyName string) {
	s.t.Helper()
	_, err := s.on(host).ImportPFX(model.StoreAdd, p.named(s.t), []byte(password), machineKey)
	s.ok(err)
	s.ok(s.on(host).SetFriendlyName(model.My, p.thumbprint(), friendlyName))
}

func (s *scene) grant(host string, p keyPair) {
	s.t.Helper()
	_, err := s.on(host).GrantKey(p.thumbprint(), farm.NetworkService)
	s.ok(err)
}

func (s *scene) useS2S(name string) {
	s.t.Helper()
	s.ok(s.on(master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}))
}

// trust registers a certificate with both issuers, their permissions, and its
// chain.
func (s *scene) trust(p keyPair) {
	s.t.Helper()
	shell := s.on(front).SharePoint()
	for _, i := range farm.Issuers() {
		s.ok(shell.NewTrustedSecurityTokenIssuer(issuer(i, p)))
		s.permit(i)
	}
	authorities := p.chain
	if len(authorities) == 0 {
		authorities = []*x509.Certificate{p.cert}
	}
	for _, c := range authorities {
		s.ok(shell.NewTrustedRootAuthority(c.Subject.CommonName, c.Raw, true))
	}
}

func issuer(i farm.Issuer, p keyPair) model.IssuerParameters {
	return model.IssuerParameters{
		Name: "OOS " + i.Product, Certificate: p.cert.Raw, RegisteredIssuerName: &i.RegisteredName, Confirmed: true,
	}
}

func (s *scene) permit(i farm.Issuer) {
	s.t.Helper()
	shell := s.on(front).SharePoint()
	principal, err := shell.GetAppPrincipal(site, i.RegisteredName)
	s.ok(err)
	s.ok(shell.SetAppPrincipalPermission(principal, site, "sitesubscription", "fullcontrol", true))
}

func (s *scene) restartOffice(host string) {
	s.t.Helper()
	s.ok(s.on(host).RestartService(model.WACSM))
	s.ok(s.on(host).IISReset())
}

func (s *scene) restartSharePoint(host string) {
	s.t.Helper()
	s.ok(s.on(host).IISReset())
	s.ok(s.on(host).RestartService(model.SPTimerV4))
}

// setUp performs the whole procedure for a pair on the two machines that
// obstacles are looked for between.
func (s *scene) setUp(p keyPair) {
	s.t.Helper()
	s.install(master, p, "S2S")
	s.grant(master, p)
	s.useS2S("S2S")
	s.trust(p)
	s.restartSharePoint(front)
	s.restartOffice(master)
}

// modern is a PFX with the algorithms of today.
func (p keyPair) modern(t testing.TB) []byte {
	t.Helper()
	made, err := pkcs12.Modern2023.Encode(p.key, p.cert, p.chain, password)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
