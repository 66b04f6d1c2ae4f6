package activities

import (
	"context"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// PreviewWayBackInput asks what going back to a snapshot would do.
type PreviewWayBackInput struct {
	Farm string `json:"farm"`
	// What names it, such as "an undo".
	What     string        `json:"what"`
	Snapshot farm.Snapshot `json:"snapshot"`
}

// PreviewWayBack observes a farm, and says what going back to a snapshot would do. It
// changes nothing. Where a server cannot be observed, there is no preview.
func (a *Activities) PreviewWayBack(ctx context.Context, in PreviewWayBackInput) (farm.Inspection, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return farm.Inspection{}, retrySoon(err)
	}
	n := farm.Inspection{Farm: f.Name, Config: f, Target: in.Snapshot.Target}
	hosts := slices.Concat(f.OfficeHosts(), f.SharePointHosts())
	readings, problems := a.readServers(ctx, f, hosts, in.Snapshot.Target, func(host string) farm.Thumbprint { return in.Snapshot.PreviousOn(host).Thumbprint })
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return farm.Inspection{}, err
	}
	observed := readings.Observed(f)
	n.AddServers(observed, problems)
	if n.At = a.Now(); len(problems) > 0 {
		return n, nil
	}
	n.Current, _ = observed.Current()
	preview := farm.PreviewWayBack(in.What, in.Snapshot, f, observed)
	n.Previewed = &preview
	return n, nil
}

// PreviewRetirementInput asks what the retirement of a certificate would do.
type PreviewRetirementInput struct {
	Farm string                `json:"farm"`
	Old  farm.StoreCertificate `json:"old"`
}

// PreviewRetirement looks for whatever names a certificate, and says what its retirement
// would do. It changes nothing. Where a server cannot be observed, there is no preview.
func (a *Activities) PreviewRetirement(ctx context.Context, in PreviewRetirementInput) (farm.Inspection, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	f, err := a.LoadFarm(ctx, in.Farm)
	if err != nil {
		return farm.Inspection{}, retrySoon(err)
	}
	old := farm.Certificate{Thumbprint: in.Old.Thumbprint, Subject: in.Old.Subject, FriendlyName: in.Old.FriendlyName, NotAfter: in.Old.NotAfter}
	uses, problems := a.findUses(ctx, f, old)
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return farm.Inspection{}, err
	}
	n := farm.Inspection{Farm: f.Name, Config: f, At: a.Now(), Target: old}
	hosts := slices.Concat(f.OfficeHosts(), f.FrontEnds())
	for _, host := range hosts {
		n.Servers = append(n.Servers, farm.InspectedServer{Host: host, Problem: problems[host]})
	}
	if len(problems) > 0 {
		return n, nil
	}
	p := farm.Preview{What: "the retirement of " + old.Thumbprint.Short(), Steps: retirementSteps(f, old, uses)}
	for _, host := range hosts {
		for _, use := range uses[host].Uses {
			p.Findings = append(p.Findings, farm.Finding{Code: "still-used", Severity: farm.Stop, Server: host, Text: use, Remedy: "have it use another certificate"})
		}
		for _, note := range uses[host].Notes {
			p.Findings = append(p.Findings, farm.Finding{Code: "not-looked-at", Severity: farm.Warn, Server: host, Text: note})
		}
	}
	n.Previewed = &p
	return n, nil
}

// retirementSteps lists what a retirement would do.
func retirementSteps(f farm.Farm, old farm.Certificate, uses map[string]CertificateUse) []farm.Difference {
	var steps []farm.Difference
	for _, host := range f.OfficeHosts() {
		if !uses[host].Archived {
			steps = append(steps, farm.Difference{Step: farm.StepArchive, Server: host, Text: "archive certificate " + old.Thumbprint.Short() + ", so that nothing finds it any more"})
		}
	}
	for _, host := range f.OfficeHosts() {
		steps = append(steps, farm.DeletionOn(host, old.Thumbprint))
	}
	for _, host := range f.FrontEnds() {
		if uses[host].OwnRoot {
			steps = append(steps, farm.OwnRootRemovalOn(host, old.Thumbprint))
		}
	}
	return steps
}

// findUses looks on every office server and front end, bounded together, and returns by
// host what names a certificate, and what keeps one from being looked at.
func (a *Activities) findUses(ctx context.Context, f farm.Farm, old farm.Certificate) (map[string]CertificateUse, map[string]string) {
	hosts := slices.Concat(f.OfficeHosts(), f.FrontEnds())
	results, failures := make([]CertificateUse, len(hosts)), make([]error, len(hosts))
	atOnce(f, len(hosts), func(i int) {
		find := a.FindIssuers
		if _, office := f.OfficeServer(hosts[i]); office {
			find = a.FindUse
		}
		results[i], failures[i] = readTwice(ctx, a.Poll, OldCertificateInput{Farm: f.Name, Host: hosts[i], Old: old}, find)
	})
	uses, problems := map[string]CertificateUse{}, map[string]string{}
	for i, host := range hosts {
		if uses[host] = results[i]; failures[i] != nil {
			problems[host] = problemText(failures[i])
		}
	}
	return uses, problems
}
