package activities

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TrustRootAuthorities adds to SharePoint's trusted root authorities what is
// missing of the target's chain, or a self-signed target itself.
func (a *Activities) TrustRootAuthorities(ctx context.Context, in ServerInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	var params powershell.AddRootAuthority
	for _, c := range in.Target.RootAuthorities() {
		params.Authorities = append(params.Authorities, powershell.RootAuthorityCertificate{Name: sp.RootAuthorityName(c), Certificate: c.DER})
	}
	done, err := runScript(ctx, a.sharePointRunner(sp), t, params)
	result, err := a.stepResult(err, done.Changed, "added "+strings.Join(done.Added, ", "), "SharePoint trusts the chain")
	for _, name := range done.Added {
		result.addChange(fmt.Sprintf("root authority %q", name), "absent", "trusted")
	}
	return result, err
}

// TrustIssuerInput names the front end and the issuer.
type TrustIssuerInput struct {
	ServerInput
	// Issuer is the registered issuer name.
	Issuer string `json:"issuer"`
	// Held is the certificate that the issuer held when it was last observed, and
	// Permissions those of all app principals, for the report.
	Held        farm.Thumbprint      `json:"held,omitempty"`
	Permissions []farm.AppPermission `json:"observedPermissions,omitempty"`
}

// TrustIssuer registers one trusted token issuer with the target, or updates it in
// place, and grants its app principal full control on each site.
func (a *Activities) TrustIssuer(ctx context.Context, in TrustIssuerInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	issuer, ok := farm.IssuerByRegisteredName(in.Issuer)
	if !ok {
		return StepResult{}, a.unknownError(UnknownIssuer, "registered issuer name %q", in.Issuer)
	}
	done, err := runScript(ctx, a.sharePointRunner(sp), t, powershell.SetTrustedIssuer{
		Name: sp.IssuerDisplayName(issuer), RegisteredName: issuer.RegisteredName, Certificate: in.Target.DER, Sites: sp.Sites,
	})
	result, err := a.stepResult(err, done.Changed,
		fmt.Sprintf("%s: %s", issuer.Product, describeIssuerChanges(done)),
		fmt.Sprintf("%s: %q holds %s", issuer.Product, done.Name, in.Target.Thumbprint.Short()))
	if done.Created || done.Updated {
		before := "no issuer"
		if !done.Created {
			before = cmp.Or(in.Held.Short(), "another certificate")
		}
		result.addChange("issuer for "+issuer.Product, before, in.Target.Thumbprint.Short())
	}
	for _, site := range done.Granted {
		result.addChange("permission of "+issuer.Product+" on "+site, describePermission(in.Permissions, site, issuer), farm.FullControl+", app-only")
	}
	return result, err
}

// describePermission is the permission of an issuer's app principal on a site.
func describePermission(all []farm.AppPermission, site string, issuer farm.Issuer) string {
	p := farm.SharePointFarm{Permissions: all}.Permission(site, issuer.RegisteredName)
	switch {
	case p.Right == "":
		return "none"
	case p.AppOnly:
		return p.Right + ", app-only"
	}
	return p.Right
}

func describeIssuerChanges(done powershell.SetIssuerResult) string {
	var changes []string
	switch {
	case done.Created:
		changes = append(changes, fmt.Sprintf("created %q", done.Name))
	case done.Updated:
		changes = append(changes, fmt.Sprintf("updated %q", done.Name))
	}
	if len(done.Granted) > 0 {
		changes = append(changes, "full control on "+strings.Join(done.Granted, ", "))
	}
	return strings.Join(changes, ", ")
}

// RestartSharePointInput names the server to restart.
type RestartSharePointInput struct {
	ServerInput
	// Baseline is the server as it was observed before this run restarted it; without
	// one, it is observed now.
	Baseline farm.SharePointServer `json:"baseline"`
	// Since is when the trust was last changed, on the worker's clock; zero when it
	// is not known to have changed.
	Since time.Time `json:"since,omitzero"`
}

// RestartSharePoint restarts IIS and SPTimerV4 on a SharePoint server where
// they started before the trust changed. Without a restart, a server may take
// 24 hours to recognize an issuer (source: Microsoft, "High-trust configuration
// scripts for SharePoint"). It then waits until the server has served the sites that
// it served before for a while. It fails with [ServiceNotRunning] or
// [WaitTimedOut].
func (a *Activities) RestartSharePoint(ctx context.Context, in RestartSharePointInput) (StepResult, error) {
	t, sp, err := a.resolveSharePointServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	before, err := a.observeSharePointServer(ctx, t, sp.Sites)
	if err != nil {
		return StepResult{}, err
	}
	if in.Baseline.Machine.Host == "" {
		in.Baseline = before
	}
	done, err := runScript(ctx, a.Remote, t, powershell.RestartSharePointServer{NotBefore: a.notLater(in.Since).Add(before.Machine.Skew)})
	if err != nil {
		return StepResult{}, err
	}
	f, _ := a.Farms.Farm(in.Farm)
	health, err := a.awaitHealth(ctx, t.Host, f.Rotation, func() (healthLook, error) {
		seen, err := a.observeSharePointServer(ctx, t, sp.Sites)
		return healthLook{trouble: seen.WhyUnhealthy(in.Baseline), stopped: len(seen.StoppedServices()) > 0, answer: describeServed(in.Baseline, seen), starts: seen.Starts()}, err
	})
	return a.stepResult(err, done.Changed,
		fmt.Sprintf("restarted %s; %s", strings.Join(done.Restarted, ", "), health),
		fmt.Sprintf("started after the trust changed; %s", health))
}

// describeServed says how a server responds for the sites that it served before.
func describeServed(before, now farm.SharePointServer) string {
	var served []string
	for _, d := range now.Sites {
		if slices.ContainsFunc(before.Sites, func(b farm.Discovery) bool { return b.URL == d.URL && b.IsServed() }) {
			served = append(served, d.String())
		}
	}
	if len(served) == 0 {
		return "its services run; it served no site before"
	}
	return strings.Join(served, ", ")
}

func encodeDER(c farm.ChainCertificate) string { return base64.StdEncoding.EncodeToString(c.DER) }

func quoteName(s string) string {
	if s == "" {
		return "not set"
	}
	return fmt.Sprintf("%q", s)
}
