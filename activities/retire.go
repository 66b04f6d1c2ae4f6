package activities

import (
	"context"
	"fmt"
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
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.HideS2SCertificate{Thumbprint: string(in.Old.Thumbprint)})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("archived, or not there"), nil
	}
	return a.changed("archived"), nil
}

// DeleteCertificate removes a retired certificate and its key from an office
// server; a self-signed one also from Trusted Root.
func (a *Activities) DeleteCertificate(ctx context.Context, in OldInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.RemoveS2SCertificate{
		Thumbprint: string(in.Old.Thumbprint), Personal: true, Root: in.Old.SelfSigned, Intermediates: []string{},
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("not there"), nil
	}
	return a.changed("removed from %s", strings.Join(done.Removed, ", ")), nil
}
