package activities

import (
	"context"
	"fmt"
	"slices"
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

// RestoreIssuerInput names an issuer, and how its SharePoint farm was before the rotation:
// the sealed part of the snapshot.
type RestoreIssuerInput struct {
	TrustIssuerInput
	Before farm.SharePointBefore `json:"before"`
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
	if err := a.openSharePoint(in.ServerInput, in.Before); err != nil {
		return StepResult{}, err
	}
	held, existed := in.Before.Issuer(issuer.RegisteredName)
	if existed && len(held.Certificate) == 0 {
		return StepResult{}, terminalError(NothingToRestore, "%s: issuer %q had no certificate of its own before (a metadata address, perhaps), so there is none to restore: set it by hand", t.Host, held.Name)
	}
	params := powershell.RestoreTrustedIssuer{
		RegisteredName: issuer.RegisteredName, Ours: string(in.Target.Thumbprint),
		Previous: held.Certificate, Description: held.Description, Permissions: []powershell.SitePermission{},
	}
	for _, site := range sp.Sites {
		was := powershell.SitePermission{Site: site}
		for _, p := range in.Before.Permissions {
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
	return a.reportRestored(done, in, issuer, held), nil
}

// reportRestored says what was restored of an issuer.
func (a *Activities) reportRestored(done powershell.RestoreIssuerResult, in RestoreIssuerInput, issuer farm.Issuer, held farm.TokenIssuer) StepResult {
	result := a.reportChanged("%s: permission as before on %s", issuer.Product, strings.Join(done.Permissions, ", "))
	switch ours := in.Target.Thumbprint.Short(); {
	case done.Removed:
		result.Detail = issuer.Product + ": removed"
		result.addChange("issuer for "+issuer.Product, ours, "no issuer")
	case done.Updated:
		result.Detail = fmt.Sprintf("%s: holds %s again", issuer.Product, held.Thumbprint.Short())
		result.addChange("issuer for "+issuer.Product, ours, held.Thumbprint.Short())
	}
	for _, site := range done.Permissions {
		result.addChange("permission of "+issuer.Product+" on "+site, farm.FullControl+", app-only", describePermission(in.Before.Permissions, site, issuer))
	}
	return result
}

// RestoreSettingsInput holds the office farm's settings before the rotation.
type RestoreSettingsInput struct {
	ServerInput
	Before SettingsBefore `json:"before"`
}

// RestoreHTTPSettings restores the HTTP settings that are configured, which are
// those that the rotation set. Like [Activities.SetHTTPSettings], it does
// nothing if Host is not the master.
func (a *Activities) RestoreHTTPSettings(ctx context.Context, in RestoreSettingsInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if err := a.openSettings(in.ServerInput, f, in.Before); err != nil {
		return StepResult{}, err
	}
	var params powershell.SetOfficeHTTPSetting
	office := officeOf(f, in.Host)
	if office.AllowOutboundHTTP != nil {
		params.AllowOutboundHTTP = in.Before.Farm.AllowOutboundHTTP
	}
	if office.AllowHTTPSecureStoreConnections != nil {
		params.AllowHTTPSecureStoreConnections = in.Before.Farm.AllowHTTPSecureStoreConnections
	}
	if params.AllowOutboundHTTP == nil && params.AllowHTTPSecureStoreConnections == nil {
		return reportUnchanged("not configured"), nil
	}
	if _, master, err := a.findMaster(ctx, f, t, in.Target); err != nil || master != "" {
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
	if err := a.openSettings(in.ServerInput, f, in.Before); err != nil {
		return StepResult{}, err
	}
	if _, master, err := a.findMaster(ctx, f, t, in.Target); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	before, marks := in.Before.Farm.S2SCertificateName, in.Before.Server
	done, err := runScript(ctx, a.Remote, t, powershell.RestoreS2SCertificateName{
		Ours: in.Target.FriendlyName, Previous: before, Unarchive: listStrings(marks.Unarchive), Archive: listStrings(marks.Archive),
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case done.ClearRefused:
		return StepResult{Detail: fmt.Sprintf("stays %s: Office Online Server refuses to clear it: %s", quoteName(in.Target.FriendlyName), done.Reason), ClearRefused: true}, nil
	}
	name, marked := quoteName(before), describeMarked(done.Marked)
	if done.Changed {
		result := a.reportChanged("S2SCertificateName is %s again%s", name, marked)
		result.addChange("S2SCertificateName", quoteName(in.Target.FriendlyName), name)
		result.addMarks(done.Marked, marks.Archive)
		return result, nil
	}
	result, err := a.stepResult(nil, marked != "", fmt.Sprintf("S2SCertificateName is %s, as before%s", name, marked), fmt.Sprintf("S2SCertificateName is %s, as before", name))
	result.addMarks(done.Marked, marks.Archive)
	result.SettingsKept = true
	return result, err
}

// RemoveRootAuthoritiesInput names a front end, with the sealed part of the snapshot that
// is about its farm.
type RemoveRootAuthoritiesInput struct {
	ServerInput
	Before farm.SharePointBefore `json:"before"`
}

// RemoveRootAuthorities removes the root authorities that the rotation added.
func (a *Activities) RemoveRootAuthorities(ctx context.Context, in RemoveRootAuthoritiesInput) (StepResult, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if err := a.openSharePoint(in.ServerInput, in.Before); err != nil {
		return StepResult{}, err
	}
	if len(in.Before.Added) == 0 {
		return reportUnchanged("none was added"), nil
	}
	return a.removeAuthorities(ctx, t, sp, in.Before.Added)
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

// RestoreOfficeInput holds an office server as it was before the rotation: the sealed part
// of the snapshot.
type RestoreOfficeInput struct {
	ServerInput
	Before farm.OfficeBefore `json:"before"`
}

// resolveOfficeBefore finds a server whose own part of the snapshot is given.
func (a *Activities) resolveOfficeBefore(in RestoreOfficeInput) (powershell.Target, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err == nil {
		err = a.openOffice(in.ServerInput, f, in.Before)
	}
	if err == nil && !in.Before.IsOf(in.Host) {
		err = terminalError(BadSeal, "%s: what is to be restored is of server %s: find out who made it", in.Host, in.Before.Host)
	}
	return t, err
}

// RevokeKey revokes NETWORK SERVICE's access to the key if the certificate was
// there before the rotation without it.
func (a *Activities) RevokeKey(ctx context.Context, in RestoreOfficeInput) (StepResult, error) {
	t, err := a.resolveOfficeBefore(in)
	if err != nil {
		return StepResult{}, err
	}
	if !in.Before.Unreadable {
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
	t, err := a.resolveOfficeBefore(in)
	if err != nil {
		return StepResult{}, err
	}
	params := powershell.RemoveS2SCertificate{
		Thumbprint: string(in.Target.Thumbprint), Personal: !in.Before.HadTarget,
		Root: in.Target.SelfSigned && !in.Before.HadRoot, Intermediates: []string{},
	}
	for _, c := range in.Target.Intermediates() {
		if !slices.Contains(in.Before.Intermediates, c.Thumbprint) {
			params.Intermediates = append(params.Intermediates, string(c.Thumbprint))
		}
	}
	if !params.Personal && !params.Root && len(params.Intermediates) == 0 {
		return reportUnchanged("nothing was added"), nil
	}
	done, err := runScript(ctx, a.Remote, t, params)
	return a.reportRemoval(a.explainStopped(ctx, t, err), done, "nothing is left")
}

// reportRemoval tells what a removal has taken away; none is what it says when that was
// nothing.
func (a *Activities) reportRemoval(err error, done powershell.RemoveResult, none string) (StepResult, error) {
	var said []string
	if len(done.Removed) > 0 {
		said = append(said, "removed from "+strings.Join(done.Removed, ", "))
	}
	if done.OrphanedKey {
		said = append(said, "deleted the key of an import that was cut off")
	}
	result, err := a.stepResult(err, done.Changed, strings.Join(said, "; "), none)
	for _, store := range done.Removed {
		result.addChange("certificate in store "+store, "present", "absent")
	}
	if done.OrphanedKey {
		result.addChange("key that no certificate has", "present", "absent")
	}
	return result, err
}
