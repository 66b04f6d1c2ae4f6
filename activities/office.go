package activities

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ImportInput names the server to import on.
type ImportInput struct {
	ServerInput
	// WindowsBuild determines the algorithms that the PFX is encrypted with: old
	// builds cannot read the newer ones.
	WindowsBuild int `json:"windowsBuild"`
}

// ImportCertificate imports the target with its key, under its friendly name, and
// its intermediates. A self-signed target is also added to Trusted Root.
//
// The key is read from its source, encrypted with a password that is generated here
// and used once, and passed to the script in memory.
func (a *Activities) ImportCertificate(ctx context.Context, in ImportInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	bundle, err := a.Certificates.Find(ctx, in.Farm, in.Target.Thumbprint)
	if err != nil {
		return StepResult{}, fmt.Errorf("find certificate %s: %w", in.Target.Thumbprint.Short(), err)
	}
	password := cert.NewPassword()
	pfx, err := bundle.Encode(in.WindowsBuild, farm.KeyProvider, password)
	if err != nil {
		return StepResult{}, fmt.Errorf("encode certificate %s for %s: %w", in.Target.Thumbprint.Short(), in.Host, err)
	}
	params := powershell.ImportS2SCertificate{
		Thumbprint: string(in.Target.Thumbprint), FriendlyName: in.Target.FriendlyName, Provider: farm.KeyProvider,
		Exportable: f.Certificate.Exportable, SelfSigned: in.Target.SelfSigned, Intermediates: []string{},
		PFX: pfx, Password: password,
	}
	for _, i := range in.Target.Intermediates() {
		params.Intermediates = append(params.Intermediates, encodeDER(i))
	}
	done, err := runScript(ctx, a.Remote, t, params)
	return a.stepResult(err, done.Changed,
		fmt.Sprintf("added to %s, provider %s", strings.Join(done.Added, ", "), done.Certificate.Provider),
		fmt.Sprintf("%q is in the Personal store", done.Certificate.FriendlyName))
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
	return a.stepResult(err, done.Changed, readable, readable)
}

// ExportCertificate reads the public certificate back from an office server and
// checks that it is the target; if not, it fails with [WrongCertificate]. If so
// configured, it also writes the certificate to a file there.
func (a *Activities) ExportCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.ExportS2SCertificate{Thumbprint: string(in.Target.Thumbprint), Path: officeOf(f, in.Host).ExportTo})
	switch {
	case err != nil:
		return StepResult{}, err
	case !bytes.Equal(done.DER, in.Target.DER):
		return StepResult{}, terminalError(WrongCertificate, "%s: the exported certificate (%s) is not the target (%s): another rotation or administrator is changing it", in.Host, farm.ThumbprintOf(done.DER).Short(), in.Target.Thumbprint.Short())
	case done.Changed:
		return a.reportChanged("public certificate is the target; written to %s", officeOf(f, in.Host).ExportTo), nil
	}
	return reportUnchanged("public certificate is the target"), nil
}

// SetS2SCertificate makes the target the farm's S2S certificate. If Host is not the
// master, it does nothing and returns the master in MovedTo.
func (a *Activities) SetS2SCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if master, err := a.findMaster(ctx, t); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.SetS2SCertificateName{FriendlyName: in.Target.FriendlyName, Thumbprint: string(in.Target.Thumbprint)})
	return a.stepResult(err, done.Changed,
		fmt.Sprintf("S2SCertificateName is %q, was %s", in.Target.FriendlyName, quoteName(done.Previous)),
		fmt.Sprintf("S2SCertificateName is %q", in.Target.FriendlyName))
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
	if master, err := a.findMaster(ctx, t); err != nil || master != "" {
		return StepResult{MovedTo: master}, err
	}
	done, err := runScript(ctx, a.Remote, t, powershell.SetOfficeHTTPSetting{
		AllowOutboundHTTP: office.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: office.AllowHTTPSecureStoreConnections,
	})
	return a.stepResult(err, done.Changed, "set "+strings.Join(done.Settings, ", "), "as configured")
}

// findMaster returns the computer name of the farm's master; empty when the
// server is the master itself.
func (a *Activities) findMaster(ctx context.Context, t powershell.Target) (string, error) {
	seen, err := a.observeOffice(ctx, t, farm.Certificate{}, "")
	if err != nil || farm.SameMachine(seen.Settings.Master, seen.Machine.Name) {
		return "", err
	}
	return seen.Settings.Master, nil
}

// ReplicationInput names a server, and the S2S certificate name that it should see.
type ReplicationInput struct {
	ServerInput
	Name string `json:"name"`
}

// AwaitReplication waits until an office server has the farm's new S2S setting,
// which the master replicates to the other machines with some delay. It fails
// with [WaitTimedOut].
func (a *Activities) AwaitReplication(ctx context.Context, in ReplicationInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	started := a.Now()
	err = a.awaitCondition(ctx, func() (bool, string, error) {
		seen, err := a.observeOffice(ctx, t, in.Target, "")
		now := seen.Settings.S2SCertificateName
		return now == in.Name, fmt.Sprintf("%s still has S2SCertificateName %s", in.Host, quoteName(now)), err
	})
	if err != nil {
		return StepResult{}, err
	}
	return reportUnchanged("has %s after %s", quoteName(in.Name), a.Now().Sub(started).Round(time.Second)), nil
}

// RestartOfficeInput names the server to restart.
type RestartOfficeInput struct {
	ServerInput
	// Baseline is the server as it was observed before the rotation.
	Baseline farm.OfficeServer `json:"baseline"`
	// Since is when this rotation last changed a setting, on the worker's clock;
	// zero when it changed none.
	Since time.Time `json:"since,omitzero"`
}

// RestartOffice restarts WACSM and IIS on an office server that has not yet
// loaded its settings, and waits until it answers as before. It fails with
// [WaitTimedOut].
func (a *Activities) RestartOffice(ctx context.Context, in RestartOfficeInput) (StepResult, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	params := powershell.RestartOfficeServer{}
	if !in.Since.IsZero() {
		since := in.Since.Add(in.Baseline.Machine.Skew)
		params.NotBefore = &since
	}
	done, err := runScript(ctx, a.Remote, t, params)
	if err != nil {
		return StepResult{}, err
	}
	health, err := a.awaitHealth(ctx, t, in)
	return a.stepResult(err, done.Changed,
		fmt.Sprintf("restarted %s; %s", strings.Join(done.Restarted, ", "), health),
		fmt.Sprintf("started after the settings changed; %s", health))
}

func (a *Activities) awaitHealth(ctx context.Context, t powershell.Target, in RestartOfficeInput) (health string, err error) {
	err = a.awaitCondition(ctx, func() (bool, string, error) {
		seen, err := a.observeOffice(ctx, t, in.Target, "")
		health = fmt.Sprintf("/hosting/discovery answers %d", seen.Discovery.Status)
		return isHealthyAsBefore(seen, in.Baseline), fmt.Sprintf("%s does not answer as before: WACSM running %t, /hosting/discovery %d %s",
			t.Host, seen.Service.Running, seen.Discovery.Status, seen.Discovery.Problem), err
	})
	return health, err
}

// isHealthyAsBefore reports whether a server answers at least as well as before.
// HealthStatus is left out on purpose: it covers the last ten minutes, and is often
// "Unhealthy" for no reason.
func isHealthyAsBefore(now, baseline farm.OfficeServer) bool {
	ok := 200
	return now.Service.Running && slices.Contains([]int{ok, baseline.Discovery.Status}, now.Discovery.Status)
}
