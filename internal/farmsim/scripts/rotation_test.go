package scripts_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// rotation is the procedure towards one certificate, and its rollback, by the
// calls that the product makes.
type rotation struct {
	*testfarm.Farm

	to   testfarm.KeyPair
	name string
	// from is what the farm used before; nil before the first set-up.
	from     *testfarm.KeyPair
	fromName string
}

// forward are the calls of the procedure, in order.
func (r rotation) forward() []func() {
	var calls []func()
	for _, host := range []string{testfarm.Master, testfarm.Member} {
		calls = append(calls,
			func() { must(r.Farm, host, r.importCall()) },
			func() { must(r.Farm, host, grantOf(r.to)) })
	}
	calls = append(calls,
		func() { must(r.Farm, testfarm.Front, r.rootsCall()) },
		func() { must(r.Farm, testfarm.Master, nameOf(r.to, r.name)) })
	for _, i := range farm.Issuers() {
		calls = append(calls, func() {
			must(r.Farm, testfarm.Front, powershell.SetTrustedIssuer{
				Name: "OOS " + i.Product, RegisteredName: i.RegisteredName, Certificate: r.to.Cert.Raw, Sites: []string{testfarm.Site},
			})
		})
	}
	return append(calls, r.restart)
}

func (r rotation) importCall() powershell.ImportS2SCertificate {
	call := importOf(r.T, r.to, r.name)
	for _, c := range r.issuing() {
		call.Intermediates = append(call.Intermediates, base64.StdEncoding.EncodeToString(c))
	}
	return call
}

// issuing are the certificates between the target and its root.
func (r rotation) issuing() [][]byte {
	var found [][]byte
	for i, c := range r.to.Chain {
		if i < len(r.to.Chain)-1 {
			found = append(found, c.Raw)
		}
	}
	return found
}

// authorities are what SharePoint must trust as root authorities.
func (r rotation) authorities() [][]byte {
	if len(r.to.Chain) == 0 {
		return [][]byte{r.to.Cert.Raw}
	}
	var found [][]byte
	for _, c := range r.to.Chain {
		found = append(found, c.Raw)
	}
	return found
}

func (r rotation) rootsCall() (call powershell.AddRootAuthority) {
	for _, c := range r.authorities() {
		name := "OOS root " + farm.ThumbprintOf(c).Short()
		call.Authorities = append(call.Authorities, powershell.RootAuthorityCertificate{Name: name, Certificate: c})
	}
	return call
}

func (r rotation) restart() {
	r.T.Helper()
	time.Sleep(time.Second)
	since := time.Now()
	time.Sleep(time.Second)
	for _, host := range []string{testfarm.Front, testfarm.Second} {
		must(r.Farm, host, powershell.RestartSharePointServer{NotBefore: since})
	}
	for _, host := range []string{testfarm.Master, testfarm.Member} {
		must(r.Farm, host, powershell.RestartOfficeServer{NotBefore: &since})
	}
}

// back undoes the rotation, newest change first, and lists which calls
// changed something.
func (r rotation) back() (changed []string) {
	r.T.Helper()
	note := func(did bool, what string) {
		if did {
			changed = append(changed, what)
		}
	}
	for _, i := range slices.Backward(farm.Issuers()) {
		note(must(r.Farm, testfarm.Front, r.issuerBack(i)).Changed, "issuer "+i.Product)
	}
	note(must(r.Farm, testfarm.Master, powershell.RestoreS2SCertificateName{Ours: r.name, Previous: r.fromName}).Changed, "name")
	r.restart()
	var roots []string
	for _, c := range r.authorities() {
		roots = append(roots, string(farm.ThumbprintOf(c)))
	}
	ours := []string{farm.Issuers()[0].RegisteredName, farm.Issuers()[1].RegisteredName}
	note(must(r.Farm, testfarm.Front, powershell.RemoveRootAuthority{Thumbprints: roots, RegisteredNames: ours}).Changed, "root authorities")
	for _, host := range []string{testfarm.Master, testfarm.Member} {
		note(must(r.Farm, host, r.removal()).Changed, "certificate on "+host)
	}
	return changed
}

func (r rotation) issuerBack(i farm.Issuer) powershell.RestoreTrustedIssuer {
	call := powershell.RestoreTrustedIssuer{
		RegisteredName: i.RegisteredName, Ours: string(r.to.Thumbprint()), Permissions: []powershell.SitePermission{{Site: testfarm.Site}},
	}
	if r.from != nil {
		call.Previous = r.from.Cert.Raw
		call.Permissions[0].Right, call.Permissions[0].AppOnly = farm.FullControl, true
	}
	return call
}

func (r rotation) removal() powershell.RemoveS2SCertificate {
	call := powershell.RemoveS2SCertificate{Thumbprint: string(r.to.Thumbprint()), Personal: true, Root: len(r.to.Chain) == 0}
	for _, c := range r.issuing() {
		call.Intermediates = append(call.Intermediates, string(farm.ThumbprintOf(c)))
	}
	return call
}

// kinds are the two kinds of certificate.
var kinds = map[string]func(t testing.TB, name string) testfarm.KeyPair{
	"self-signed": func(t testing.TB, name string) testfarm.KeyPair { return testfarm.NewPair(t, name, nil) },
	"CA-issued": func(t testing.TB, name string) testfarm.KeyPair {
		root := testfarm.NewECPair(t, name+" root", nil)
		issuing := testfarm.NewECPair(t, name+" issuing", &root)
		return testfarm.NewPair(t, name, &issuing)
	},
}
