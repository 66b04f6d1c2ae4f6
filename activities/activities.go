// Package activities is the steps of a rotation: each looks, acts if needed,
// and says what it found.
//
// It decides no order; package workflows does. It reaches servers only
// through the small interfaces declared here.
package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Farms is the worker's own configuration.
type Farms interface {
	// Farm returns the configured farm of that name.
	Farm(name string) (farm.Farm, bool)
}

// Certificates is where a farm's certificates come from. Both methods may
// block on files or the network, and are safe to repeat.
type Certificates interface {
	// Newest returns the certificate that the farm should have now.
	Newest(ctx context.Context, farmName string) (*cert.Bundle, error)
	// Find returns the certificate with that thumbprint.
	Find(ctx context.Context, farmName string, t farm.Thumbprint) (*cert.Bundle, error)
}

// Activities holds what the steps need. Its methods are the activities.
//
// They are told a farm's name and a server's name, never an address or a
// credential: both come from the worker's own configuration, so that nobody
// who can only reach Temporal can aim our credentials elsewhere.
type Activities struct {
	Farms        Farms
	Certificates Certificates
	Remote       powershell.Runner
	// Now is the worker's clock.
	Now func() time.Time
	// Poll is the pause between two observations of a server that is waited for.
	Poll time.Duration
}

// ServerInput names a server of a farm and the certificate in question.
type ServerInput struct {
	Farm   string           `json:"farm"`
	Host   string           `json:"host"`
	Target farm.Certificate `json:"target"`
}

// StepResult is what a step did.
type StepResult struct {
	Changed bool `json:"changed"`
	// Detail says what was found or done, for operators.
	Detail string `json:"detail"`
	// At is when a change was complete, on the worker's clock.
	At time.Time `json:"at,omitzero"`
	// MovedTo is set when the step belongs on another machine, by its
	// computer name, and did nothing: the master has moved.
	MovedTo string `json:"movedTo,omitempty"`
	// ClearRefused is set when Office Online Server refused to have no S2S
	// certificate.
	ClearRefused bool `json:"clearRefused,omitempty"`
}

// stepResult is what a script did, in words for each case; err is the script's.
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

// LoadFarm returns what is configured for a farm, without secrets.
func (a *Activities) LoadFarm(_ context.Context, name string) (farm.Farm, error) {
	f, ok := a.Farms.Farm(name)
	if !ok {
		return farm.Farm{}, terminalError(UnknownFarm, "farm %q is not in the worker's configuration: check its name, or add it and restart the worker", name)
	}
	return f, nil
}

// TargetChoice is the certificate that a farm should have, and what is to be reported
// about it.
type TargetChoice struct {
	Certificate farm.Certificate `json:"certificate"`
	Findings    []farm.Finding   `json:"findings"`
}

// ChooseTarget returns the public part of the certificate that the farm should
// have now. Without one it ends with [NoCertificate], with one that is unsuitable
// with [UnsuitableCertificate].
func (a *Activities) ChooseTarget(ctx context.Context, name string) (TargetChoice, error) {
	f, err := a.LoadFarm(ctx, name)
	if err != nil {
		return TargetChoice{}, err
	}
	bundle, err := a.Certificates.Newest(ctx, name)
	if err != nil {
		return TargetChoice{}, terminalError(NoCertificate, "farm %s: %v", name, err)
	}
	findings := cert.Judge(bundle, a.Now(), f.Certificate.LeadTime)
	if stops := farm.Stops(findings); len(stops) > 0 {
		return TargetChoice{}, terminalError(UnsuitableCertificate, "farm %s: %s: %s", name, stops[0].Text, stops[0].Remedy)
	}
	target := bundle.Certificate
	target.FriendlyName = farm.FriendlyName(f, target)
	return TargetChoice{Certificate: target, Findings: findings}, nil
}

// CompareInput is everything a comparison needs.
type CompareInput struct {
	Farm     farm.Farm        `json:"farm"`
	Target   farm.Certificate `json:"target"`
	Observed farm.Observed    `json:"observed"`
	// Snapshot is that of an earlier rotation which this one would finish.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
}

// Comparison is what a comparison found.
type Comparison struct {
	// FriendlyName is the target's, pinned; see [farm.Desire].
	FriendlyName string            `json:"friendlyName"`
	Differences  []farm.Difference `json:"differences"`
	Findings     []farm.Finding    `json:"findings"`
	// Previous is the certificate in use, empty at first set-up.
	Previous farm.StoreCertificate `json:"previous"`
	// RollbackBlocked says why what is in use must not be restored; empty when it
	// may be.
	RollbackBlocked string `json:"rollbackBlocked,omitempty"`
}

// Compare compares what is desired with what was observed. It runs in an
// activity, not in a workflow, so that improving it never breaks a replay.
func (a *Activities) Compare(_ context.Context, in CompareInput) (Comparison, error) {
	desired := farm.Desire(in.Farm, in.Target, in.Observed)
	previous, _ := in.Observed.Current()
	snapshot := farm.Snapshot{Target: in.Target, Previous: previous, Before: in.Observed}
	if in.Snapshot != nil && in.Snapshot.Target.Thumbprint == in.Target.Thumbprint {
		snapshot = *in.Snapshot
	}
	return Comparison{
		FriendlyName:    desired.Target.FriendlyName,
		Differences:     farm.Compare(desired, in.Observed),
		Findings:        farm.Check(desired, in.Observed),
		Previous:        previous,
		RollbackBlocked: snapshot.RollbackBlocked(in.Observed),
	}, nil
}

// OpeningInput asks for an opening of a window that lasts for Need.
type OpeningInput struct {
	Window farm.Window   `json:"window"`
	Now    time.Time     `json:"now"`
	Need   time.Duration `json:"need"`
}

// NextOpening is the next opening of a window.
type NextOpening struct {
	Opening farm.Opening `json:"opening"`
}

// FindOpening finds the next opening that is long enough. A window that never
// is ends it with [WindowTooShort]. It is an activity because it reads the
// time zone database.
func (a *Activities) FindOpening(_ context.Context, in OpeningInput) (NextOpening, error) {
	o, ok := in.Window.Next(in.Now, in.Need)
	if !ok {
		return NextOpening{}, terminalError(WindowTooShort, "the window %s is never open for the %s that the cutover takes: make it longer", in.Window, in.Need)
	}
	return NextOpening{Opening: o}, nil
}

// resolveOfficeServer, resolveFrontEnd and resolveSharePointServer resolve a host
// in the configuration.
func (a *Activities) resolveOfficeServer(name, host string) (powershell.Target, farm.Farm, error) {
	f, ok := a.Farms.Farm(name)
	if ok {
		if s, ok := f.OfficeServer(host); ok {
			return scriptTarget(s), f, nil
		}
	}
	return powershell.Target{}, f, terminalError(UnknownServer, "office server %s of farm %s is not in the worker's configuration", host, name)
}

func (a *Activities) resolveFrontEnd(name, host string) (powershell.Target, farm.SharePoint, error) {
	f, _ := a.Farms.Farm(name)
	for _, sp := range f.SharePoint {
		if sp.FrontEnd.Host == host {
			return scriptTarget(sp.FrontEnd), sp, nil
		}
	}
	return powershell.Target{}, farm.SharePoint{}, terminalError(UnknownServer, "SharePoint front end %s of farm %s is not in the worker's configuration", host, name)
}

// sharePointRunner is what runs SharePoint cmdlets on a farm's front end.
func (a *Activities) sharePointRunner(sp farm.SharePoint) powershell.Runner {
	if sp.RunAs == farm.Task {
		return powershell.ByTask(a.Remote)
	}
	return a.Remote
}

func (a *Activities) resolveSharePointServer(name, host string) (powershell.Target, error) {
	f, _ := a.Farms.Farm(name)
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			if s.Host == host {
				return scriptTarget(s), nil
			}
		}
	}
	return powershell.Target{}, terminalError(UnknownServer, "SharePoint server %s of farm %s is not in the worker's configuration", host, name)
}

func scriptTarget(s farm.Server) powershell.Target {
	return powershell.Target{Host: s.Host, Address: s.Address, Connection: s.Connection}
}
