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
	// WindowsBuild decides the algorithms of the PFX on its way.
	WindowsBuild int `json:"windowsBuild"`
}

// ImportCertificate imports the target with its key, under its friendly name,
// with its intermediates; a self-signed one also into Trusted Root.
//
// The key is read from its source, sealed under a password that is made here
// and used once, and handed to the script in memory.
func (a *Activities) ImportCertificate(ctx context.Context, in ImportInput) (StepResult, error) {
	t, f, err := a.officeServer(in.Farm, in.Host)
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
		params.Intermediates = append(params.Intermediates, base64DER(i))
	}
	done, err := run(ctx, a.Remote, t, params)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("%q is in the Personal store", done.Certificate.FriendlyName), nil
	}
	return a.changed("added to %s, provider %s", strings.Join(done.Added, ", "), done.Certificate.Provider), nil
}

// GrantKey gives NETWORK SERVICE read access to the key, and proves that the
// key signs.
func (a *Activities) GrantKey(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.GrantS2SKey{
		Thumbprint: string(in.Target.Thumbprint), Sid: farm.NetworkService, ProveAs: string(f.Office.ProveKeyAs),
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("NETWORK SERVICE may read the key; it signs as %s", done.SignedAs), nil
	}
	return a.changed("NETWORK SERVICE may read the key; it signs as %s", done.SignedAs), nil
}

// ExportCertificate reads the public certificate back from an office server
// and checks that it is the target; where configured it also writes it to a
// file there.
func (a *Activities) ExportCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.ExportS2SCertificate{Thumbprint: string(in.Target.Thumbprint), Path: f.Office.ExportTo})
	switch {
	case err != nil:
		return StepResult{}, err
	case !bytes.Equal(done.DER, in.Target.DER):
		return StepResult{}, refuse(WrongCertificate, "%s: the exported certificate (%s) is not the target (%s): another rotation or person is at work", in.Host, farm.ThumbprintOf(done.DER).Short(), in.Target.Thumbprint.Short())
	case done.Changed:
		return a.changed("public certificate is the target; written to %s", f.Office.ExportTo), nil
	}
	return already("public certificate is the target"), nil
}

// SetS2SCertificate makes the target the farm's S2S certificate. When Host is
// not the master it does nothing and says which machine is.
func (a *Activities) SetS2SCertificate(ctx context.Context, in ServerInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if master, err := a.masterOf(ctx, t); err != nil || master != "" {
		return StepResult{Elsewhere: master}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.SetS2SCertificateName{FriendlyName: in.Target.FriendlyName, Thumbprint: string(in.Target.Thumbprint)})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("S2SCertificateName is %q", in.Target.FriendlyName), nil
	}
	return a.changed("S2SCertificateName is %q, was %s", in.Target.FriendlyName, quoted(done.Previous)), nil
}

// SetHTTPSwitches sets the HTTP switches that are configured. When Host is not
// the master it does nothing and says which machine is.
func (a *Activities) SetHTTPSwitches(ctx context.Context, in ServerInput) (StepResult, error) {
	t, f, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	if f.Office.AllowOutboundHTTP == nil && f.Office.AllowHTTPSecureStoreConnections == nil {
		return already("not configured"), nil
	}
	if master, err := a.masterOf(ctx, t); err != nil || master != "" {
		return StepResult{Elsewhere: master}, err
	}
	done, err := run(ctx, a.Remote, t, powershell.SetOfficeHTTPSetting{
		AllowOutboundHTTP: f.Office.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: f.Office.AllowHTTPSecureStoreConnections,
	})
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("as configured"), nil
	}
	return a.changed("set %s", strings.Join(done.Settings, ", ")), nil
}

// masterOf returns the computer name of the farm's master, or nothing when
// the server is the master itself.
func (a *Activities) masterOf(ctx context.Context, t powershell.Target) (string, error) {
	seen, err := a.lookAtOffice(ctx, t, farm.Certificate{})
	if err != nil || farm.SameMachine(seen.Settings.Master, seen.Machine.Name) {
		return "", err
	}
	return seen.Settings.Master, nil
}

// SeeInput names the server and the S2S setting that it is to see.
type SeeInput struct {
	ServerInput
	Name string `json:"name"`
}

// SeeS2SCertificate waits until an office server sees the farm's new setting:
// members learn it from the master some time later.
func (a *Activities) SeeS2SCertificate(ctx context.Context, in SeeInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	started := a.Now()
	err = a.await(ctx, func() (bool, string, error) {
		seen, err := a.lookAtOffice(ctx, t, in.Target)
		now := seen.Settings.S2SCertificateName
		return now == in.Name, fmt.Sprintf("%s still sees S2SCertificateName %s", in.Host, quoted(now)), err
	})
	if err != nil {
		return StepResult{}, err
	}
	return already("sees %s after %s", quoted(in.Name), a.Now().Sub(started).Round(time.Second)), nil
}

// RestartOfficeInput names the server to restart, and how it was before.
type RestartOfficeInput struct {
	ServerInput
	Baseline farm.OfficeServer `json:"baseline"`
	// Since is when a setting was last changed in this rotation, on the
	// worker's clock; zero when none was.
	Since time.Time `json:"since,omitzero"`
}

// RestartOffice restarts WACSM and IIS on an office server that has not loaded
// its settings yet, and waits until it answers as it did before.
func (a *Activities) RestartOffice(ctx context.Context, in RestartOfficeInput) (StepResult, error) {
	t, _, err := a.officeServer(in.Farm, in.Host)
	if err != nil {
		return StepResult{}, err
	}
	params := powershell.RestartOfficeServer{}
	if !in.Since.IsZero() {
		since := in.Since.Add(in.Baseline.Machine.Skew)
		params.NotBefore = &since
	}
	done, err := run(ctx, a.Remote, t, params)
	if err != nil {
		return StepResult{}, err
	}
	health, err := a.awaitHealth(ctx, t, in)
	switch {
	case err != nil:
		return StepResult{}, err
	case !done.Changed:
		return already("started after the settings changed; %s", health), nil
	}
	return a.changed("restarted %s; %s", strings.Join(done.Restarted, ", "), health), nil
}

func (a *Activities) awaitHealth(ctx context.Context, t powershell.Target, in RestartOfficeInput) (health string, err error) {
	err = a.await(ctx, func() (bool, string, error) {
		seen, err := a.lookAtOffice(ctx, t, in.Target)
		health = fmt.Sprintf("/hosting/discovery answers %d", seen.Discovery.Status)
		return asBefore(seen, in.Baseline), fmt.Sprintf("%s does not answer as before: WACSM running %t, /hosting/discovery %d %s",
			t.Host, seen.Service.Running, seen.Discovery.Status, seen.Discovery.Problem), err
	})
	return health, err
}

// asBefore says whether a server answers at least as it did. HealthStatus is
// left out on purpose: it covers the last ten minutes and is often "Unhealthy"
// without a reason.
func asBefore(now, baseline farm.OfficeServer) bool {
	ok := 200
	return now.Service.Running && slices.Contains([]int{ok, baseline.Discovery.Status}, now.Discovery.Status)
}
