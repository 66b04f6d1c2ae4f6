package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// TakeSnapshotInput asks for the snapshot of a rotation.
type TakeSnapshotInput struct {
	Farm   string      `json:"farm"`
	Intent farm.Intent `json:"intent,omitempty"`
	// Target is the certificate that the run has planned for.
	Target farm.Thumbprint `json:"target"`
	// Accepted is what operators accepted for this rotation.
	Accepted []farm.Acceptance `json:"accepted,omitempty"`
	// Except are the office servers that the rotation leaves out from the start.
	Except []string `json:"except,omitempty"`
}

// TakeSnapshot reads every server of a farm, and seals what it finds for the run that
// asks: it is what a way back restores, so nothing that a workflow has observed before
// counts. It fails with [NotPlanned] where the source has another certificate than the
// run has planned for by now, or something keeps the rotation from starting. It changes
// nothing.
func (a *Activities) TakeSnapshot(ctx context.Context, in TakeSnapshotInput) (farm.Snapshot, error) {
	defer startHeartbeat(ctx)()
	f, target, err := a.chooseAgain(ctx, in.Farm, in.Except, in.Target)
	if err != nil {
		return farm.Snapshot{}, err
	}
	observed, problems := a.observeFarm(ctx, f, target)
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return farm.Snapshot{}, err
	}
	if len(problems) > 0 {
		hosts := slices.Concat(f.OfficeHosts(), f.SharePointHosts())
		return farm.Snapshot{}, fmt.Errorf("what is there before the first change cannot be read: %s", describeProblems(hosts, problems))
	}
	found, err := a.Compare(ctx, CompareInput{Farm: f, Target: target, Observed: observed, Accepted: in.Accepted})
	if err != nil {
		return farm.Snapshot{}, err
	}
	if stops := farm.Stops(found.Findings); len(stops) > 0 {
		return farm.Snapshot{}, terminalError(NotPlanned, "since the rotation was planned: %s: %s: %s", stops[0].Server, stops[0].Text, stops[0].Remedy)
	}
	target.FriendlyName = found.FriendlyName
	run, err := a.originalRun(ctx)
	if err != nil {
		return farm.Snapshot{}, err
	}
	s := farm.Snapshot{
		ID: rand.Text(), Farm: f.Name, Run: run, TakenAt: a.Now().UTC().Round(0), Target: target, Previous: found.Previous,
		Before: observed, Asked: &f.Office, Compromised: in.Intent == farm.ReplaceCompromised,
	}
	return s, a.sealSnapshot(&s)
}

// chooseAgain returns a farm, without servers that are left out, and the certificate that it should have now, which must be
// the one that a run works towards.
func (a *Activities) chooseAgain(ctx context.Context, farmName string, except []string, planned farm.Thumbprint) (farm.Farm, farm.Certificate, error) {
	f, err := a.loadWithout(ctx, farmName, except)
	if err != nil {
		return f, farm.Certificate{}, err
	}
	if f.Rotation.Mode == farm.ModeObserve {
		return f, farm.Certificate{}, terminalError(ObserveOnly, "nothing is changed: %s", farm.ObservesOnly)
	}
	choice, err := a.ChooseTarget(ctx, farmName)
	if err != nil {
		return f, farm.Certificate{}, err
	}
	if newest := choice.Certificate.Thumbprint; newest != planned {
		return f, farm.Certificate{}, terminalError(NotPlanned, "the source of farm %s has %s now, and not %.40s, which this run works towards: rotate again", farmName, newest.Short(), planned)
	}
	return f, choice.Certificate, nil
}

// sealedPart is what the seal of a part of a snapshot covers.
type sealedPart[P any] struct {
	Farm, Snapshot string
	Part           P
}

// sealedOld is what the seal of an old certificate covers.
type sealedOld struct {
	Farm string
	Old  farm.Thumbprint
}

// sealSnapshot seals a snapshot, its parts, and the certificate that was in use.
func (a *Activities) sealSnapshot(s *farm.Snapshot) (err error) {
	if s.Replaces() {
		if s.Previous.Seal, err = seal.OfValue(a.Seals, forOld, sealedOld{s.Farm, s.Previous.Thumbprint}); err != nil {
			return err
		}
	}
	s.Office, s.SharePoint = s.PartsBefore()
	for i := range s.Office {
		if s.Office[i].Seal, err = seal.OfValue(a.Seals, forOffice, sealedPart[farm.OfficeBefore]{s.Farm, s.ID, s.Office[i]}); err != nil {
			return err
		}
	}
	for i := range s.SharePoint {
		if s.SharePoint[i].Seal, err = seal.OfValue(a.Seals, forSharePoint, sealedPart[farm.SharePointBefore]{s.Farm, s.ID, s.SharePoint[i]}); err != nil {
			return err
		}
	}
	s.Seal, err = seal.OfValue(a.Seals, forSnapshot, s.WithoutNotes())
	return err
}

// openSnapshot returns an error of type [NotSealed] or [BadSeal] unless a worker has sealed
// a snapshot, of this farm.
func (a *Activities) openSnapshot(farmName string, s *farm.Snapshot) error {
	if !s.IsSealed() {
		return terminalError(NotSealed, "the snapshot of farm %s was taken by a version that sealed nothing, so that nothing proves that a worker took it: it is not restored; restore by hand what you need of it", farmName)
	}
	if err := seal.CheckValue(a.Seals, forSnapshot, s.WithoutNotes(), s.Seal); err != nil {
		return terminalError(BadSeal, "a snapshot that is to be restored on farm %s does not count: %v: find out who made it", farmName, err)
	}
	if s.Farm != farmName {
		return terminalError(BadSeal, "a snapshot that is to be restored on farm %s is of farm %s: find out who brought it", farmName, s.Farm)
	}
	return nil
}

// checkPart returns an error of type [BadSeal] unless a part belongs to the snapshot of a
// step's mandate.
func checkPart[P any](a *Activities, in ServerInput, purpose string, part P, found string) error {
	err := seal.CheckValue(a.Seals, purpose, sealedPart[P]{in.Farm, in.Mandate.Snapshot, part}, found)
	switch {
	case errors.Is(err, seal.ErrMissing):
		return terminalError(NotSealed, "%s: what was there before is not sealed: abort the run, and rotate again", in.Host)
	case err != nil:
		return terminalError(BadSeal, "%s: what is to be restored is not of this run's snapshot: %v: find out who made it", in.Host, err)
	}
	return nil
}

// openOffice checks a part, which must be about a server of the farm whose settings count
// for the step's server: itself, or one of its office farm.
func (a *Activities) openOffice(in ServerInput, f farm.Farm, b farm.OfficeBefore) error {
	sealed := b
	sealed.Seal = ""
	if err := checkPart(a, in, forOffice, sealed, b.Seal); err != nil {
		return err
	}
	if !b.IsOf(in.Host) && !slices.Contains(officeOf(f, in.Host).Hosts(), b.Host) {
		return terminalError(BadSeal, "%s: what is to be restored is of server %s: find out who made it", in.Host, b.Host)
	}
	return nil
}

// openSharePoint checks a part, which must be about the front end of the step.
func (a *Activities) openSharePoint(in ServerInput, b farm.SharePointBefore) error {
	sealed := b
	sealed.Seal = ""
	if err := checkPart(a, in, forSharePoint, sealed, b.Seal); err != nil {
		return err
	}
	if b.FrontEnd != in.Host {
		return terminalError(BadSeal, "%s: what is to be restored is of %s: find out who made it", in.Host, b.FrontEnd)
	}
	return nil
}

// KeepSnapshotInput hands a snapshot over before the first change.
type KeepSnapshotInput struct {
	Farm string `json:"farm"`
	// Target is the certificate that the rotation works towards, for the log.
	Target farm.Thumbprint `json:"target"`
	Intent farm.Intent     `json:"intent,omitempty"`
	// Snapshot is the one that the run has taken, or was given.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Except are the office servers that the run leaves out from the start.
	Except []string `json:"except,omitempty"`
	// Gates are what an undo has waited for.
	Gates Gates `json:"gates,omitzero"`
}

// Kept is what a run may do from its first change on.
type Kept struct {
	// Snapshot counts from then on: that of an earlier rotation that was not finished, or
	// the run's own.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	Mandate  Mandate        `json:"mandate,omitzero"`
}

// KeepSnapshot has the farm's controller read and keep the snapshot that the calling
// run has taken, and gives the run its mandate. It fails with [NotAdmitted] where the
// controller does not let the run change anything, with [NotSealed] or [BadSeal] where
// nothing proves that a worker took the snapshot that counts, and with [NotPermitted] where
// an undo lacks what it has to wait for.
func (a *Activities) KeepSnapshot(ctx context.Context, in KeepSnapshotInput) (Kept, error) {
	admitted, err := a.askController(ctx, in.Farm)
	if err != nil {
		return Kept{}, err
	}
	s := in.Snapshot
	if admitted.Snapshot.IsSealed() && !in.Intent.GoesBack() {
		s = admitted.Snapshot
	}
	if err := a.openSnapshot(in.Farm, s); err != nil {
		return Kept{}, err
	}
	run, err := a.originalRun(ctx)
	if err != nil {
		return Kept{}, err
	}
	if s.Run != run && (admitted.Names != s.ID || admitted.Farm != in.Farm || admitted.RunID != activity.GetInfo(ctx).WorkflowExecution.RunID) {
		return Kept{}, terminalError(NotMandated, "the controller of %s does not name the snapshot of %s, taken by run %s: it is an older one, or of another run", in.Farm, farm.FormatTime(s.TakenAt), s.Run)
	}
	may, err := a.judgeIntent(ctx, in, s)
	if err != nil {
		return Kept{}, err
	}
	mandate, err := a.giveMandate(ctx, in.Farm, s.Target, Mandate{Intent: in.Intent, May: may, Snapshot: s.ID, Except: in.Except})
	return Kept{Snapshot: s, Mandate: mandate}, err
}

// judgeIntent returns what a run may do with the snapshot that counts. A certificate that
// is to be replaced because it is compromised is never restored, by no run.
func (a *Activities) judgeIntent(ctx context.Context, in KeepSnapshotInput, s *farm.Snapshot) ([]Stage, error) {
	if in.Intent.GoesBack() {
		return a.judgeWayBack(ctx, in, s)
	}
	if _, _, err := a.chooseAgain(ctx, in.Farm, in.Except, s.Target.Thumbprint); err != nil {
		return nil, err
	}
	if in.Intent == farm.ReplaceCompromised {
		if err := a.confirmAsked(ctx, in.Farm, in.Gates.Asked, controller.RequestRotate, farm.RightCompromised, askedLife, false); err != nil {
			return nil, err
		}
		if err := a.confirmExcept(ctx, in); err != nil {
			return nil, err
		}
	}
	if in.Intent == farm.ReplaceCompromised && !s.Compromised {
		s.Compromised = true
		if err := a.sealSnapshot(s); err != nil {
			return nil, err
		}
	}
	if s.Compromised {
		return []Stage{MayStage}, nil
	}
	return []Stage{MayStage, MayRestore}, nil
}

// judgeWayBack returns what a way back may do: it may set forward again what a worker has
// permitted to come into use before.
func (a *Activities) judgeWayBack(ctx context.Context, in KeepSnapshotInput, s *farm.Snapshot) ([]Stage, error) {
	f, err := a.LoadFarm(ctx, in.Farm)
	switch {
	case err != nil:
		return nil, err
	case f.Rotation.Mode == farm.ModeObserve:
		return nil, terminalError(ObserveOnly, "nothing is changed: %s", farm.ObservesOnly)
	case s.Compromised:
		return nil, terminalError(NotPermitted, "the previous certificate %s is compromised: it is never restored", s.Previous.Thumbprint.Short())
	}
	kind, life := controller.RequestRollback, askedLife
	if in.Intent == farm.Undo {
		kind, life = controller.RequestUndo, undoLife
	}
	if err := a.confirmAsked(ctx, in.Farm, in.Gates.Asked, kind, farm.RightRollback, life, in.Gates.Now); err != nil {
		return nil, err
	}
	if in.Intent == farm.Undo {
		noticed := func(context.Context) (what string, err error) {
			if s.IsRenewal() {
				what = "an undo restarts the servers"
			}
			return what, nil
		}
		if err := a.checkGates(ctx, f, in.Gates, s.Previous.Thumbprint, noticed); err != nil {
			return nil, err
		}
	}
	if a.wasPermitted(s) {
		return []Stage{MayRestore, MayStage, MayCutOver}, nil
	}
	return []Stage{MayRestore}, nil
}

// sealedCutOver is what the seal of a permitted cutover covers.
type sealedCutOver struct {
	Farm, Snapshot string
	Target         farm.Thumbprint
}

// wasPermitted reports whether a worker has permitted the cutover of a snapshot's rotation.
func (a *Activities) wasPermitted(s *farm.Snapshot) bool {
	return seal.CheckValue(a.Seals, forCutOver, sealedCutOver{s.Farm, s.ID, s.Target.Thumbprint}, s.CutOver) == nil
}
