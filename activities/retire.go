package activities

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// OldCertificateInput names a server or front end, by host, and the certificate
// that is being retired.
type OldCertificateInput struct {
	Farm string           `json:"farm"`
	Host string           `json:"host"`
	Old  farm.Certificate `json:"old"`
	// Mandate is the worker's word that a step may be done; none is needed to look.
	Mandate Mandate `json:"mandate,omitzero"`
}

// CertificateUse is what was found about the use of a certificate, in words for
// operators.
type CertificateUse struct {
	// Uses name the certificate.
	Uses []string `json:"uses"`
	// Notes do not keep it from being deleted, and an operator should know them
	// before that.
	Notes []string `json:"notes,omitempty"`
	// Archived reports whether an office server has it archived.
	Archived bool `json:"archived,omitempty"`
	// OwnRoot reports whether the SharePoint farm trusts it as a root authority that
	// farmtrust added.
	OwnRoot bool `json:"ownRoot,omitempty"`
	// Wildcard reports whether it names more than one host by a "*".
	Wildcard bool `json:"wildcard,omitempty"`
}

// FindUse finds what on an office server still uses a certificate.
func (a *Activities) FindUse(ctx context.Context, in OldCertificateInput) (CertificateUse, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return CertificateUse{}, err
	}
	found, err := runScript(ctx, a.Remote, t, powershell.GetCertificateUse{Thumbprint: string(in.Old.Thumbprint)})
	if err != nil {
		return CertificateUse{}, a.explainStopped(ctx, t, err)
	}
	use := CertificateUse{Archived: found.Archived, Wildcard: found.Wildcard}
	for _, name := range found.Uses {
		use.Uses = append(use.Uses, t.Host+": "+name)
	}
	for _, note := range found.Notes {
		use.Notes = append(use.Notes, t.Host+": "+note)
	}
	return use, nil
}

// FindIssuers finds the trusted token issuers of a SharePoint farm that still hold a
// certificate, whatever their registered names, and notes the root authorities that
// hold it and that the retirement leaves alone.
func (a *Activities) FindIssuers(ctx context.Context, in OldCertificateInput) (CertificateUse, error) {
	_, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return CertificateUse{}, err
	}
	seen, err := a.observeSharePoint(ctx, ServerInput{Farm: in.Farm, Host: in.Host}, in.Old.Thumbprint)
	if err != nil {
		return CertificateUse{}, err
	}
	var use CertificateUse
	for _, i := range seen.Issuers {
		if i.Thumbprint == in.Old.Thumbprint {
			use.Uses = append(use.Uses, fmt.Sprintf("%s: trusted token issuer %q", in.Host, i.Name))
		}
	}
	for _, r := range seen.RootAuthorities {
		switch {
		case r == ownAuthority(sp, in.Old):
			use.OwnRoot = true
		case r.Thumbprint == in.Old.Thumbprint:
			use.Notes = append(use.Notes, fmt.Sprintf("%s: root authority %q, which farmtrust did not add, keeps trusting it", in.Host, r.Name))
		}
	}
	return use, nil
}

// ownAuthority is the root authority of a self-signed certificate as farmtrust adds
// it.
func ownAuthority(sp farm.SharePoint, c farm.Certificate) farm.RootAuthority {
	return farm.RootAuthority{Name: sp.RootAuthorityName(farm.ChainCertificate{Thumbprint: c.Thumbprint}), Thumbprint: c.Thumbprint}
}

// ArchiveCertificate marks a certificate on an office server as archived.
func (a *Activities) ArchiveCertificate(ctx context.Context, in OldCertificateInput) (StepResult, error) {
	return a.setArchived(ctx, in, true, "archived")
}

// UnarchiveCertificate removes that mark, so that a rotation back to the
// certificate finds it.
func (a *Activities) UnarchiveCertificate(ctx context.Context, in OldCertificateInput) (StepResult, error) {
	return a.setArchived(ctx, in, false, "not archived")
}

func (a *Activities) setArchived(ctx context.Context, in OldCertificateInput, archived bool, state string) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.SetS2SCertificateArchived{Thumbprint: string(in.Old.Thumbprint), Archived: archived})
	result, err := a.stepResult(a.explainStopped(ctx, t, err), done.Changed, state, state+", or not there")
	var archive []farm.Thumbprint
	if archived {
		archive = append(archive, in.Old.Thumbprint)
	}
	result.addMarks([]string{string(in.Old.Thumbprint)}, archive)
	return result, err
}

// explainStopped returns the error of a script, or its true cause where WACSM is
// stopped: what the farm's settings name cannot be read then, and the product's own
// error does not say why.
func (a *Activities) explainStopped(ctx context.Context, t powershell.Target, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	seen, failed := a.observeOffice(ctx, t, farm.Certificate{}, "")
	if failed != nil || seen.Service.Running || seen.Service.Name == "" {
		return err
	}
	return serviceStopped(activity.GetInfo(ctx).Attempt, "%s: what its farm still names cannot be read: %s: remove the cause, start it, then try again", t.Host, seen.WhyUnread())
}

// RemoveOwnRootAuthority removes the root authority of a retired self-signed
// certificate if it has the name that farmtrust gives; one that an administrator
// created stays, and so does one that another issuer's certificate needs. Only a
// self-signed certificate is a root authority itself.
func (a *Activities) RemoveOwnRootAuthority(ctx context.Context, in OldCertificateInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	seen, err := a.ObserveSharePoint(ctx, ServerInput{Farm: in.Farm, Host: in.Host})
	if err != nil {
		return StepResult{}, err
	}
	switch {
	case slices.Contains(seen.RootAuthorities, ownAuthority(sp, in.Old)):
	case seen.Trusts(in.Old.Thumbprint):
		return reportUnchanged("it is trusted under a name that farmtrust did not give, and stays"), nil
	default:
		return reportUnchanged("it is not a root authority"), nil
	}
	return a.removeAuthorities(ctx, t, sp, []farm.Thumbprint{in.Old.Thumbprint})
}

// DeleteCertificate deletes a retired certificate and its key from an office
// server, and the copy of a self-signed one from Trusted Root.
func (a *Activities) DeleteCertificate(ctx context.Context, in OldCertificateInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.RemoveS2SCertificate{
		Thumbprint: string(in.Old.Thumbprint), Personal: true, Root: true, Intermediates: []string{},
	})
	return a.reportRemoval(a.explainStopped(ctx, t, err), done, "not there")
}

// DestroyKey destroys the worker's own copy of a retired certificate and its key, which
// only a source has that makes its certificates.
func (a *Activities) DestroyKey(ctx context.Context, in OldCertificateInput) (StepResult, error) {
	if _, err := a.LoadFarm(ctx, in.Farm); err != nil {
		return StepResult{}, err
	}
	gone, err := a.Certificates.Forget(ctx, in.Farm, in.Old.Thumbprint)
	return a.stepResult(err, gone, "the worker's own copy is destroyed", "the worker has no copy of its own")
}
