package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// OldInput names an office server and the certificate that is to be retired.
type OldInput struct {
	Farm string           `json:"farm"`
	Host string           `json:"host"`
	Old  farm.Certificate `json:"old"`
}

// FindUse lists, in words, what on an office server still names a certificate.
func (a *Activities) FindUse(ctx context.Context, in OldInput) ([]string, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return nil, err
	}
	found, err := run(ctx, a.Remote, t, powershell.GetCertificateUse{Thumbprint: string(in.Old.Thumbprint)})
	if err != nil {
		return nil, err
	}
	var uses []string
	for _, use := range found.Uses {
		uses = append(uses, t.Host+": "+use)
	}
	return uses, nil
}

// FindIssuers lists, in words, the trusted token issuers of a SharePoint farm
// that still hold a certificate.
func (a *Activities) FindIssuers(ctx context.Context, in OldInput) ([]string, error) {
	seen, err := a.ObserveSharePoint(ctx, ServerInput{Farm: in.Farm, Host: in.Host})
	if err != nil {
		return nil, err
	}
	var uses []string
	for _, i := range seen.Issuers {
		if i.Thumbprint == in.Old.Thumbprint {
			uses = append(uses, fmt.Sprintf("%s: trusted token issuer %q", in.Host, i.Name))
		}
	}
	return uses, nil
}

// HideCertificate marks a certificate of an office server archived.
func (a *Activities) HideCertificate(ctx context.Context, in OldInput) (StepResult, error) {
	return a.mark(ctx, in, false, "archived")
}

// ShowCertificate takes the archived mark off, so that a rotation back to the
// certificate finds it.
func (a *Activities) ShowCertificate(ctx context.Context, in OldInput) (StepResult, error) {
	return a.mark(ctx, in, true, "not archived any more")
}

func (a *Activities) mark(ctx context.Context, in OldInput, show bool, state string) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.SetS2SCertificateArchived{Thumbprint: string(in.Old.Thumbprint), Archived: !show})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("%s, or not there", state), nil
	}
	return a.changed("%s", state), nil
}

// RemoveOwnRoot removes the root authority of a retired self-signed
// certificate, if it bears the name that farmtrust gives: one that somebody
// else made stays. No other certificate is an authority by itself.
func (a *Activities) RemoveOwnRoot(ctx context.Context, in OldInput) (StepResult, error) {
	t, sp, err := a.frontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	seen, err := a.ObserveSharePoint(ctx, ServerInput{Farm: in.Farm, Host: in.Host})
	if err != nil {
		return StepResult{}, err
	}
	ours := farm.RootAuthority{Name: sp.RootAuthorityName(farm.ChainCertificate{Thumbprint: in.Old.Thumbprint}), Thumbprint: in.Old.Thumbprint}
	switch {
	case slices.Contains(seen.RootAuthorities, ours):
	case seen.Trusts(in.Old.Thumbprint):
		return already("it is trusted under a name that farmtrust did not give, and stays"), nil
	default:
		return already("it is no root authority"), nil
	}
	done, err := run(ctx, a.onFarm(sp), t, powershell.RemoveRootAuthority{Thumbprints: []string{string(in.Old.Thumbprint)}})
	if err != nil {
		return StepResult{}, err
	}
	return a.changed("removed %s", strings.Join(done.Removed, ", ")), nil
}

// DeleteCertificate removes a retired certificate and its key from an office
// server, and the copy in Trusted Root that a self-signed one has.
func (a *Activities) DeleteCertificate(ctx context.Context, in OldInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.RemoveS2SCertificate{
		Thumbprint: string(in.Old.Thumbprint), Personal: true, Root: true, Intermediates: []string{},
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("not there"), nil
	}
	return a.changed("removed from %s", strings.Join(done.Removed, ", ")), nil
}
