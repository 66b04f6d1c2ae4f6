package activities

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// ReplacementInput names a farm, and the certificate in use, which is compromised.
type ReplacementInput struct {
	Farm        string          `json:"farm"`
	Compromised farm.Thumbprint `json:"compromised"`
}

// ChooseReplacement is [Activities.ChooseTarget] where the newest certificate is the
// compromised one: a source that makes its certificates makes another. It changes no
// server, and makes nothing while the newest certificate is another one.
func (a *Activities) ChooseReplacement(ctx context.Context, in ReplacementInput) (TargetChoice, error) {
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return TargetChoice{}, err
	}
	bundle, err := a.Certificates.Replacement(ctx, in.Farm, in.Compromised)
	if err != nil {
		return TargetChoice{}, terminalError(NoCertificate, "farm %s: %v", in.Farm, err)
	}
	return a.judgeTarget(f, bundle)
}
