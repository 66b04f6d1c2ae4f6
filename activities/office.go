package activities

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ImportCertificate imports the target with its key, under its friendly name, and
// its intermediates. A self-signed target is also added to Trusted Root.
//
// The key is read from its source, encrypted with a password that is generated here
// and used once, and passed to the script in memory. How it is encrypted, and whether
// the certificate is imported archived, follows from what the server says now: its build
// of Windows, and [farm.OfficeServer.ImportsArchived].
func (a *Activities) ImportCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	bundle, err := a.Certificates.Find(ctx, in.Farm, in.Target.Thumbprint)
	if err != nil {
		return StepResult{}, fmt.Errorf("find certificate %s: %w", in.Target.Thumbprint.Short(), err)
	}
	server, err := a.observeOffice(ctx, t, in.Target, "")
	if err != nil {
		return StepResult{}, err
	}
	password := cert.NewPassword()
	pfx, err := bundle.Encode(server.Machine.WindowsBuild, farm.KeyProvider, password)
	if err != nil {
		return StepResult{}, fmt.Errorf("encode certificate %s for %s: %w", in.Target.Thumbprint.Short(), in.Host, err)
	}
	params := powershell.ImportS2SCertificate{
		Thumbprint: string(in.Target.Thumbprint), FriendlyName: in.Target.FriendlyName, Provider: farm.KeyProvider,
		Exportable: f.Certificate.Exportable, SelfSigned: in.Target.SelfSigned, Archived: server.ImportsArchived(in.Target), Intermediates: []string{},
		PFX: pfx, Password: password,
	}
	for _, i := range in.Target.Intermediates() {
		params.Intermediates = append(params.Intermediates, encodeDER(i))
	}
	done, err := runScript(ctx, a.Remote, t, params)
	result, err := a.stepResult(err, done.Changed,
		fmt.Sprintf("added to %s, provider %s", strings.Join(done.Added, ", "), done.Certificate.Provider)+noteKeys(in.Target.Thumbprint, done),
		fmt.Sprintf("%q is in the Personal store", done.Certificate.FriendlyName))
	for _, store := range done.Added {
		result.addChange("certificate in store "+store, "absent", "present")
	}
	if len(done.Added) == 0 {
		result.addChange("friendly name", "none", quoteName(done.Certificate.FriendlyName))
	}
	return result, err
}

// noteKeys tells what an import leaves that a later one will not find, or could not
// delete.
func noteKeys(target farm.Thumbprint, done powershell.ImportResult) string {
	switch wanted := farm.KeyContainer(target); {
	case done.KeptKey != "":
		return fmt.Sprintf("; the key of an import that was cut off is still on this server: %s: certutil -key lists it there, certutil -delkey %s deletes it", done.KeptKey, wanted)
	case done.Container != "" && done.Container != wanted:
		return fmt.Sprintf("; Windows named the key's container %q instead of %q: the key of an import that is cut off would stay on this server", done.Container, wanted)
	}
	return ""
}

// GrantKey grants NETWORK SERVICE read access to the key, and proves that the key
// signs.
func (a *Activities) GrantKey(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.GrantS2SKey{
		Thumbprint: string(in.Target.Thumbprint), Sid: farm.NetworkService, ProveAs: string(officeOf(f, in.Host).ProveKeyAs),
	})
	readable := fmt.Sprintf("NETWORK SERVICE may read the key; it signs as %s by the %s path", done.SignedAs, done.SignedBy)
	result, err := a.stepResult(err, done.Changed, readable, readable)
	result.addChange("key access of NETWORK SERVICE", "none", "read")
	return result, err
}

// ExportCertificate reads the public certificate back from an office server and
// checks that it is the target; if not, it fails with [WrongCertificate].
func (a *Activities) ExportCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.ExportS2SCertificate{Thumbprint: string(in.Target.Thumbprint)})
	switch {
	case err != nil:
		return StepResult{}, err
	case !bytes.Equal(done.DER, in.Target.DER):
		return StepResult{}, terminalError(WrongCertificate, "%s: the exported certificate (%s) is not the target (%s): another rotation or administrator is changing it", in.Host, farm.ThumbprintOf(done.DER).Short(), in.Target.Thumbprint.Short())
	}
	return reportUnchanged("public certificate is the target"), nil
}

// SetS2SCertificate makes the target the farm's S2S certificate, and the only
// visible one of its subject on the master: the others are archived. If Host is not the
// master, it does nothing and returns the master in MovedTo.
func (a *Activities) SetS2SCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	seen, master, err := a.findMaster(ctx, f, t, in.Target)
	if err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	archive := seen.VisibleSharers(in.Target)
	done, err := runScript(ctx, a.Remote, t, powershell.SetS2SCertificateName{
		FriendlyName: in.Target.FriendlyName, Thumbprint: string(in.Target.Thumbprint), Archive: listStrings(archive),
	})
	now, marked := fmt.Sprintf("S2SCertificateName is %q", in.Target.FriendlyName), describeMarked(done.Marked)
	result, err := a.stepResult(err, done.Changed || len(done.Marked) > 0,
		fmt.Sprintf("%s, was %s%s", now, quoteName(done.Previous), marked), now)
	if result.SettingsKept = !done.Changed; done.Changed {
		result.addChange("S2SCertificateName", quoteName(done.Previous), quoteName(in.Target.FriendlyName))
	}
	result.addMarks(done.Marked, archive)
	return result, err
}

func listStrings(thumbprints []farm.Thumbprint) []string {
	list := []string{}
	for _, t := range thumbprints {
		list = append(list, string(t))
	}
	return list
}

// describeMarked continues a step's detail with the certificates that it archived or
// unarchived.
func describeMarked(marked []string) string {
	var short []string
	for _, t := range marked {
		short = append(short, farm.Thumbprint(t).Short())
	}
	if len(short) == 0 {
		return ""
	}
	return "; archived or unarchived " + strings.Join(short, ", ")
}

// SetHTTPSettings sets the HTTP settings that are configured. If Host is not the
// master, it does nothing and returns the master in MovedTo.
func (a *Activities) SetHTTPSettings(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	office := officeOf(f, in.Host)
	if !office.HasHTTPSettings() {
		return reportUnchanged("not configured"), nil
	}
	if _, master, err := a.findMaster(ctx, f, t, in.Target); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.SetOfficeHTTPSetting{
		AllowOutboundHTTP: office.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: office.AllowHTTPSecureStoreConnections,
	})
	result, err := a.stepResult(err, done.Changed, "set "+strings.Join(done.Settings, ", "), "as configured")
	result.addSwitches(done.Settings, office.AllowOutboundHTTP, office.AllowHTTPSecureStoreConnections)
	return result, err
}

// addSwitches adds HTTP settings that were changed to what they are now: each was the
// opposite before. Nil is a setting that is left alone.
func (r *StepResult) addSwitches(changed []string, outbound, secureStore *bool) {
	for _, setting := range []struct {
		name string
		now  *bool
	}{{"AllowOutboundHttp", outbound}, {"AllowHttpSecureStoreConnections", secureStore}} {
		if setting.now != nil && slices.Contains(changed, setting.name) {
			r.addChange(setting.name, fmt.Sprint(!*setting.now), fmt.Sprint(*setting.now))
		}
	}
}

// findMaster returns the computer name of the farm's master; empty when the
// server is the master itself, which is then also as it was observed. A server whose
// service is stopped, or that does not
// answer, cannot say; where the other servers say that it is the master no longer,
// theirs is the answer, or else it fails.
func (a *Activities) findMaster(ctx context.Context, f farm.Farm, t powershell.Target, target farm.Certificate) (farm.OfficeServer, string, error) {
	seen, err := a.observeOffice(ctx, t, target, "")
	switch {
	case err == nil && seen.Joined && farm.SameMachine(seen.Settings.Master, seen.Machine.Name):
		return seen, "", nil
	case err == nil && seen.Joined:
		return seen, seen.Settings.Master, nil
	case ctx.Err() != nil:
		return seen, "", err
	}
	if master := a.askForMaster(ctx, officeOf(f, t.Host), t.Host); master != "" && !farm.SameMachine(master, t.Host) {
		return seen, master, nil
	}
	if err == nil {
		err = serviceStopped(activity.GetInfo(ctx).Attempt, "%s, the master: %s: remove the cause, then retry, which starts it%s", t.Host, seen.WhyUnread(), moveMaster(officeOf(f, t.Host)))
	}
	return seen, "", err
}

// moveMaster continues a remedy with what else to do about a master that cannot be
// got running; empty where no other server can be it.
func moveMaster(office farm.Office) string {
	if len(office.Servers) < 2 {
		return ""
	}
	return "; or make another server the master there with Set-OfficeWebAppsMachine -Master, then retry"
}

// askForMaster returns the computer name of the master as another server of the
// office farm knows it; empty when none can say.
func (a *Activities) askForMaster(ctx context.Context, office farm.Office, host string) string {
	for _, other := range office.Servers {
		if other.Host == host {
			continue
		}
		if seen, err := a.observeOffice(ctx, scriptTarget(other), farm.Certificate{}, ""); err == nil && seen.Joined {
			return seen.Settings.Master
		}
	}
	return ""
}

// RestartOfficeInput names the server to restart.
type RestartOfficeInput struct {
	ServerInput
	// Baseline is the server as it was observed before the rotation.
	Baseline farm.OfficeServer `json:"baseline"`
	// NotBefore is when this run last changed a setting, on the worker's clock; zero
	// when it changed none. What started before is restarted.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// UnlessNoted is when the certificate that SharePoint trusts was last changed, on
	// the worker's clock; zero when that is unknown. What started before is restarted,
	// unless it is known to have loaded what is set now.
	UnlessNoted time.Time `json:"unlessNoted,omitzero"`
}

// RestartOffice restarts WACSM and IIS on an office server that has not yet
// loaded its settings, and waits until it has been healthy for a while. It fails with
// [ServiceNotRunning] or [WaitTimedOut].
func (a *Activities) RestartOffice(ctx context.Context, in RestartOfficeInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	skew, err := a.skewOf(ctx, t, in)
	if err != nil {
		return StepResult{}, err
	}
	onServerClock := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = a.notLater(t).Add(skew)
		return &t
	}
	done, err := runScript(ctx, a.Remote, t, powershell.RestartOfficeServer{
		NotBefore: onServerClock(in.NotBefore), UnlessNoted: onServerClock(in.UnlessNoted),
	})
	if err != nil {
		return StepResult{}, err
	}
	health, err := a.awaitHealth(ctx, t.Host, f.Rotation, func() (healthLook, error) {
		seen, err := a.observeOffice(ctx, t, in.Target, "")
		return healthLook{trouble: seen.WhyUnhealthy(in.Baseline), stopped: len(seen.StoppedServices()) > 0, answer: seen.Discovery.String(), starts: seen.Starts()}, err
	})
	return a.stepResult(err, done.Changed,
		fmt.Sprintf("restarted %s; %s", strings.Join(done.Restarted, ", "), health),
		fmt.Sprintf("had loaded its settings; %s", health))
}

// skewOf measures how far the clock of an office server is ahead, where a moment is to be
// told to it.
func (a *Activities) skewOf(ctx context.Context, t powershell.Target, in RestartOfficeInput) (time.Duration, error) {
	if in.NotBefore.IsZero() && in.UnlessNoted.IsZero() {
		return 0, nil
	}
	seen, err := a.observeOffice(ctx, t, in.Target, "")
	return seen.Machine.Skew, err
}

// notLater returns a moment, or now if it is in the future: what is to happen later
// than that would make every call restart the server.
func (a *Activities) notLater(t time.Time) time.Time {
	if now := a.Now(); t.After(now) {
		return now
	}
	return t
}

// StartOfficeInput names the server to start.
type StartOfficeInput struct {
	ServerInput
	// Before is the sealed part of the snapshot that is about the server, with the
	// certificate in use before the rotation.
	Before farm.OfficeBefore `json:"before"`
	// Name is the friendly name that the farm's S2S setting is to have, and Master
	// reports whether the server is to be started because it is the master.
	Name   string `json:"name"`
	Master bool   `json:"master,omitempty"`
}

// StartOffice starts what is stopped of WACSM and IIS on an office server: until
// WACSM runs, no setting reaches the server. It fails with [ServiceNotRunning]. If
// the master is to be started, and the other servers say that Host is the master no
// longer, it does nothing and returns the master in MovedTo.
func (a *Activities) StartOffice(ctx context.Context, in StartOfficeInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if err := a.openOffice(in.ServerInput, f, in.Before); err != nil {
		return StepResult{}, err
	}
	remedy := "if it does not start with the certificate that its settings name, " + farm.SettingsFileRemedy(in.Name) + ", then retry"
	if in.Master {
		if master := a.askForMaster(ctx, officeOf(f, t.Host), t.Host); master != "" && !farm.SameMachine(master, t.Host) {
			return StepResult{MovedTo: master}, nil
		}
		remedy += moveMaster(officeOf(f, t.Host))
	}
	params := powershell.StartOfficeServer{Certificates: []powershell.NamedCertificate{
		{Thumbprint: string(in.Target.Thumbprint), FriendlyName: in.Target.FriendlyName},
	}}
	if p := in.Before.Previous; p.Thumbprint != "" && p.Thumbprint != in.Target.Thumbprint {
		params.Certificates = append(params.Certificates, powershell.NamedCertificate{Thumbprint: string(p.Thumbprint), FriendlyName: p.FriendlyName})
	}
	done, err := runScript(ctx, a.Remote, t, params)
	if err != nil {
		return StepResult{}, appendRemedy(err, remedy)
	}
	return a.stepResult(nil, done.Changed, "started "+strings.Join(done.Started, ", "), "runs")
}
