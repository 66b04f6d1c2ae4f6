package activities

import (
	"context"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ObserveOffice observes an office server, and which of the certificates in
// question it has.
func (a *Activities) ObserveOffice(ctx context.Context, in ServerInput) (farm.OfficeServer, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return farm.OfficeServer{}, err
	}
	return a.observeOffice(ctx, t, in.Target)
}

func (a *Activities) observeOffice(ctx context.Context, t powershell.Target, target farm.Certificate) (farm.OfficeServer, error) {
	params := powershell.GetOfficeServer{
		Thumbprint: string(target.Thumbprint), FriendlyName: target.FriendlyName, Subject: target.Subject, Chain: []string{},
	}
	for _, c := range target.Chain {
		params.Chain = append(params.Chain, string(c.Thumbprint))
	}
	seen, skew, err := observeServer(ctx, a, a.Remote, t, params, func(s powershell.OfficeServer) time.Time { return s.Machine.Clock })
	if err != nil {
		return farm.OfficeServer{}, err
	}
	m, toWorker := convertMachine(t.Host, seen.Machine, skew)
	s := farm.OfficeServer{
		Machine:      m,
		Certificates: convertCertificates(seen.Certificates),
		Roots:        convertCertificates(seen.Roots),
		Joined:       seen.Joined,
		Settings: farm.OfficeFarm{
			Master: seen.Master, Machines: seen.Machines,
			S2SCertificateName: seen.S2SCertificateName, CertificateName: seen.CertificateName,
			AllowOutboundHTTP: seen.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: seen.AllowHTTPSecureStoreConnections,
		},
		Health:            seen.Health,
		Discovery:         farm.Discovery(seen.Discovery),
		Service:           convertService(seen.Service, toWorker),
		WorkersStartedAt:  toWorker(seen.WorkersSince),
		SettingsChangedAt: toWorker(seen.SettingsSince),
	}
	for _, i := range seen.Intermediates {
		s.Intermediates = append(s.Intermediates, farm.Thumbprint(i))
	}
	return s, nil
}

// ObserveSharePoint observes a SharePoint farm from its front end. Its servers are
// left out: [Activities.ObserveSharePointServer] observes them one by one.
func (a *Activities) ObserveSharePoint(ctx context.Context, in ServerInput) (farm.SharePointFarm, error) {
	t, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return farm.SharePointFarm{}, err
	}
	params := powershell.GetSharePointFarm{Sites: sp.Sites}
	for _, i := range farm.Issuers() {
		params.RegisteredNames = append(params.RegisteredNames, i.RegisteredName)
		params.Names = append(params.Names, sp.IssuerDisplayName(i))
	}
	seen, skew, err := observeServer(ctx, a, a.sharePointRunner(sp), t, params, func(f powershell.SharePointFarm) time.Time { return f.Machine.Clock })
	if err != nil {
		return farm.SharePointFarm{}, err
	}
	_, toWorker := convertMachine(t.Host, seen.Machine, skew)
	f := farm.SharePointFarm{
		FrontEnd: t.Host, Version: seen.Version, UserProfileServices: seen.UserProfileServices, Members: seen.Members,
	}
	for _, i := range seen.Issuers {
		f.Issuers = append(f.Issuers, farm.TokenIssuer{
			Name: i.Name, RegisteredName: i.RegisteredName, Thumbprint: farm.Thumbprint(i.Thumbprint),
			TrustBroker: i.TrustBroker, Certificate: i.Certificate, Description: i.Description, ChangedAt: toWorker(i.Since),
		})
	}
	for _, r := range seen.RootAuthorities {
		f.RootAuthorities = append(f.RootAuthorities, farm.RootAuthority{Name: r.Name, Thumbprint: farm.Thumbprint(r.Thumbprint)})
	}
	for _, p := range seen.Permissions {
		f.Permissions = append(f.Permissions, farm.AppPermission(p))
	}
	return f, nil
}

// ObserveSharePointServer observes one SharePoint server. It uses no SharePoint
// cmdlets, so it needs no access to SQL Server.
func (a *Activities) ObserveSharePointServer(ctx context.Context, in ServerInput) (farm.SharePointServer, error) {
	t, err := a.resolveSharePointServer(in.Farm, in.Host)
	if err != nil {
		return farm.SharePointServer{}, err
	}
	return a.observeSharePointServer(ctx, t)
}

func (a *Activities) observeSharePointServer(ctx context.Context, t powershell.Target) (farm.SharePointServer, error) {
	seen, skew, err := observeServer(ctx, a, a.Remote, t, powershell.GetSharePointServer{}, func(s powershell.SharePointServer) time.Time { return s.Machine.Clock })
	if err != nil {
		return farm.SharePointServer{}, err
	}
	m, toWorker := convertMachine(t.Host, seen.Machine, skew)
	return farm.SharePointServer{Machine: m, Timer: convertService(seen.Timer, toWorker), WorkersStartedAt: toWorker(seen.WorkersSince)}, nil
}

func convertService(s powershell.Service, toWorker func(*time.Time) time.Time) farm.Service {
	return farm.Service{Name: s.Name, Running: s.Running, StartedAt: toWorker(s.Since)}
}

func convertCertificates(list []powershell.Certificate) []farm.StoreCertificate {
	var out []farm.StoreCertificate
	for _, c := range list {
		out = append(out, farm.StoreCertificate{
			Thumbprint: farm.Thumbprint(c.Thumbprint), FriendlyName: c.FriendlyName, Subject: c.Subject,
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, HasKey: c.HasKey,
			Provider: c.Provider, KeyReaders: c.KeyReaders, KeySigns: c.KeySigns,
		})
	}
	return out
}
