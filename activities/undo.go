package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// WayBackInput is what finding the way back needs.
type WayBackInput struct {
	Farm     farm.Farm     `json:"farm"`
	Journal  farm.Journal  `json:"journal"`
	Observed farm.Observed `json:"observed"`
}

// FindWayBack says what of a rotation is still to be undone. It runs in an
// activity for the same reason as [Activities.Compare].
func (a *Activities) FindWayBack(_ context.Context, in WayBackInput) (farm.WayBack, error) {
	return farm.Undo(in.Journal, in.Farm, in.Observed), nil
}

// IssuerBackInput says what an issuer was before the rotation.
type IssuerBackInput struct {
	TrustIssuerInput
	// Before is empty when there was none.
	Before      farm.TokenIssuer     `json:"before"`
	Permissions []farm.AppPermission `json:"permissions"`
}

// PutIssuerBack puts one issuer and its permissions back to what they were.
func (a *Activities) PutIssuerBack(ctx context.Context, in IssuerBackInput) (StepResult, error) {
	t, sp, err := a.frontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	issuer, ok := farm.IssuerByRegisteredName(in.Issuer)
	if !ok {
		return StepResult{}, refuse(UnknownIssuer, "%q is none of the two registered issuer names of the procedure", in.Issuer)
	}
	if in.Before.RegisteredName != "" && len(in.Before.Certificate) == 0 {
		return StepResult{}, refuse(NothingToRestore, "%s: issuer %q had no certificate of its own before (a metadata address, perhaps), so there is none to put back: set it by hand", t.Host, in.Before.Name)
	}
	params := powershell.RestoreTrustedIssuer{
		RegisteredName: issuer.RegisteredName, Ours: string(in.Target.Thumbprint),
		Previous: in.Before.Certificate, Description: in.Before.Description, Permissions: []powershell.SitePermission{},
	}
	for _, site := range sp.Sites {
		was := powershell.SitePermission{Site: site}
		for _, p := range in.Permissions {
			if p.Site == site && strings.EqualFold(p.RegisteredName, issuer.RegisteredName) {
				was.Right, was.AppOnly = p.Right, p.AppOnly
			}
		}
		params.Permissions = append(params.Permissions, was)
	}
	done, err := run(ctx, a.onFarm(sp), t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("%s: as before", issuer.Product), nil
	case done.Removed:
		return a.changed("%s: removed", issuer.Product), nil
	case done.Updated:
		return a.changed("%s: holds %s again", issuer.Product, in.Before.Thumbprint.Short()), nil
	}
	return a.changed("%s: permission as before on %s", issuer.Product, strings.Join(done.Permissions, ", ")), nil
}

// SettingsBackInput says what the office farm's settings were.
type SettingsBackInput struct {
	ServerInput
	Before farm.OfficeFarm `json:"before"`
}

// PutSwitchesBack puts those HTTP switches back that are configured, and so
// were the rotation's to set. Like [Activities.SetHTTPSwitches] it may say
// that the master is elsewhere.
func (a *Activities) PutSwitchesBack(ctx context.Context, in SettingsBackInput) (StepResult, error) {
	t, f, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	var params powershell.SetOfficeHTTPSetting
	if f.Office.AllowOutboundHTTP != nil {
		params.AllowOutboundHTTP = &in.Before.AllowOutboundHTTP
	}
	if f.Office.AllowHTTPSecureStoreConnections != nil {
		params.AllowHTTPSecureStoreConnections = &in.Before.AllowHTTPSecureStoreConnections
	}
	if params == (powershell.SetOfficeHTTPSetting{}) {
		return already("not configured"), nil
	}
	if master, err := a.masterOf(ctx, t); err != nil || master != "" {
		return StepResult{Elsewhere: master}, err
	}
	done, err := run(ctx, a.Remote, t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("as before"), nil
	}
	return a.changed("put back %s", strings.Join(done.Settings, ", ")), nil
}

// PutS2SCertificateBack puts the farm's S2S setting back. Like
// [Activities.SetS2SCertificate] it may say that the master is elsewhere.
func (a *Activities) PutS2SCertificateBack(ctx context.Context, in SettingsBackInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if master, err := a.masterOf(ctx, t); err != nil || master != "" {
		return StepResult{Elsewhere: master}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.RestoreS2SCertificateName{Ours: in.Target.FriendlyName, Previous: in.Before.S2SCertificateName})
	switch {
	case err != nil:
		return StepResult{}, err
	case done.ClearRefused:
		return StepResult{Detail: fmt.Sprintf("stays %s: Office Online Server refuses to have none: %s", quoted(in.Target.FriendlyName), done.Reason), Kept: true}, nil
	case !done.Changed:
		return already("S2SCertificateName is %s, as before", quoted(in.Before.S2SCertificateName)), nil
	}
	return a.changed("S2SCertificateName is %s again", quoted(in.Before.S2SCertificateName)), nil
}

// RootsBackInput names the root authorities to remove.
type RootsBackInput struct {
	ServerInput
	// Added are those that the rotation added.
	Added []farm.Thumbprint `json:"added"`
}

// RemoveRootAuthorities removes the root authorities that the rotation added.
func (a *Activities) RemoveRootAuthorities(ctx context.Context, in RootsBackInput) (StepResult, error) {
	t, sp, err := a.frontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if len(in.Added) == 0 {
		return already("none was added"), nil
	}
	var params powershell.RemoveRootAuthority
	for _, added := range in.Added {
		params.Thumbprints = append(params.Thumbprints, string(added))
	}
	done, err := run(ctx, a.onFarm(sp), t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("none is left"), nil
	}
	return a.changed("removed %s", strings.Join(done.Removed, ", ")), nil
}

// OfficeBackInput says what an office server held before.
type OfficeBackInput struct {
	ServerInput
	Before farm.OfficeServer `json:"before"`
}

// RevokeKey takes NETWORK SERVICE's access to the key back, if the certificate
// was there before without it.
func (a *Activities) RevokeKey(ctx context.Context, in OfficeBackInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	was, existed := in.Before.Certificate(in.Target.Thumbprint)
	if !existed || !was.HasKey || was.ReadableBy(farm.NetworkService) {
		return already("as before"), nil
	}
	done, err := run(ctx, a.Remote, t, powershell.RevokeS2SKey{Thumbprint: string(in.Target.Thumbprint), Sid: farm.NetworkService})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("NETWORK SERVICE may not read the key"), nil
	}
	return a.changed("NETWORK SERVICE may no longer read the key"), nil
}

// RemoveCertificate removes from an office server's stores what the rotation
// put there.
func (a *Activities) RemoveCertificate(ctx context.Context, in OfficeBackInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	_, existed := in.Before.Certificate(in.Target.Thumbprint)
	params := powershell.RemoveS2SCertificate{
		Thumbprint: string(in.Target.Thumbprint), Personal: !existed,
		Root: in.Target.SelfSigned && !in.Before.HasRoot(in.Target.Thumbprint), Intermediates: []string{},
	}
	for _, c := range in.Target.Intermediates() {
		if !in.Before.HasIntermediate(c.Thumbprint) {
			params.Intermediates = append(params.Intermediates, string(c.Thumbprint))
		}
	}
	if !params.Personal && !params.Root && len(params.Intermediates) == 0 {
		return already("nothing was added"), nil
	}
	done, err := run(ctx, a.Remote, t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("nothing is left"), nil
	}
	return a.changed("removed from %s", strings.Join(done.Removed, ", ")), nil
}
