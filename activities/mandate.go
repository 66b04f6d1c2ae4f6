package activities

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// Stage is a part of a run that a mandate is for.
type Stage string

// The stages.
const (
	// MayStage: the target is brought to servers, where nobody uses it yet.
	MayStage Stage = "stage"
	// MayCutOver: the target comes into use.
	MayCutOver Stage = "cut over"
	// MayRestore: what the snapshot of the mandate has is restored.
	MayRestore Stage = "restore"
	// MayArchive: the target, which is an old certificate, is archived and unarchived.
	MayArchive Stage = "archive"
	// MayDelete: it is deleted with its key.
	MayDelete Stage = "delete"
)

// stagesOf lists for each step the stages of which its mandate must have one.
var stagesOf = map[string][]Stage{
	"ImportCertificate": {MayStage}, "GrantKey": {MayStage}, "ExportCertificate": {MayStage}, "TrustRootAuthorities": {MayStage},

	"SetS2SCertificate": {MayCutOver}, "SetHTTPSettings": {MayCutOver}, "TrustIssuer": {MayCutOver},

	"AwaitReplication": {MayCutOver, MayRestore}, "StartOffice": {MayCutOver, MayRestore},
	"RestartOffice": {MayCutOver, MayRestore}, "RestartSharePoint": {MayCutOver, MayRestore},

	"RestoreIssuer": {MayRestore}, "RestoreHTTPSettings": {MayRestore}, "RestoreS2SCertificate": {MayRestore},
	"RemoveRootAuthorities": {MayRestore}, "RevokeKey": {MayRestore}, "RemoveCertificate": {MayRestore},

	"ArchiveCertificate": {MayArchive}, "UnarchiveCertificate": {MayArchive},
	"DeleteCertificate": {MayDelete}, "RemoveOwnRootAuthority": {MayDelete}, "DestroyKey": {MayDelete},
}

// Mandate is a worker's word, sealed, that one run may do something on a farm with one
// certificate. Nothing that comes through Temporal replaces it: every step demands one
// that fits, and takes from it, from what it seals, and from the worker's own
// configuration and certificates whatever it sets.
type Mandate struct {
	// Workflow and Run are whose it is; Run is the run ID that it was started with, which
	// a reset keeps.
	Workflow string      `json:"workflow"`
	Run      string      `json:"run"`
	Intent   farm.Intent `json:"intent,omitempty"`
	May      []Stage     `json:"may"`
	// Snapshot is the ID of what it may restore; empty for none.
	Snapshot string `json:"snapshot,omitempty"`
	// Except are the office servers that the run leaves out from the start: no step of it
	// is done there.
	Except []string `json:"except,omitempty"`
	// At is when it was given, on the worker's clock.
	At time.Time `json:"at"`
	// Seal covers all of this, the farm and the certificate.
	Seal string `json:"seal"`
}

// Allows reports whether a mandate is for a stage.
func (m Mandate) Allows(s Stage) bool { return slices.Contains(m.May, s) }

// The purposes of seals: one is never taken for another.
const (
	forMandate    = "mandate"
	forSnapshot   = "snapshot"
	forOffice     = "office server before"
	forSharePoint = "SharePoint farm before"
	forOld        = "old certificate"
	forCutOver    = "cutover permitted"
)

// sealedMandate is what the seal of a mandate covers.
type sealedMandate struct {
	Farm    string
	Target  farm.Certificate
	Mandate Mandate
}

// giveMandate gives the run of an activity a mandate.
func (a *Activities) giveMandate(ctx context.Context, farmName string, target farm.Certificate, m Mandate) (Mandate, error) {
	run, err := a.originalRun(ctx)
	if err != nil {
		return m, err
	}
	m.Workflow, m.Run, m.At = activity.GetInfo(ctx).WorkflowExecution.ID, run, a.Now().UTC().Round(0)
	return a.sealMandate(farmName, target, m)
}

func (a *Activities) sealMandate(farmName string, target farm.Certificate, m Mandate) (_ Mandate, err error) {
	m.Seal = ""
	m.Seal, err = seal.OfValue(a.Seals, forMandate, sealedMandate{farmName, target, m})
	return m, err
}

// checkMandate returns an error of type [NotMandated] unless a mandate is for the run of
// an activity, for a farm and a certificate, and for one of some stages.
func (a *Activities) checkMandate(ctx context.Context, in mandated, stages ...Stage) error {
	farmName, target, m := in.mandate()
	sealed := m
	sealed.Seal = ""
	err := seal.CheckValue(a.Seals, forMandate, sealedMandate{farmName, target, sealed}, m.Seal)
	switch {
	case errors.Is(err, seal.ErrMissing):
		return terminalError(NotSealed, "nothing is changed: this step has no mandate of a worker; a run that an earlier version began has none: abort it and rotate again, which goes on with what it has done")
	case err != nil:
		return terminalError(NotMandated, "nothing is changed: the mandate of this step is not for farm %s and certificate %s: %v: abort the run, and find out who made this", farmName, target.Thumbprint.Short(), err)
	case !slices.ContainsFunc(stages, m.Allows):
		return terminalError(NotMandated, "nothing is changed: the run is not permitted to do this now: its mandate is to %s", joinStages(m.May))
	case slices.Contains(m.Except, in.server()):
		return terminalError(NotMandated, "nothing is changed: the run leaves out %s", in.server())
	}
	run := activity.GetInfo(ctx).WorkflowExecution
	if m.Workflow == run.ID && m.Run == run.RunID {
		return nil
	}
	original, err := a.originalRun(ctx)
	if err != nil {
		return err
	}
	if m.Workflow != run.ID || m.Run != original {
		return terminalError(NotMandated, "nothing is changed: the mandate of this step was given to another run, %s (run %s): abort this one, and find out who made it", m.Workflow, m.Run)
	}
	return nil
}

func joinStages(stages []Stage) string {
	var words []string
	for _, s := range stages {
		words = append(words, string(s))
	}
	return cmp.Or(strings.Join(words, ", "), "do nothing")
}

// mandated is the input of a step.
type mandated interface {
	mandate() (farmName string, target farm.Certificate, m Mandate)
	// server is where it is done; empty where that is the worker alone.
	server() string
}

func (in ServerInput) server() string { return in.Host }

func (in OldCertificateInput) server() string { return in.Host }

func (in ServerInput) mandate() (string, farm.Certificate, Mandate) {
	return in.Farm, in.Target, in.Mandate
}

func (in OldCertificateInput) mandate() (string, farm.Certificate, Mandate) {
	return in.Farm, in.Old, in.Mandate
}

// originalRun returns the run ID that the run of an activity was started with: what
// Temporal makes of it by a reset counts as the same.
func (a *Activities) originalRun(ctx context.Context) (string, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	key := run.ID + "\n" + run.RunID
	if original, ok := a.originals.Load(key); ok {
		return original.(string), nil //nolint:forcetypeassert // nothing else is stored
	}
	original, err := a.Runs.OriginalRun(ctx, run.ID, run.RunID)
	if err != nil {
		return "", temporal.NewApplicationErrorWithCause("Temporal does not say which run this is: "+err.Error(), NotAnswered, err)
	}
	a.originals.Store(key, original)
	return original, nil
}

// originals are the run IDs that runs were started with, by workflow and run ID: a few
// bytes for each run that a worker meets.
type originals struct{ sync.Map }
