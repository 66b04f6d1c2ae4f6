package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// Gates are what a run has waited for before it does what users notice.
type Gates struct {
	// Approval is what an operator has approved; nil where nobody was asked.
	Approval *farm.Approval `json:"approval,omitempty"`
	// By is what a worker found about who has approved it, and Asked about who asked for
	// the run; nil where nobody did.
	By    *farm.Authorization `json:"by,omitempty"`
	Asked *farm.Authorization `json:"asked,omitempty"`
	// Now reports whether an operator asked for an undo without waiting for the window.
	Now bool `json:"now,omitempty"`
}

// A window counts as open a little longer than it is: the run that has waited for it goes
// by Temporal's clock, and rechecks the farm once it has opened.
const (
	windowTolerance = time.Minute
	windowGrace     = 15 * time.Minute
)

func isOpen(w farm.Window, now time.Time) bool {
	for _, at := range []time.Time{now, now.Add(windowTolerance), now.Add(-windowGrace)} {
		if o, ok := w.Next(at, 0); ok && !o.From.After(at) {
			return true
		}
	}
	return w.IsZero()
}

// checkGates returns an error of type [NotPermitted] unless the worker's own configuration
// lets a run begin with what users notice: the window is open, and what an operator has
// approved is about this certificate. Where nobody was asked, noticed says what users
// notice; nothing if it is empty.
func (a *Activities) checkGates(ctx context.Context, f farm.Farm, gates Gates, target farm.Thumbprint, noticed func(context.Context) (string, error)) error {
	if window := f.Rotation.Window; !gates.Now && !isOpen(window, a.Now()) {
		return terminalError(NotPermitted, "the window %s is not open, by the clock of worker %s: retry once it is", window, a.Worker)
	}
	if !f.Rotation.Approval {
		return nil
	}
	switch approval := gates.Approval; {
	case approval == nil:
		what, err := noticed(ctx)
		if err == nil && what != "" {
			err = terminalError(NotPermitted, "the farm needs an approval of this, and there is none (%s): roll back, then rotate again", what)
		}
		return err
	case approval.Target != target:
		return terminalError(NotPermitted, "what was approved is about certificate %s, and this is %s: roll back, then rotate again", approval.Target.Short(), target.Short())
	}
	return a.confirmApproval(ctx, f.Name, *gates.Approval, gates.By, gates.Asked, farm.RightApprove)
}

// PermitCutoverInput asks whether the cutover may begin.
type PermitCutoverInput struct {
	Farm    string           `json:"farm"`
	Target  farm.Certificate `json:"target"`
	Mandate Mandate          `json:"mandate"`
	Gates   Gates            `json:"gates,omitzero"`
	// Skipped are the servers that an operator has left out.
	Skipped []string `json:"skipped,omitempty"`
}

func (in PermitCutoverInput) mandate() (string, farm.Certificate, Mandate) {
	return in.Farm, in.Target, in.Mandate
}

func (in PermitCutoverInput) server() string { return "" }

// Permitted is what a run may do from its cutover on.
type Permitted struct {
	Mandate Mandate `json:"mandate"`
	// CutOver is for [farm.Snapshot.CutOver].
	CutOver string `json:"cutOver"`
}

// PermitCutover gives a run that has staged the mandate to cut over, where the worker's own
// configuration lets it: see [Activities.checkGates]. It changes nothing.
func (a *Activities) PermitCutover(ctx context.Context, in PermitCutoverInput) (Permitted, error) {
	defer startHeartbeat(ctx)()
	if err := a.checkMandate(ctx, in, MayStage, MayRestore); err != nil {
		return Permitted{}, err
	}
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return Permitted{}, err
	}
	if in.Mandate.Intent != farm.ReplaceCompromised {
		noticed := func(ctx context.Context) (string, error) { return a.findNoticed(ctx, f, in) }
		if err := a.checkGates(ctx, f, in.Gates, in.Target.Thumbprint, noticed); err != nil {
			return Permitted{}, err
		}
	}
	m := in.Mandate
	for _, s := range []Stage{MayStage, MayCutOver} {
		if !m.Allows(s) {
			m.May = append(slices.Clone(m.May), s)
		}
	}
	var permitted Permitted
	if permitted.Mandate, err = a.giveMandate(ctx, in.Farm, in.Target, m); err != nil {
		return Permitted{}, err
	}
	permitted.CutOver, err = seal.OfValue(a.Seals, forCutOver, sealedCutOver{in.Farm, m.Snapshot, in.Target.Thumbprint})
	return permitted, err
}

// findNoticed reads the servers, and says what users would notice first of what is left
// to do; empty if they notice nothing.
func (a *Activities) findNoticed(ctx context.Context, f farm.Farm, in PermitCutoverInput) (string, error) {
	observed, problems := a.observeFarm(ctx, f, in.Target)
	for host := range problems {
		if !slices.Contains(in.Skipped, host) {
			return "", fmt.Errorf("whether users notice the cutover cannot be seen: %s: %s", host, problems[host])
		}
	}
	differences := farm.Compare(farm.Desire(f, in.Target, observed), observed)
	masterOf := func(o farm.Office) string { m, _ := observed.Master(o.Name); return m.Machine.Host }
	switch approval := farm.NewApproval(f, differences, masterOf, in.Skipped); {
	case len(approval.Steps) > 0:
		return approval.Steps[0].Server + ": " + approval.Steps[0].Text, nil
	case len(approval.Restarts) > 0:
		return approval.Restarts[0].Server + ": restart " + approval.Restarts[0].Services + ": " + approval.Restarts[0].Why, nil
	}
	return "", nil
}
