package farmsim_test

import (
	"errors"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// before is what an operator finds before the first change.
type before struct {
	trust powershell.SharePointFarm
	name  string
	// held are the thumbprints of root authorities.
	held []string
}

func (o *operator) snapshot() before {
	o.t.Helper()
	seen := before{trust: o.lookAtTrust(), name: o.look(master).S2SCertificateName}
	for _, a := range seen.trust.RootAuthorities {
		seen.held = append(seen.held, a.Thumbprint)
	}
	return seen
}

func (o *operator) issuerBackCall(was before, i farm.Issuer) powershell.RestoreTrustedIssuer {
	call := powershell.RestoreTrustedIssuer{
		RegisteredName: i.RegisteredName, Ours: string(o.bundle.Certificate.Thumbprint), Permissions: []powershell.SitePermission{},
	}
	for _, issuer := range was.trust.Issuers {
		if issuer.RegisteredName == i.RegisteredName {
			call.Previous, call.Description = issuer.Certificate, issuer.Description
		}
	}
	for _, p := range was.trust.Permissions {
		if p.RegisteredName == i.RegisteredName {
			call.Permissions = append(call.Permissions, powershell.SitePermission{Site: p.Site, Right: p.Right, AppOnly: p.AppOnly})
		}
	}
	return call
}

func (o *operator) nameBackCall(was before) powershell.RestoreS2SCertificateName {
	return powershell.RestoreS2SCertificateName{Ours: o.bundle.Certificate.FriendlyName, Previous: was.name}
}

func (o *operator) rootsBackCall(was before) powershell.RemoveRootAuthority {
	call := powershell.RemoveRootAuthority{Thumbprints: []string{}}
	for _, c := range o.bundle.Certificate.RootAuthorities() {
		if !slices.Contains(was.held, string(c.Thumbprint)) {
			call.Thumbprints = append(call.Thumbprints, string(c.Thumbprint))
		}
	}
	return call
}

func (o *operator) removeCall() powershell.RemoveS2SCertificate {
	target := o.bundle.Certificate
	call := powershell.RemoveS2SCertificate{
		Thumbprint: string(target.Thumbprint), Personal: true, Root: target.SelfSigned, Intermediates: []string{},
	}
	for _, c := range target.Intermediates() {
		call.Intermediates = append(call.Intermediates, string(c.Thumbprint))
	}
	return call
}

func (o *operator) revokeCall() powershell.RevokeS2SKey {
	return powershell.RevokeS2SKey{Thumbprint: string(o.bundle.Certificate.Thumbprint), Sid: farm.NetworkService}
}

func (o *operator) useCall() powershell.GetCertificateUse {
	return powershell.GetCertificateUse{Thumbprint: string(o.bundle.Certificate.Thumbprint)}
}

func (o *operator) hideCall(show bool) powershell.SetS2SCertificateArchived {
	return powershell.SetS2SCertificateArchived{Thumbprint: string(o.bundle.Certificate.Thumbprint), Archived: !show}
}

// named has http.sys, WinRM and Remote Desktop of the master use a certificate.
func (o *operator) named(thumbprint farm.Thumbprint) {
	o.t.Helper()
	session, err := o.testFarm.World.LogOn(master, model.Logon{Auth: model.NTLM})
	if err == nil {
		err = session.BindTLS("0.0.0.0:443", thumbprint)
	}
	if err == nil {
		err = session.Listen(thumbprint)
	}
	for _, use := range []model.CertificateUse{model.WinRMService, model.RemoteDesktop} {
		err = errors.Join(err, session.NameCertificate(use, thumbprint))
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// changedSince are calls that meet what another administrator set meanwhile.
func (o *operator) changedSince(was before) {
	o.t.Helper()
	name := o.nameBackCall(was)
	name.Ours = "somebody else's"
	attempt(o, master, name)
	attempt(o, member, o.nameBackCall(was))
	issuer := o.issuerBackCall(was, farm.Issuers()[0])
	issuer.Ours = "0000000000000000000000000000000000000000"
	attempt(o, front, issuer)
	attempt(o, front, o.nameBackCall(was))
	attempt(o, front, o.useCall())
	attempt(o, front, o.hideCall(false))
	attempt(o, front, o.removeCall())
	attempt(o, master, o.rootsBackCall(was))
}

// withoutSQL are calls while SQL Server keeps the farm from them, in each way.
func (o *operator) withoutSQL() {
	o.t.Helper()
	for _, refusal := range []model.SQLRefusal{
		model.SQLFailsOver, model.SQLRecovers, model.SQLHidesDatabase, model.SQLWithoutLogin, model.SQLWithoutUser, model.SQLAdmitsClient, model.SQLAdmits,
	} {
		if err := o.testFarm.World.RefuseSQL(o.testFarm.State().SharePoint[0].Name, refusal); err != nil {
			o.t.Fatal(err)
		}
		attempt(o, front, powershell.GetSharePointFarm{})
	}
	if err := o.testFarm.World.Impose(front, model.Condition{Kind: model.SQLAway}, false); err != nil {
		o.t.Fatal(err)
	}
	attempt(o, front, o.rootsCall())
	o.testFarm.ClearFaults()
}

// addIn is an issuer of another application with a certificate of ours, whose root
// authorities then stay.
func (o *operator) addIn() {
	o.t.Helper()
	session, err := o.testFarm.World.LogOn(front, model.Logon{Auth: model.NTLM})
	if err != nil {
		o.t.Fatal(err)
	}
	name := "a@b"
	with := model.IssuerParameters{Name: "add-in", RegisteredIssuerName: &name, Certificate: o.bundle.Certificate.DER, Confirmed: true}
	shell := session.SharePoint()
	if err := shell.NewTrustedSecurityTokenIssuer(with); err != nil {
		o.t.Fatal(err)
	}
	must(o, front, powershell.GetSharePointFarm{Thumbprints: []string{string(o.bundle.Certificate.Thumbprint)}})
	roots := powershell.RemoveRootAuthority{RegisteredNames: []string{farm.Issuers()[0].RegisteredName, farm.Issuers()[1].RegisteredName}}
	for _, c := range o.bundle.Certificate.RootAuthorities() {
		roots.Thumbprints = append(roots.Thumbprints, string(c.Thumbprint))
	}
	must(o, front, roots)
	if err := shell.RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: "add-in", Confirmed: true}); err != nil {
		o.t.Fatal(err)
	}
}

// inUse are calls about a certificate that is still named.
func (o *operator) inUse() {
	o.t.Helper()
	must(o, master, o.useCall())
	attempt(o, master, o.hideCall(false))
	attempt(o, master, o.removeCall())
}

// back undoes the procedure, newest change first.
func (o *operator) back(was before) {
	o.t.Helper()
	for _, i := range slices.Backward(farm.Issuers()) {
		must(o, front, o.issuerBackCall(was, i))
	}
	must(o, front, o.issuerBackCall(was, farm.Issuers()[0]))
	must(o, master, o.nameBackCall(was))
	must(o, front, o.rootsBackCall(was))
	must(o, front, o.rootsBackCall(was))
	o.restart(time.Now())
	for _, host := range o.hosts("oos-") {
		must(o, host, o.revokeCall())
		must(o, host, o.revokeCall())
		must(o, host, o.removeCall())
	}
	must(o, master, o.removeCall())
	must(o, master, o.revokeCall())
	must(o, master, o.hideCall(false))
}

// wayBack performs the procedure, undoes it, performs it for the next
// certificate, and retires the first.
func wayBack(o, next *operator) {
	was := o.snapshot()
	o.rotate()
	o.changedSince(was)
	o.inUse()
	o.named(o.bundle.Certificate.Thumbprint)
	o.inUse()
	o.named("")
	o.withoutSQL()
	o.addIn()
	o.back(was)
	o.everything()
	o.rotate()
	next.rotate()
	for _, host := range o.hosts("oos-") {
		must(o, host, o.hideCall(false))
	}
	must(o, master, o.useCall())
	must(o, master, o.hideCall(true))
	must(o, master, o.hideCall(false))
	next.everything()
	must(o, master, o.removeCall())
	must(o, front, o.rootsBackCall(was))
	next.everything()
}

// firstBack undoes the very first set-up: what it created goes.
func firstBack(o, next *operator) {
	was := o.snapshot()
	o.rotate()
	o.addIn()
	o.back(was)
	o.everything()
	next.rotate()
}

// oneSubject cuts over to a certificate that shares its subject with the one in use,
// and back, and goes wrong where something else uses that.
func oneSubject(o, next *operator) {
	o.rotate()
	was := o.snapshot()
	old, renewed := string(o.bundle.Certificate.Thumbprint), string(next.bundle.Certificate.Thumbprint)
	for _, host := range []string{master, member} {
		build := map[string]int{master: 14393, member: 17763}[host]
		staged := next.importCall(build)
		staged.Archived = true
		must(o, host, staged)
		must(o, host, next.grantCall())
	}
	next.look(master)
	cutover := next.nameCall()
	cutover.Archive = []string{old}
	o.named(o.bundle.Certificate.Thumbprint)
	next.look(master)
	attempt(o, master, cutover)
	o.named("")
	must(o, master, cutover)
	must(o, master, cutover)
	next.look(master)
	must(o, member, next.hideCall(true))
	must(o, member, o.hideCall(false))
	next.look(member)
	back := next.nameBackCall(was)
	back.Unarchive, back.Archive = []string{old}, []string{renewed}
	must(o, master, back)
	must(o, master, back)
	must(o, member, o.hideCall(true))
	must(o, member, next.hideCall(false))
	must(o, master, next.removeCall())
	o.everything()
}
