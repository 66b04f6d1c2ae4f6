package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// AdmitRetirementInput names the certificate that is to be retired.
type AdmitRetirementInput struct {
	Farm string                `json:"farm"`
	Old  farm.StoreCertificate `json:"old"`
}

// AdmitRetirement has the farm's controller let the calling run archive a certificate, and
// gives it the mandate for that: for a certificate of which a worker has sealed that it
// was in use before a rotation of this farm, and that is not the newest of the source.
func (a *Activities) AdmitRetirement(ctx context.Context, in AdmitRetirementInput) (Mandate, error) {
	if _, err := a.askController(ctx, in.Farm); err != nil {
		return Mandate{}, err
	}
	old := in.Old.Thumbprint
	err := seal.CheckValue(a.Seals, forOld, sealedOld{in.Farm, old}, in.Old.Seal)
	switch {
	case in.Old.Seal == "":
		return Mandate{}, terminalError(NotSealed, "nothing proves that a worker has recorded certificate %s as replaced: an earlier version did that; delete it by hand once nothing uses it", old.Short())
	case err != nil:
		return Mandate{}, terminalError(BadSeal, "no worker has recorded certificate %.40s as replaced on farm %s: %v: find out who asks for its deletion", old, in.Farm, err)
	}
	if err := a.checkNotNewest(ctx, in.Farm, old); err != nil {
		return Mandate{}, err
	}
	return a.giveMandate(ctx, in.Farm, RetiredCertificate(in.Old), Mandate{May: []Stage{MayArchive}})
}

// RetiredCertificate is what a retirement needs to know of an old certificate.
func RetiredCertificate(old farm.StoreCertificate) farm.Certificate {
	return farm.Certificate{Thumbprint: old.Thumbprint, Subject: old.Subject, FriendlyName: old.FriendlyName, NotAfter: old.NotAfter}
}

// checkNotNewest returns an error where a certificate is the one that a farm should have
// now: it is in use, or will be.
func (a *Activities) checkNotNewest(ctx context.Context, farmName string, old farm.Thumbprint) error {
	bundle, err := a.Certificates.Newest(ctx, farmName)
	if err != nil {
		return fmt.Errorf("whether %s may be deleted cannot be seen: %w", old.Short(), err)
	}
	if bundle.Certificate.Thumbprint == old {
		return terminalError(NotPermitted, "certificate %s is the newest of the source of farm %s: it is not deleted", old.Short(), farmName)
	}
	return nil
}

// PermitDeletionInput asks whether an archived certificate may be deleted.
type PermitDeletionInput struct {
	Farm    string           `json:"farm"`
	Old     farm.Certificate `json:"old"`
	Mandate Mandate          `json:"mandate"`
	// Approval is what an operator has approved.
	Approval *farm.Approval `json:"approval,omitempty"`
	// By is what a worker found about who has.
	By *farm.Authorization `json:"by,omitempty"`
	// Skipped are the servers that an operator has left out.
	Skipped []string `json:"skipped,omitempty"`
}

func (in PermitDeletionInput) mandate() (string, farm.Certificate, Mandate) {
	return in.Farm, in.Old, in.Mandate
}

func (in PermitDeletionInput) server() string { return "" }

// PermitDeletion gives a run that has archived a certificate the mandate to delete it: an
// operator has approved that, and the servers, read once more, name it nowhere. It changes
// nothing.
func (a *Activities) PermitDeletion(ctx context.Context, in PermitDeletionInput) (Mandate, error) {
	defer startHeartbeat(ctx)()
	if err := a.checkMandate(ctx, in, MayArchive); err != nil {
		return Mandate{}, err
	}
	old := in.Old.Thumbprint
	if in.Approval == nil || in.Approval.Target != old {
		return Mandate{}, terminalError(NotPermitted, "nobody has approved the deletion of certificate %s", old.Short())
	}
	if err := a.confirmApproval(ctx, in.Farm, *in.Approval, in.By, nil, farm.RightDelete); err != nil {
		return Mandate{}, err
	}
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return Mandate{}, err
	}
	if err := a.checkNotNewest(ctx, in.Farm, old); err != nil {
		return Mandate{}, err
	}
	if err := a.checkUnused(ctx, f, in); err != nil {
		return Mandate{}, err
	}
	m := in.Mandate
	m.May = []Stage{MayArchive, MayDelete}
	return a.giveMandate(ctx, in.Farm, in.Old, m)
}

func (a *Activities) checkUnused(ctx context.Context, f farm.Farm, in PermitDeletionInput) error {
	uses, problems := a.findUses(ctx, f, in.Old)
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return err
	}
	for _, host := range slices.Concat(f.OfficeHosts(), f.FrontEnds()) {
		switch {
		case problems[host] != "" && !slices.Contains(in.Skipped, host):
			return fmt.Errorf("whether certificate %s is still in use cannot be seen: %s: %s", in.Old.Thumbprint.Short(), host, problems[host])
		case len(uses[host].Uses) > 0:
			return terminalError(NotPermitted, "certificate %s is still in use: %s", in.Old.Thumbprint.Short(), strings.Join(uses[host].Uses, "; "))
		}
	}
	return nil
}
