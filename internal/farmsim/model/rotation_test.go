package model_test

import (
	"encoding/base64"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// rotation is the procedure towards one certificate, and its way back, by the
// calls that the product makes.
type rotation struct {
	*scene

	to   keyPair
	name string
	// from is what the farm used before; nil before the first set-up.
	from     *keyPair
	fromName string
}

// forward are the calls of the procedure, in order.
func (r rotation) forward() []func() {
	var calls []func()
	for _, host := range []string{master, member} {
		calls = append(calls,
			func() { must(r.scene, host, r.importCall()) },
			func() { must(r.scene, host, grantOf(r.to)) })
	}
	calls = append(calls,
		func() { must(r.scene, front, r.rootsCall()) },
		func() { must(r.scene, master, nameOf(r.to, r.name)) })
	for _, i := range farm.Issuers() {
		calls = append(calls, func() {
			must(r.scene, front, powershell.SetTrustedIssuer{
				Name: "OOS " + i.Product, RegisteredName: i.RegisteredName, Certificate: r.to.cert.Raw, Sites: []string{site},
			})
		})
	}
	return append(calls, r.restart)
}

func (r rotation) importCall() powershell.ImportS2SCertificate {
	call := importOf(r.t, r.to, r.name)
	for _, c := range r.issuing() {
		call.Intermediates = append(call.Intermediates, base64.StdEncoding.EncodeToString(c))
	}
	return call
}

// issuing are the certificates between the target and its root.
func (r rotation) issuing() [][]byte {
	var found [][]byte
	for i, c := range r.to.chain {
		if i < len(r.to.chain)-1 {
			found = append(found, c.Raw)
		}
	}
	return found
}

// authorities are what SharePoint must trust as root authorities.
func (r rotation) authorities() [][]byte {
	if len(r.to.chain) == 0 {
		return [][]byte{r.to.cert.Raw}
	}
	var found [][]byte
	for _, c := range r.to.chain {
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
	r.t.Helper()
	time.Sleep(time.Second)
	since := time.Now()
	time.Sleep(time.Second)
	for _, host := range []string{front, second} {
		must(r.scene, host, powershell.RestartSharePointServer{NotBefore: since})
	}
	for _, host := range []string{master, member} {
		must(r.scene, host, powershell.RestartOfficeServer{NotBefore: &since})
	}
}

// back undoes the rotation, newest change first, and lists which calls
// changed something.
func (r rotation) back() (changed []string) {
	r.t.Helper()
	note := func(did bool, what string) {
		if did {
			changed = append(changed, what)
		}
	}
	for _, i := range slices.Backward(farm.Issuers()) {
		note(must(r.scene, front, r.issuerBack(i)).Changed, "issuer "+i.Product)
	}
	note(must(r.scene, master, powershell.RestoreS2SCertificateName{Ours: r.name, Previous: r.fromName}).Changed, "name")
	r.restart()
	var roots []string
	for _, c := range r.authorities() {
		roots = append(roots, string(farm.ThumbprintOf(c)))
	}
	note(must(r.scene, front, powershell.RemoveRootAuthority{Thumbprints: roots}).Changed, "root authorities")
	for _, host := range []string{master, member} {
		note(must(r.scene, host, r.removal()).Changed, "certificate on "+host)
	}
	return changed
}

func (r rotation) issuerBack(i farm.Issuer) powershell.RestoreTrustedIssuer {
	call := powershell.RestoreTrustedIssuer{
		RegisteredName: i.RegisteredName, Ours: string(r.to.thumbprint()), Permissions: []powershell.SitePermission{{Site: site}},
	}
	if r.from != nil {
		call.Previous = r.from.cert.Raw
		call.Permissions[0].Right, call.Permissions[0].AppOnly = farm.FullControl, true
	}
	return call
}

func (r rotation) removal() powershell.RemoveS2SCertificate {
	call := powershell.RemoveS2SCertificate{Thumbprint: string(r.to.thumbprint()), Personal: true, Root: len(r.to.chain) == 0}
	for _, c := range r.issuing() {
		call.Intermediates = append(call.Intermediates, string(farm.ThumbprintOf(c)))
	}
	return call
}

var markOfTime = regexp.MustCompile(` ?\[farmtrust [^]]*\]`)

// snapshot is the state without times, counts, and the marks in descriptions.
func (s *scene) snapshot() model.State {
	state := s.world.State()
	for _, f := range state.SharePoint {
		for i := range f.Issuers {
			f.Issuers[i].Description = markOfTime.ReplaceAllString(f.Issuers[i].Description, "")
		}
	}
	return state
}

var timeless = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreFields(model.State{}, "Applied"),
	cmpopts.IgnoreFields(model.MachineState{}, "WorkersSince", "Restarts"),
	cmpopts.IgnoreFields(model.ServiceInfo{}, "Since"),
	cmpopts.IgnoreFields(model.OfficeMemberState{}, "SettingsWritten"),
}

func (s *scene) unchangedSince(before model.State) {
	s.t.Helper()
	if diff := cmp.Diff(before, s.snapshot(), timeless); diff != "" {
		s.t.Errorf("before -, after +:\n%s", diff)
	}
}

// kinds are the two kinds of certificate.
var kinds = map[string]func(t testing.TB, name string) keyPair{
	"self-signed": func(t testing.TB, name string) keyPair { return pair(t, name, nil) },
	"CA-issued": func(t testing.TB, name string) keyPair {
		root := ecPair(t, name+" root", nil)
		issuing := ecPair(t, name+" issuing", &root)
		return pair(t, name, &issuing)
	},
}
