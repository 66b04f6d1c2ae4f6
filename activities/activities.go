// Package activities implements the steps of a rotation: each observes, acts if
// needed, and reports what it found or did.
//
// The order of the steps is decided in package workflows. Servers are reached
// through a [powershell.Runner] only.
package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// Farms is the worker's own configuration.
type Farms interface {
	// Farm returns the configured farm with this name.
	Farm(name string) (farm.Farm, bool)
}

// Certificates is the source of the farms' certificates. Its methods may block on files
// or the network, and are safe to repeat.
type Certificates interface {
	// Newest returns the certificate that the farm should have now.
	Newest(ctx context.Context, farmName string) (*cert.Bundle, error)
	// Find returns the certificate with this thumbprint.
	Find(ctx context.Context, farmName string, t farm.Thumbprint) (*cert.Bundle, error)
	// Replacement returns another certificate than a compromised one, and makes it where
	// the source makes its certificates.
	Replacement(ctx context.Context, farmName string, compromised farm.Thumbprint) (*cert.Bundle, error)
	// Forget destroys the key of an old certificate where the source has made it, and
	// reports whether there was one.
	Forget(ctx context.Context, farmName string, old farm.Thumbprint) (bool, error)
}

// Activities holds what the steps need. Its methods are the activities.
//
// Their inputs name a farm and a server, never an address or a credential: those
// come from the worker's own configuration, so that access to Temporal alone is
// not enough to have the credentials sent to another machine. Nor does an input decide
// what is set: a step demands a [Mandate], and what it restores is sealed.
type Activities struct {
	Farms Farms
	// Worker names this worker and its configuration: for the errors of steps that
	// a worker with another configuration can do.
	Worker string
	// ConfigurationHash is the same for the same configuration of a farm; nil tells none
	// apart.
	ConfigurationHash func(farmName string) string
	// Version is the build of this worker, for reports.
	Version      string
	Certificates Certificates
	// Remote runs scripts on servers.
	Remote powershell.Runner
	// Logons lets refused passwords be sent once more.
	Logons Logons
	// Runs is what Temporal knows of the farm's runs; it is asked before any of them
	// changes anything.
	Runs Runs
	// Audit is told what is decided and changed, before it happens; nil where no audit
	// log is configured.
	Audit Recorder
	// Notices tells operators what they need to know; nil where nobody is to be told.
	Notices Notifier
	// Seals proves what a worker wrote that comes back through Temporal.
	Seals *seal.Sealer
	// Authority finds out who decides; nil believes every name, as a configuration without
	// approvers does.
	Authority Authority
	// Now is the worker's clock.
	Now func() time.Time
	// Poll is the time between two observations while a step waits for a server.
	Poll time.Duration

	originals originals
}

// ServerInput names a server of a farm, by host, and the certificate that the
// rotation works towards.
type ServerInput struct {
	Farm   string           `json:"farm"`
	Host   string           `json:"host"`
	Target farm.Certificate `json:"target"`
	// Mandate is the worker's word that a step may be done; none is needed to look.
	Mandate Mandate `json:"mandate,omitzero"`
}

// StepResult is what a step did.
type StepResult struct {
	Changed bool `json:"changed"`
	// Detail says what was found or done, for operators.
	Detail string `json:"detail"`
	// At is when the change was complete, on the worker's clock; zero when there
	// was none.
	At time.Time `json:"at,omitzero"`
	// Changes are the values that were changed.
	Changes []farm.Change `json:"changes,omitempty"`
	// Attempts counts the attempts, the last one included. LastError is that of the
	// attempt before; see [farm.StepReport]. Version is the build of the worker. All
	// three are from [Interceptors].
	Attempts  int    `json:"attempts,omitempty"`
	LastError string `json:"lastError,omitempty"`
	Version   string `json:"version,omitempty"`
	// Warnings are what cmdlets warned of, in the product's own words; see
	// [Interceptors].
	Warnings []string `json:"warnings,omitempty"`
	// MovedTo is the computer name of the farm's master when it is no longer the
	// server of the input; the step has then done nothing.
	MovedTo string `json:"movedTo,omitempty"`
	// ClearRefused reports whether Office Online Server refused to clear its S2S
	// setting.
	ClearRefused bool `json:"clearRefused,omitempty"`
	// SettingsKept reports whether no setting was changed, whatever else was: then
	// nothing needs a restart.
	SettingsKept bool `json:"settingsKept,omitempty"`
}

// addChange adds a value that the step changed, if it changed anything.
func (r *StepResult) addChange(name, before, after string) {
	if r.Changed {
		r.Changes = append(r.Changes, farm.Change{Name: name, Before: before, After: after})
	}
}

// stepResult returns what a script did, with a detail for either case, or the
// script's error.
func (a *Activities) stepResult(err error, changed bool, ifChanged, ifUnchanged string) (StepResult, error) {
	switch {
	case err != nil:
		return StepResult{}, err
	case changed:
		return a.reportChanged("%s", ifChanged), nil
	}
	return reportUnchanged("%s", ifUnchanged), nil
}

func (a *Activities) reportChanged(format string, args ...any) StepResult {
	return StepResult{Changed: true, Detail: fmt.Sprintf(format, args...), At: a.Now()}
}

func reportUnchanged(format string, args ...any) StepResult {
	return StepResult{Detail: fmt.Sprintf(format, args...)}
}

// loadWithout is [Activities.LoadFarm] without the office servers that a run leaves out. It
// fails with [NotPlanned] where the worker's own configuration does not let them be left
// out.
func (a *Activities) loadWithout(ctx context.Context, name string, except []string) (farm.Farm, error) {
	f, err := a.LoadFarm(ctx, name)
	if err != nil {
		return f, err
	}
	if f, err = f.LeaveOut(except); err != nil {
		return f, terminalError(NotPlanned, "nothing was changed: %v", err)
	}
	return f, nil
}

// LoadFarm returns the configuration of a farm, without secrets. It fails with
// [UnknownFarm].
func (a *Activities) LoadFarm(_ context.Context, name string) (farm.Farm, error) {
	f, ok := a.Farms.Farm(name)
	if !ok {
		return farm.Farm{}, a.unknownError(UnknownFarm, "farm %q", name)
	}
	return f, nil
}

// TargetChoice is the certificate that a farm should have, and what operators
// should know about it.
type TargetChoice struct {
	Certificate farm.Certificate `json:"certificate"`
	Findings    []farm.Finding   `json:"findings"`
}

// ChooseTarget returns the public part of the certificate that the farm should have
// now. It fails with [NoCertificate] or [UnsuitableCertificate].
func (a *Activities) ChooseTarget(ctx context.Context, name string) (TargetChoice, error) {
	f, err := a.LoadFarm(ctx, name)
	if err != nil {
		return TargetChoice{}, err
	}
	bundle, err := a.Certificates.Newest(ctx, name)
	if err != nil {
		return TargetChoice{}, terminalError(NoCertificate, "farm %s: %v", name, err)
	}
	return a.judgeTarget(f, bundle)
}

// judgeTarget returns the public part of a certificate that suits a farm. It fails with
// [UnsuitableCertificate].
func (a *Activities) judgeTarget(f farm.Farm, bundle *cert.Bundle) (TargetChoice, error) {
	findings := cert.Judge(bundle, a.Now(), f.Certificate)
	if stops := farm.Stops(findings); len(stops) > 0 {
		return TargetChoice{}, terminalError(UnsuitableCertificate, "farm %s: %s: %s", f.Name, stops[0].Text, stops[0].Remedy)
	}
	target := bundle.Certificate
	target.FriendlyName = farm.FriendlyName(f, target)
	return TargetChoice{Certificate: target, Findings: findings}, nil
}

// CompareInput is everything that a comparison needs.
type CompareInput struct {
	Farm     farm.Farm        `json:"farm"`
	Target   farm.Certificate `json:"target"`
	Observed farm.Observed    `json:"observed"`
	// Snapshot is that of an earlier, incomplete rotation, which this one finishes if
	// it has the same target.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Accepted is what operators accepted for this rotation.
	Accepted []farm.Acceptance `json:"accepted,omitempty"`
}

// Comparison is what a comparison found.
type Comparison struct {
	// FriendlyName is the target's pinned friendly name; see [farm.Desire].
	FriendlyName string            `json:"friendlyName"`
	Differences  []farm.Difference `json:"differences"`
	Findings     []farm.Finding    `json:"findings"`
	// NotAccepted says which acceptances are of nothing that was found; empty when
	// each is of something.
	NotAccepted string `json:"notAccepted,omitempty"`
	// Previous is the certificate in use, empty at first set-up.
	Previous farm.StoreCertificate `json:"previous"`
	// Certificates are the identities of the target and of the one in use.
	Certificates []farm.CertificateIdentity `json:"certificates,omitempty"`
	// RollbackBlocked says why a rollback must not restore what is in use now; empty
	// when it may.
	RollbackBlocked string `json:"rollbackBlocked,omitempty"`
	// PreviousExpired reports whether it has expired by the clock of any server.
	PreviousExpired bool `json:"previousExpired,omitempty"`
	// NoWayBack says why a rollback could not restore it; empty when it could.
	NoWayBack string `json:"noWayBack,omitempty"`
	// Proofs say what shows that the farm is as desired; see [farm.Prove].
	Proofs []string `json:"proofs,omitempty"`
	// Version is the build of the worker, from [Interceptors].
	Version string `json:"version,omitempty"`
}

// AddTo adds what a rotation would do to an inspection, and what was observed if
// there is something to do: a controller's history would otherwise grow by the state
// of every server with each inspection.
func (c Comparison) AddTo(n *farm.Inspection, observed farm.Observed) {
	n.Target.FriendlyName = c.FriendlyName
	if n.Plan = c.Differences; len(n.Plan) > 0 {
		n.Observed = observed
	}
	n.Findings = append(n.Findings, c.Findings...)
}

// Compare compares what is desired with what was observed. It is an activity, and
// not part of a workflow, so that improving it never breaks a replay.
func (a *Activities) Compare(_ context.Context, in CompareInput) (Comparison, error) {
	desired := farm.Desire(in.Farm, in.Target, in.Observed)
	previous, _ := in.Observed.Current()
	snapshot := farm.Snapshot{Target: in.Target, Previous: previous, Before: in.Observed}
	if in.Snapshot != nil && in.Snapshot.Target.Thumbprint == in.Target.Thumbprint {
		snapshot = *in.Snapshot
	}
	c := Comparison{
		FriendlyName:    desired.Target.FriendlyName,
		Differences:     farm.Compare(desired, in.Observed),
		Previous:        previous,
		Certificates:    identify(in.Target, in.Observed, previous),
		RollbackBlocked: snapshot.RollbackBlocked(in.Observed),
		PreviousExpired: snapshot.HasExpired(in.Observed),
		NoWayBack:       snapshot.NoWayBack(in.Observed),
		Proofs:          farm.Prove(desired, in.Observed),
	}
	found := farm.Check(desired, in.Observed)
	if len(c.Differences) > 0 {
		found = append(found, farm.CheckRollback(snapshot, in.Observed)...)
	}
	findings, err := farm.ApplyAcceptances(found, in.Accepted)
	if c.Findings = findings; err != nil {
		c.NotAccepted = err.Error()
	}
	if size := farm.SizeOf(c); size > farm.MaxComparison {
		return Comparison{}, terminalError(TooMuch, "what the servers show, %s the most, makes %d KiB of differences and findings, and %d KiB are kept: "+
			"no farm in good order has so many; do not trust that server before you know who controls it", in.Observed.Loudest(), size>>10, farm.MaxComparison>>10)
	}
	return c, nil
}

// OpeningInput asks for an opening of a window that lasts at least for Need.
type OpeningInput struct {
	Window farm.Window   `json:"window"`
	Now    time.Time     `json:"now"`
	Need   time.Duration `json:"need"`
}

// NextOpening is the next opening of a window.
type NextOpening struct {
	Opening farm.Opening `json:"opening"`
	// Local is its beginning on the clocks of the window's zone.
	Local string `json:"local,omitempty"`
}

// FindOpening finds the next opening that is long enough. It fails with
// [WindowTooShort] if none is. It is an activity because it reads the time zone
// database.
func (a *Activities) FindOpening(_ context.Context, in OpeningInput) (NextOpening, error) {
	o, ok := in.Window.Next(in.Now, in.Need)
	if !ok {
		return NextOpening{}, terminalError(WindowTooShort, "the window %s is never open for %s, which the cutover takes: make it longer", in.Window, farm.FormatDuration(in.Need))
	}
	return NextOpening{Opening: o, Local: in.Window.Local(o.From)}, nil
}

// resolveOfficeServer, resolveFrontEnd and resolveSharePointServer find a host
// in the configuration. They fail with [UnknownServer].
func (a *Activities) resolveOfficeServer(name, host string) (powershell.Target, farm.Farm, error) {
	f, ok := a.Farms.Farm(name)
	if ok {
		if s, ok := f.OfficeServer(host); ok {
			return scriptTarget(s), f, nil
		}
	}
	return powershell.Target{}, f, a.unknownError(UnknownServer, "office server %s of farm %s", host, name)
}

// officeOf returns the office farm of a server that [Activities.resolveOfficeServer]
// has found.
func officeOf(f farm.Farm, host string) farm.Office {
	office, _ := f.OfficeOf(host)
	return office
}

func (a *Activities) resolveFrontEnd(name, host string) (powershell.Target, farm.SharePoint, error) {
	f, _ := a.Farms.Farm(name)
	for _, sp := range f.SharePoint {
		if sp.FrontEnd.Host == host {
			return scriptTarget(sp.FrontEnd), sp, nil
		}
	}
	return powershell.Target{}, farm.SharePoint{}, a.unknownError(UnknownServer, "SharePoint front end %s of farm %s", host, name)
}

// sharePointRunner returns what runs SharePoint cmdlets on a farm's front end.
func (a *Activities) sharePointRunner(sp farm.SharePoint) powershell.Runner {
	if sp.RunAs == farm.Task {
		return powershell.ByTask(a.Remote)
	}
	return a.Remote
}

func (a *Activities) resolveSharePointServer(name, host string) (powershell.Target, farm.SharePoint, error) {
	f, _ := a.Farms.Farm(name)
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			if s.Host == host {
				return scriptTarget(s), sp, nil
			}
		}
	}
	return powershell.Target{}, farm.SharePoint{}, a.unknownError(UnknownServer, "SharePoint server %s of farm %s", host, name)
}

func scriptTarget(s farm.Server) powershell.Target {
	return powershell.Target{Host: s.Host, Address: s.Address, Connection: s.Connection}
}
