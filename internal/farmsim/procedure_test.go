package farmsim_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// operator performs the procedure call by call, as the product does.
type operator struct {
	t        testing.TB
	testFarm *farmsim.Farm
	runner   powershell.Runner
	bundle   *cert.Bundle
}

func start(t testing.TB, o farmsim.Options) *farmsim.Farm {
	t.Helper()
	o.Dir = t.TempDir()
	testFarm, err := farmsim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := testFarm.Close(); err != nil {
			t.Error(err)
		}
	})
	return testFarm
}

// operate opens a PFX of the farm's certificate folder.
func operate(t testing.TB, testFarm *farmsim.Farm, path string) *operator {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	password, err := os.ReadFile(testFarm.PFXPassword())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := cert.Load(t.Context(), content, password)
	if err != nil {
		t.Fatal(err)
	}
	bundle.Certificate.FriendlyName = "OOS S2S " + bundle.Certificate.Thumbprint.Short()
	return &operator{t: t, testFarm: testFarm, runner: testFarm.Runner(), bundle: bundle}
}

// hosts lists the servers whose names begin with prefix.
func (o *operator) hosts(prefix string) []string {
	var found []string
	for _, host := range o.testFarm.Hosts() {
		if strings.HasPrefix(host, prefix) {
			found = append(found, host)
		}
	}
	return found
}

func run[R any](o *operator, host string, params powershell.Params[R]) (R, error) {
	return powershell.Run(o.t.Context(), o.runner, powershell.Target{Host: host}, params)
}

// must is run where nothing may fail.
func must[R any](o *operator, host string, params powershell.Params[R]) R {
	o.t.Helper()
	r, err := run(o, host, params)
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

func (o *operator) importCall(build int) powershell.ImportS2SCertificate {
	o.t.Helper()
	target, password := o.bundle.Certificate, cert.NewPassword()
	pfx, err := o.bundle.Encode(build, farm.KeyProvider, password)
	if err != nil {
		o.t.Fatal(err)
	}
	p := powershell.ImportS2SCertificate{
		Thumbprint: string(target.Thumbprint), FriendlyName: target.FriendlyName, Provider: farm.KeyProvider,
		SelfSigned: target.SelfSigned, Intermediates: []string{}, PFX: pfx, Password: password,
	}
	for _, c := range target.Intermediates() {
		p.Intermediates = append(p.Intermediates, base64.StdEncoding.EncodeToString(c.DER))
	}
	return p
}

func (o *operator) look(host string) powershell.OfficeServer {
	o.t.Helper()
	target := o.bundle.Certificate
	call := powershell.GetOfficeServer{
		Thumbprint: string(target.Thumbprint), FriendlyName: target.FriendlyName, Subject: target.Subject, Chain: []string{},
	}
	for _, c := range target.Chain {
		call.Chain = append(call.Chain, string(c.Thumbprint))
	}
	return must(o, host, call)
}

func (o *operator) grantCall() powershell.GrantS2SKey {
	return powershell.GrantS2SKey{
		Thumbprint: string(o.bundle.Certificate.Thumbprint), Sid: farm.NetworkService, ProveAs: string(farm.AsNetworkService),
	}
}

func (o *operator) rootsCall() powershell.AddRootAuthority {
	var call powershell.AddRootAuthority
	for _, c := range o.bundle.Certificate.RootAuthorities() {
		call.Authorities = append(call.Authorities, powershell.RootAuthorityCertificate{
			Name: "OOS root " + c.Thumbprint.Short(), Certificate: c.DER,
		})
	}
	return call
}

func (o *operator) nameCall() powershell.SetS2SCertificateName {
	target := o.bundle.Certificate
	return powershell.SetS2SCertificateName{FriendlyName: target.FriendlyName, Thumbprint: string(target.Thumbprint)}
}

func (o *operator) issuerCall(i farm.Issuer) powershell.SetTrustedIssuer {
	return powershell.SetTrustedIssuer{
		Name: "OOS " + i.Product, RegisteredName: i.RegisteredName, Certificate: o.bundle.Certificate.DER,
		Sites: []string{"https://portal.contoso.com"},
	}
}

// stage does what no user can notice.
func (o *operator) stage() {
	o.t.Helper()
	for _, host := range o.hosts("oos-") {
		must(o, host, o.importCall(o.look(host).Machine.WindowsBuild))
		must(o, host, o.grantCall())
	}
	must(o, "sp-01.contoso.com", o.rootsCall())
}

// change makes the settings, and returns when the last was made.
func (o *operator) change() time.Time {
	o.t.Helper()
	must(o, "oos-01.contoso.com", o.nameCall())
	for _, i := range farm.Issuers() {
		must(o, "sp-01.contoso.com", o.issuerCall(i))
	}
	return time.Now()
}

func (o *operator) restart(since time.Time) {
	o.t.Helper()
	for _, host := range o.hosts("sp-") {
		must(o, host, powershell.RestartSharePointServer{NotBefore: since})
	}
	for _, host := range o.hosts("oos-") {
		must(o, host, powershell.RestartOfficeServer{})
	}
}

func (o *operator) rotate() {
	o.t.Helper()
	o.stage()
	o.restart(o.change())
}

// obstacles are all that keeps any data refresh from working.
func (o *operator) obstacles() []string {
	o.t.Helper()
	found, err := o.testFarm.RefreshObstacles()
	if err != nil {
		o.t.Fatal(err)
	}
	return found
}

// first is the PFX that a farm starts with.
func first(t testing.TB, testFarm *farmsim.Farm) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(testFarm.Config()), "certificates", "*.pfx"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the farm starts with %d certificates: %v", len(found), err)
	}
	return found[0]
}

// newest issues the next generation of the farm's certificate and opens it.
func newest(t testing.TB, testFarm *farmsim.Farm) *operator {
	t.Helper()
	issued, err := testFarm.IssueCertificate(365 * 24 * time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return operate(t, testFarm, issued.Path)
}
