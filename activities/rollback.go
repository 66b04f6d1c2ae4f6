package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// PlanRollbackInput is everything that planning a rollback needs.
type PlanRollbackInput struct {
	Farm     farm.Farm     `json:"farm"`
	Snapshot farm.Snapshot `json:"snapshot"`
	Observed farm.Observed `json:"observed"`
	// Skipped are the office servers that an operator has left out.
	Skipped []string `json:"skipped,omitempty"`
}

// PlanRollback returns what is still to be rolled back of a rotation. It is an
// activity for the same reason as [Activities.Compare].
func (a *Activities) PlanRollback(_ context.Context, in PlanRollbackInput) (farm.RollbackPlan, error) {
	return farm.PlanRollback(in.Snapshot, in.Farm, in.Observed, in.Skipped...), nil
}

// RestoreIssuerInput is an issuer as it was before the rotation.
type RestoreIssuerInput struct {
	TrustIssuerInput
	// Before is the zero value when there was no issuer.
	Before farm.TokenIssuer `json:"before"`
	// Permissions are those of all app principals before the rotation.
	Permissions []farm.AppPermission `json:"permissions"`
}

// RestoreIssuer restores one issuer and its permissions. It fails with
// [NothingToRestore] if the issuer had no certificate of its own.
func (a *Activities) RestoreIssuer(ctx context.Context, in RestoreIssuerInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	issuer, ok := farm.IssuerByRegisteredName(in.Issuer)
	if !ok {
		return StepResult{}, a.unknownError(UnknownIssuer, "registered issuer name %q", in.Issuer)
	}
	if in.Before.RegisteredName != "" && len(in.Before.Certificate) == 0 {
		return StepResult{}, terminalError(NothingToRestore, "%s: issuer %q had no certificate of its own before (a metadata address, perhaps), so there is none to restore: set it by hand", t.Host, in.Before.Name)
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
	done, err := runScript(ctx, a.sharePointRunner(sp), t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return reportUnchanged("%s: as before", issuer.Product), nil
	}
	return a.reportRestored(done, in, issuer), nil
}

// reportRestored says what was restored of an issuer.
func (a *Activities) reportRestored(done powershell.RestoreIssuerResult, in RestoreIssuerInput, issuer farm.Issuer) StepResult {
	result := a.reportChanged("%s: permission as before on %s", issuer.Product, strings.Join(done.Permissions, ", "))
	switch ours := in.Target.Thumbprint.Short(); {
	case done.Removed:
		result.Detail = issuer.Product + ": removed"
		result.addChange("issuer for "+issuer.Product, ours, "no issuer")
	case done.Updated:
		result.Detail = fmt.Sprintf("%s: holds %s again", issuer.Product, in.Before.Thumbprint.Short())
		result.addChange("issuer for "+issuer.Product, ours, in.Before.Thumbprint.Short())
	}
	for _, site := range done.Permissions {
		result.addChange("permission of "+issuer.Product+" on "+site, farm.FullControl+", app-only", describePermission(in.Permissions, site, issuer))
	}
	return result
}

// RestoreSettingsInput holds the office farm's settings before the rotation.
type RestoreSettingsInput struct {
	ServerInput
	Before farm.OfficeFarm `json:"before"`
	// Unarchive and Archive are those of [farm.Snapshot.VisibleBefore].
	Unarchive []farm.Thumbprint `json:"unarchive,omitempty"`
	Archive   []farm.Thumbprint `json:"archive,omitempty"`
}

// RestoreHTTPSettings restores the HTTP settings that are configured, which are
// those that the rotation set. Like [Activities.SetHTTPSettings], it does
// nothing if Host is not the master.
func (a *Activities) RestoreHTTPSettings(ctx context.Context, in RestoreSettingsInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	var params powershell.SetOfficeHTTPSetting
	office := officeOf(f, in.Host)
	if office.AllowOutboundHTTP != nil {
		params.AllowOutboundHTTP = &in.Before.AllowOutboundHTTP
	}
	if office.AllowHTTPSecureStoreConnections != nil {
		params.AllowHTTPSecureStoreConnections = &in.Before.AllowHTTPSecureStoreConnections
	}
	if !office.HasHTTPSettings() {
		return reportUnchanged("not configured"), nil
	}
	if master, err := a.findMaster(ctx, f, t); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	done, err := runScript(ctx, a.Remote, t, params)
	result, err := a.stepResult(err, done.Changed, "restored "+strings.Join(done.Settings, ", "), "as before")
	result.addSwitches(done.Settings, params.AllowOutboundHTTP, params.AllowHTTPSecureStoreConnections)
	return result, err
}

// RestoreS2SCertificate restores the farm's S2S setting, and which certificates are
// visible on the master. Like
// [Activities.SetS2SCertificate], it does nothing if Host is not the master.
func (a *Activities) RestoreS2SCertificate(ctx context.Context, in RestoreSettingsInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if master, err := a.findMaster(ctx, f, t); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.RestoreS2SCertificateName{
		Ours: in.Target.FriendlyName, Previous: in.Before.S2SCertificateName,
		Unarchive: listStrings(in.Unarchive), Archive: listStrings(in.Archive),
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case done.ClearRefused:
		return StepResult{Detail: fmt.Sprintf("stays %s: Office Online Server refuses to clear it: %s", quoteName(in.Target.FriendlyName), done.Reason), ClearRefused: true}, nil
	}
	name, marked := quoteName(in.Before.S2SCertificateName), describeMarked(done.Marked)
	if done.Changed {
		result := a.reportChanged("S2SCertificateName is %s again%s", name, marked)
		result.addChange("S2SCertificateName", quoteName(in.Target.FriendlyName), name)
		result.addMarks(done.Marked, in.Archive)
		return result, nil
	}
	result, err := a.stepResult(nil, marked != "", fmt.Sprintf("S2SCertificateName is %s, as before%s", name, marked), fmt.Sprintf("S2SCertificateName is %s, as before", name))
	result.addMarks(done.Marked, in.Archive)
	result.SettingsKept = true
	return result, err
}

// RemoveRootAuthoritiesInput names the root authorities to remove.
type RemoveRootAuthoritiesInput struct {
	ServerInput
	// Added are those that the rotation added.
	Added []farm.Thumbprint `json:"added"`
}

// RemoveRootAuthorities removes the root authorities that the rotation added.
func (a *Activities) RemoveRootAuthorities(ctx context.Context, in RemoveRootAuthoritiesInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if len(in.Added) == 0 {
		return reportUnchanged("none was added"), nil
	}
	return a.removeAuthorities(ctx, t, sp, in.Added)
}

// removeAuthorities removes root authorities by certificate, except those that
// issuers other than the procedure's need.
func (a *Activities) removeAuthorities(ctx context.Context, t powershell.Target, sp farm.SharePoint, thumbprints []farm.Thumbprint) (StepResult, error) {
	var params powershell.RemoveRootAuthority
	for _, thumbprint := range thumbprints {
		params.Thumbprints = append(params.Thumbprints, string(thumbprint))
	}
	for _, i := range farm.Issuers() {
		params.RegisteredNames = append(params.RegisteredNames, i.RegisteredName)
	}
	done, err := runScript(ctx, a.sharePointRunner(sp), t, params)
	removed, none := "removed "+strings.Join(done.Removed, ", "), "none is left"
	if len(done.Kept) > 0 {
		kept := "kept " + strings.Join(done.Kept, ", ")
		removed, none = removed+"; "+kept, kept
	}
	result, err := a.stepResult(err, done.Changed, removed, none)
	for _, name := range done.Removed {
		result.addChange(fmt.Sprintf("root authority %q", name), "trusted", "absent")
	}
	return result, err
}

// RestoreOfficeInput holds an office server as it was before the rotation.
type RestoreOfficeInput struct {
	ServerInput
	Before farm.OfficeServer `json:"before"`
}

// RevokeKey revokes NETWORK SERVICE's access to the key if the certificate was
// there before the rotation without it.
func (a *Activities) RevokeKey(ctx context.Context, in RestoreOfficeInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	was, existed := in.Before.Certificate(in.Target.Thumbprint)
	if !existed || !was.HasKey || was.ReadableBy(farm.NetworkService) {
		return reportUnchanged("as before"), nil
	}
	done, err := runScript(ctx, a.Remote, t, powershell.RevokeS2SKey{Thumbprint: string(in.Target.Thumbprint), Sid: farm.NetworkService})
	result, err := a.stepResult(err, done.Changed, "NETWORK SERVICE may no longer read the key", "NETWORK SERVICE may not read the key")
	result.addChange("key access of NETWORK SERVICE", "read", "none")
	return result, err
}

// RemoveCertificate removes from an office server's certificate stores what the
// rotation added.
func (a *Activities) RemoveCertificate(ctx context.Context, in RestoreOfficeInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
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
		return reportUnchanged("nothing was added"), nil
	}
	done, err := runScript(ctx, a.Remote, t, params)
	result, err := a.stepResult(a.explainStopped(ctx, t, err), done.Changed, "removed from "+strings.Join(done.Removed, ", "), "nothing is left")
	result.addRemovals(done.Removed)
	return result, err
}

// addRemovals adds the stores that a certificate was removed from.
func (r *StepResult) addRemovals(stores []string) {
	for _, store := range stores {
		r.addChange("certificate in store "+store, "present", "absent")
	}
}
