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

// FindUse lists what on an office server still names a certificate.
func (a *Activities) FindUse(ctx context.Context, in OldInput) (powershell.CertificateUse, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return powershell.CertificateUse{}, err
	}
	return run(ctx, a.Remote, t, powershell.GetCertificateUse{Thumbprint: string(in.Old.Thumbprint)})
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

// UsesOf says in words what still names a certificate, by what was found on
// the office servers and the SharePoint farms.
func UsesOf(old farm.Certificate, hosts []string, office []powershell.CertificateUse, sharePoint []farm.SharePointFarm) []string {
	var uses []string
	for i, u := range office {
		for _, use := range u.Uses {
			uses = append(uses, fmt.Sprintf("%s: %s", hosts[i], use))
		}
	}
	for _, f := range sharePoint {
		for _, i := range f.Issuers {
			if i.Thumbprint == old.Thumbprint {
				uses = append(uses, fmt.Sprintf("%s: trusted token issuer %q", f.FrontEnd, i.Name))
			}
		}
	}
	return uses
}
