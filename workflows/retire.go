package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// RetireInput asks for the retirement of an old certificate.
type RetireInput struct {
	Farm   string                `json:"farm"`
	Reason string                `json:"reason"`
	Old    farm.StoreCertificate `json:"old"`
	// Keeper is told the end; empty when there is none.
	Keeper string `json:"keeper,omitempty"`
}

// RetireCertificate takes an old certificate away after its soak. It refuses
// while anything names the certificate, archives it first, and deletes it and
// its key only after a person approved. A self-signed certificate's root
// authority that farmtrust added goes with it; authorities of others stay.
// Called off before that, it takes the archived mark off again.
func RetireCertificate(ctx workflow.Context, in RetireInput) (RotationResult, error) {
	r, err := newRotation(ctx, RotateInput{Farm: in.Farm, Reason: in.Reason, Keeper: in.Keeper})
	if err != nil {
		return RotationResult{}, err
	}
	r.progress.retires = true
	r.decisions.noWayBack = "a retirement is not rolled back; abort leaves the certificate as it is"
	old := farm.Certificate{
		Thumbprint: in.Old.Thumbprint, Subject: in.Old.Subject, FriendlyName: in.Old.FriendlyName, NotAfter: in.Old.NotAfter,
	}
	retirement := &retirement{rotation: r, old: old}
	outcome, err := retirement.run(ctx)
	if outcome == farm.Incomplete {
		retirement.showAgain(ctx)
	}
	return r.end(ctx, RetireID(in.Farm), outcome, err)
}

// retirement is a rotation that only takes away.
type retirement struct {
	*rotation

	old farm.Certificate
}

// run is the runbook.
func (r *retirement) run(ctx workflow.Context) (farm.Outcome, error) {
	r.target = r.old
	if err := r.progress.aim(ctx, r.old); err != nil {
		return farm.Incomplete, err
	}
	if err := r.do(ctx, Observing,
		r.refuseWhileUsed, // S2S name, CertificateName, http.sys, WinRM, issuers
	); err != nil {
		return farm.Refused, err
	}
	if err := r.do(ctx, Retiring,
		r.hide,            // office servers: archived, nothing finds it any more
		r.approveDeletion, // always by a person
		r.parkWhileUsed,   // days may have passed
		r.delete,          // office servers: certificate and key
		r.removeOwnRoot,   // SharePoint farms: the self-signed one that we added
	); err != nil {
		return farm.Incomplete, err
	}
	if len(r.decisions.skipped) > 0 {
		return farm.Partial, nil
	}
	return farm.Verified, nil
}

// showAgain leaves the certificate as it was where the retirement was called
// off: who undoes the rotation needs to find it. It runs on although the
// retirement was cancelled; where it fails, the report says so.
func (r *retirement) showAgain(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := each(ctx, r.officeHosts(), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		var result activities.StepResult
		r.progress.begin(ctx, host, farm.StepUnarchive)
		err := workflow.ExecuteActivity(changing(ctx, "show old certificate again on "+host), a.UnarchiveCertificate, r.in(host)).Get(ctx, &result)
		r.progress.finish(ctx, host, farm.StepUnarchive, result, err)
		return err
	}); err != nil {
		workflow.GetLogger(ctx).Warn("the old certificate stays archived on a server", "error", err)
	}
}

func (r *retirement) in(host string) activities.OldCertificateInput {
	return activities.OldCertificateInput{Farm: r.farm.Name, Host: host, Old: r.old}
}

// refuseWhileUsed looks for whatever still names the certificate. Its error
// names a server: the first that could not be looked at, or that uses it.
func (r *retirement) refuseWhileUsed(ctx workflow.Context) error {
	offices := officeHosts(r.farm)
	hosts := slices.Concat(offices, frontEnds(r.farm))
	uses := make([][]string, len(hosts))
	if err := eachAt(ctx, hosts, r.farm.Rotation.AtOnce, func(ctx workflow.Context, i int) error {
		host, find, summary := hosts[i], a.FindUse, "find use of the certificate on "
		if i >= len(offices) {
			find, summary = a.FindIssuers, "find issuers with the certificate on "
		}
		r.progress.begin(ctx, host, farm.StepFindUse)
		err := workflow.ExecuteActivity(observing(ctx, summary+host), find, r.in(host)).Get(ctx, &uses[i])
		r.progress.looked(ctx, host, farm.StepFindUse, err)
		if err != nil {
			return &serverError{host: host, cause: err}
		}
		return nil
	}); err != nil {
		return err
	}
	if first := slices.IndexFunc(uses, func(u []string) bool { return len(u) > 0 }); first >= 0 {
		return &serverError{hosts[first], fmt.Errorf("certificate %s is still in use: %s", r.old.Thumbprint.Short(), strings.Join(slices.Concat(uses...), "; "))}
	}
	return nil
}

// parkWhileUsed looks again. Once the certificate is archived, a retirement
// does not end by itself: that would leave it so.
func (r *retirement) parkWhileUsed(ctx workflow.Context) error {
	return r.orPark(ctx, farm.StepFindUse, func() error { return r.refuseWhileUsed(ctx) })
}

func (r *retirement) hide(ctx workflow.Context) error {
	return r.eachOffice(ctx, farm.StepArchive, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "archive old certificate on "+host), a.ArchiveCertificate, r.in(host))
	})
}

func (r *retirement) approveDeletion(ctx workflow.Context) error {
	sum := sha256.Sum256([]byte("delete " + string(r.old.Thumbprint) + " " + strings.Join(r.officeHosts(), " ")))
	return r.askFor(ctx, hex.EncodeToString(sum[:6]), func(digest string) string {
		return fmt.Sprintf("approve %s to delete certificate %s and its key on every office server", digest, r.old.Thumbprint.Short())
	})
}

func (r *retirement) delete(ctx workflow.Context) error {
	return r.eachOffice(ctx, farm.StepDelete, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "delete old certificate on "+host), a.DeleteCertificate, r.in(host))
	})
}

// removeOwnRoot removes the root authority of a self-signed certificate, where
// it bears the name that farmtrust gives.
func (r *retirement) removeOwnRoot(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		_, err := r.step(ctx, farm.StepRemoveRootAuthority, host, func() workflow.Future {
			return workflow.ExecuteActivity(changing(ctx, "remove root authority on "+host), a.RemoveOwnRootAuthority, r.in(host))
		})
		return err
	})
}
