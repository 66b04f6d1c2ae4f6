package model

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Obstacle is one reason why a data refresh would not work.
type Obstacle struct {
	Rule RuleID
	Text string
	// Owed reports whether refreshes work all the same, until something is restarted:
	// what is loaded is not what is set.
	Owed bool
}

// DataRefresh finds what keeps a data refresh, which needs the S2S trust, from
// working now between an office server and a SharePoint server: every obstacle,
// none if it works. It looks past what is configured to what the processes on
// both machines have loaded, and at each link of the trust.
func (w *World) DataRefresh(officeHost, sharePointHost string) ([]Obstacle, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	office, err := w.findMachine(officeHost)
	if err != nil {
		return nil, fmt.Errorf("data refresh: %w", err)
	}
	server, err := w.findMachine(sharePointHost)
	if err != nil {
		return nil, fmt.Errorf("data refresh: %w", err)
	}
	member, f := w.findMember(office), w.sharePointFarm(server)
	if member == nil || f == nil {
		return nil, fmt.Errorf("data refresh: %s and %s are not an office server and a SharePoint server", officeHost, sharePointHost)
	}
	r := refresh{w: w, now: now}
	if office.isDown(now) || server.isDown(now) {
		r.addObstacle(RuleMachineDown, "a machine is down")
		return r.obstacles, nil
	}
	if !strings.EqualFold(office.Forest, server.Forest) {
		r.addObstacle(RuleSameForest, "%s is in forest %s, %s in %s", office.name, office.Forest, server.name, server.Forest)
	}
	r.checkServing(office)
	r.checkServing(server)
	if !server.runs(SPTimerV4) {
		r.addObstacle(RuleTimerCachesTrust, "%s: SPTimerV4 does not run: scheduled refreshes do not", server.name)
	}
	if f.isSQLAway(now) {
		r.addObstacle(RuleSQLAway, "farm %s: SQL Server is away", f.Name)
	}
	signer := r.findSigner(member)
	if signer != nil {
		for _, issuer := range farm.Issuers() {
			r.checkAcceptance(f, server, issuer, signer.cert)
		}
	}
	for _, site := range f.Sites {
		if !f.knowsProfiles(site) {
			r.addObstacle(RuleUserProfile, "farm %s: %s has no User Profile service", f.Name, site)
		}
		if f.refusesTokens(site) {
			r.addObstacle(RuleOAuthOverHTTP, "farm %s: %s takes no tokens over HTTP", f.Name, site)
		}
	}
	return r.obstacles, nil
}

type refresh struct {
	w         *World
	now       time.Time
	obstacles []Obstacle
}

func (r *refresh) addObstacle(rule RuleID, format string, args ...any) {
	r.w.countRule(rule)
	r.obstacles = append(r.obstacles, Obstacle{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// checkServing finds what keeps a machine's web server from serving at all.
func (r *refresh) checkServing(m *machine) {
	switch {
	case !m.iisRuns():
		r.addObstacle(RuleIISServices, "%s: W3SVC or WAS does not run", m.name)
	case m.isPoolDown(r.now):
		r.addObstacle(RulePoolDown, "%s: the application pool is stopped", m.name)
	}
}

// findSigner returns what the office server would sign its tokens with.
func (r *refresh) findSigner(member *officeMember) *entry {
	m := member.m
	if !m.services[WACSM].running {
		r.addObstacle(RuleLoadAtStart, "%s: WACSM does not run", m.name)
		return nil
	}
	loaded := member.loaded[WACSM]
	if m.iisRuns() && member.loaded[IIS] != loaded {
		r.addObstacle(RuleLoadAtStart, "%s: WACSM and the IIS workers loaded different S2S certificates", m.name)
	}
	if loaded.name != member.settings.S2SCertificateName {
		r.addObstacle(RuleLoadAtStart, "%s: loaded %q, set is %q: a restart is owed", m.name, loaded.name, member.settings.S2SCertificateName)
		r.obstacles[len(r.obstacles)-1].Owed = true
	}
	e := m.findEntry(My, loaded.thumbprint)
	if e == nil {
		r.addObstacle(RuleNameMissing, "%s: no S2S certificate is loaded", m.name)
		return nil
	}
	if e.key == nil || e.key.lost || !e.key.readers[farm.NetworkService] {
		r.addObstacle(RuleKeyAccess, "%s: NETWORK SERVICE cannot use the key of %s", m.name, e.thumbprint.Short())
	}
	if e.key != nil && e.key.provider == SoftwareKSP {
		r.addObstacle(RuleNoCNG, "%s: Invalid provider type specified.", m.name)
	}
	if _, isRSA := e.cert.PublicKey.(*rsa.PublicKey); !isRSA {
		r.addObstacle(RuleRSAOnly, "%s: tokens are signed with RS256, the key is not RSA", m.name)
	}
	return e
}

// checkAcceptance finds what keeps a SharePoint server from accepting a token that is
// signed with a certificate, for one of the two issuers.
func (r *refresh) checkAcceptance(f *sharePointFarm, server *machine, issuer farm.Issuer, cert *x509.Certificate) {
	if now := server.clock(r.now); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		r.addObstacle(RuleValidity, "certificate %s is not valid now", farm.ThumbprintOf(cert.Raw).Short())
	}
	for _, process := range []string{IIS, SPTimerV4} {
		if server.startTime(process).IsZero() {
			continue // It has loaded nothing; whether that is in the way was said.
		}
		loaded := f.loadedBy(server.startTime(process), r.now, r.w.policy.Propagation)
		if !r.trusts(loaded, issuer, cert) {
			rule := RuleTrustedIssuer
			if r.trusts(f.configured(), issuer, cert) {
				rule = RulePropagation
				if process == SPTimerV4 {
					rule = RuleTimerCachesTrust
				}
			}
			r.addObstacle(rule, "%s: %s: %s: The issuer of the token is not a trusted issuer.", server.name, process, issuer.Product)
		}
		if missing := firstUntrusted(cert, loaded.authorities); missing != "" {
			r.addObstacle(RuleChain, "%s: %s: The root of the certificate chain is not a trusted root authority: %s", server.name, process, missing)
		}
	}
	if p := f.permissions[issuer.RegisteredName]; p.Right != FullControl || !p.AppOnly {
		r.addObstacle(RulePermission, "farm %s: %s has no app-only full control", f.Name, issuer.Product)
	}
}

func (r *refresh) trusts(t trust, issuer farm.Issuer, cert *x509.Certificate) bool {
	for _, known := range t.issuers {
		if known.RegisteredIssuerName != issuer.RegisteredName {
			if strings.EqualFold(known.RegisteredIssuerName, issuer.RegisteredName) {
				r.w.countRule(RuleRegisteredNameCase)
			}
			continue
		}
		if bytes.Equal(known.Certificate, cert.Raw) {
			return true
		}
		if r.w.policy.DuplicateNames == FirstMatch {
			r.w.countRule(RuleRegisteredNameTwice)
			return false
		}
	}
	return false
}

// firstUntrusted names the first certificate of a chain that is not a trusted root
// authority; empty when all are.
func firstUntrusted(cert *x509.Certificate, authorities []RootAuthority) string {
	var trusted []*x509.Certificate
	for _, a := range authorities {
		if parsed, err := x509.ParseCertificate(a.Certificate); err == nil {
			trusted = append(trusted, parsed)
		}
	}
	selfSigned := func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }
	if selfSigned(cert) {
		if slices.ContainsFunc(trusted, cert.Equal) {
			return ""
		}
		return distinguishedName(cert.Subject)
	}
	// A chain is never longer than the list of those that may be in it.
	for range trusted {
		at := slices.IndexFunc(trusted, func(c *x509.Certificate) bool { return cert.CheckSignatureFrom(c) == nil })
		if at < 0 {
			break
		}
		if cert = trusted[at]; selfSigned(cert) {
			return ""
		}
	}
	return distinguishedName(cert.Issuer)
}
