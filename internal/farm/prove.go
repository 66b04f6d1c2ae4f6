package farm

import (
	"fmt"
	"slices"
	"strings"
)

// notVerified is what no comparison shows.
const notVerified = "not verified: no token was requested from SharePoint; whether it accepts one shows when a user refreshes data"

// Prove says what an observation shows of the farm's trust, how that was seen, and what
// it does not show. It claims nothing where a difference is left.
func Prove(d Desired, o Observed) []string {
	var proofs []string
	add := func(differences []Difference, format string, args ...any) {
		if len(differences) == 0 {
			proofs = append(proofs, fmt.Sprintf(format, args...))
		}
	}
	name, offices := d.Target.Thumbprint.Short(), eachOf(len(o.Office), "office server")
	add(append(compareImports(d, o), compareKeys(d, o)...),
		"on %s the private key of %s made a test signature by the path that Office Online Server uses, and it verified; NETWORK SERVICE may read the key", offices, name)
	add(append(compareS2SName(d, o), compareReplication(d, o)...),
		"%s has S2SCertificateName %q, as Office Online Server itself returned it", offices, d.Target.FriendlyName)
	farms := eachOf(len(d.Farm.SharePoint), "SharePoint farm")
	add(compareIssuers(d, o), "both trusted token issuers of %s hold %s, and their app principals have app-only full control on each configured site", farms, name)
	add(compareRootAuthorities(d, o), "%s trusts the chain of %s", farms, name)
	if slices.ContainsFunc(d.Farm.Offices(), Office.HasHTTPSettings) {
		add(compareHTTPSettings(d, o), "the HTTP settings are as configured")
	}
	if all := Compare(d, o); len(selectSteps(all, StepRestart)) == 0 {
		proofs = append(proofs, "the services of each server started after what they load was set, or have noted that they loaded it")
	}
	if len(proofs) == 0 {
		return nil
	}
	return append(proofs, notVerified)
}

// ProveKeys says which office servers' keys have signed as the account that Office
// Online Server runs as; empty where none did.
func (r Report) ProveKeys(f Farm) string {
	signed := 0
	for _, host := range f.OfficeHosts() {
		office, _ := f.OfficeOf(host)
		row := r.Row(host, StepGrant)
		if office.ProveKeyAs == AsNetworkService && row != nil && (row.State == StateChanged || row.State == StateUnchanged) {
			signed++
		}
	}
	if signed == 0 {
		return ""
	}
	return fmt.Sprintf("on %s the key of %s signed as NETWORK SERVICE, in a one-shot scheduled task, and the signature verified", countOf(signed, "office server"), r.Target.Short())
}

// ProveUnused says what shows that nothing used a certificate that was deleted.
func ProveUnused(f Farm) []string {
	return []string{
		fmt.Sprintf("before it was archived, and again before it was deleted, nothing named it on %s: neither S2SCertificateName, CertificateName, a binding of http.sys, WinRM nor Remote Desktop", eachOf(len(f.OfficeHosts()), "office server")),
		fmt.Sprintf("no trusted token issuer of %s held it", eachOf(len(f.SharePoint), "SharePoint farm")),
		"not verified: whether other programs use a copy of its key",
	}
}

// prove says what shows that nothing is left to roll back; nil while something is.
func (p *rollbackPlanner) prove() []string {
	if len(p.plan.Reversals)+len(p.plan.Conflicts) > 0 || p.snapshot.Staged && len(p.plan.Remaining) > 0 {
		return nil
	}
	proofs := []string{"compared with what was observed on " + FormatTime(p.snapshot.TakenAt) + ", before the first change: nothing that the rotation set is left"}
	if p.snapshot.Staged {
		return []string{"none of what was staged is left: neither the certificate with its key and its access, nor root authorities; no setting was changed, and no server restarted"}
	}
	if before := p.snapshot.Previous; before.Thumbprint != "" {
		var names []string
		for _, master := range p.now.Masters() {
			names = append(names, fmt.Sprintf("%q on %s", master.Settings.S2SCertificateName, master.Machine.Host))
		}
		proofs = append(proofs, "S2SCertificateName is "+strings.Join(names, ", "))
	}
	return append(proofs, notVerified)
}

// eachOf names all of some things.
func eachOf(n int, what string) string {
	if n == 1 {
		return "the " + what
	}
	return fmt.Sprintf("each of %d %ss", n, what)
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
