package activities

import (
	"context"
	"slices"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// TrustInput asks what the SharePoint farms of a farm trust.
type TrustInput struct {
	Farm string `json:"farm"`
	// Seen is the fingerprint of what was seen last; empty asks for all of it.
	Seen string `json:"seen,omitempty"`
}

// LookForForeignTrust reads what the SharePoint farms of a farm trust: one script on
// each front end, which reads the issuers and the root authorities and nothing else. It
// changes nothing. What is as it was is left out, so that looking every few minutes
// costs a history almost nothing. A front end that does not answer is named.
func (a *Activities) LookForForeignTrust(ctx context.Context, in TrustInput) (farm.TrustLook, error) {
	defer startHeartbeat(ctx)()
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return farm.TrustLook{}, retrySoon(err)
	}
	hosts := f.FrontEnds()
	found, failures := make([]farm.SharePointFarm, len(hosts)), make([]error, len(hosts))
	atOnce(f, len(hosts), func(i int) {
		found[i], failures[i] = readWithin(ctx, ServerInput{Farm: f.Name, Host: hosts[i]}, a.readTrust)
	})
	look := farm.TrustLook{At: a.Now()}
	for i, host := range hosts {
		if failures[i] != nil {
			look.Unseen, look.Problem = append(look.Unseen, host), host+": "+problemText(failures[i])
			continue
		}
		look.Trusted = append(look.Trusted, farm.TrustedBy(found[i])...)
	}
	if err := interruption(ctx, len(look.Unseen) > 0); err != nil {
		return farm.TrustLook{}, err
	}
	look.Fingerprint = farm.FingerprintOf(look.Trusted, look.Unseen)
	if look.Unchanged = in.Seen == look.Fingerprint; look.Unchanged {
		look.Trusted = nil
		return look, nil
	}
	look.OfSource = a.findOfSource(ctx, f, look.Trusted)
	return look, nil
}

// readTrust reads the issuers and the root authorities of a SharePoint farm.
func (a *Activities) readTrust(ctx context.Context, in ServerInput) (farm.SharePointFarm, error) {
	_, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return farm.SharePointFarm{}, err
	}
	sp.Sites = nil // permissions are for an inspection
	return a.readSharePoint(ctx, sp)
}

// mostLooked is how many certificates of issuers are looked for in the source at most: a
// farm has one or two.
const mostLooked = 10

// findOfSource returns the newest certificate of the farm's source, those of the issuers
// that it has, and what issued them.
func (a *Activities) findOfSource(ctx context.Context, f farm.Farm, trusted []farm.Trusted) []farm.Thumbprint {
	var ours []farm.Thumbprint
	add := func(bundle *cert.Bundle, err error) {
		if err != nil {
			return // it is not there, or cannot be read: an inspection says which
		}
		ours = append(ours, bundle.Certificate.Thumbprint)
		for _, c := range bundle.Certificate.RootAuthorities() {
			ours = append(ours, c.Thumbprint)
		}
	}
	add(a.Certificates.Newest(ctx, f.Name))
	var looked []farm.Thumbprint
	for _, t := range trusted {
		if isKnown := slices.Contains(slices.Concat(ours, looked), t.Thumbprint); t.Kind != farm.TrustedIssuer || t.Thumbprint == "" || isKnown || len(looked) == mostLooked {
			continue
		}
		looked = append(looked, t.Thumbprint)
		add(a.Certificates.Find(ctx, f.Name, t.Thumbprint))
	}
	slices.Sort(ours)
	return slices.Compact(ours)
}
