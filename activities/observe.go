package activities

import (
	"context"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ObserveInput names a server, and the certificates in question.
type ObserveInput struct {
	ServerInput
	// Previous is the certificate that a rollback would restore; empty before the
	// first observation.
	Previous farm.Thumbprint `json:"previous,omitempty"`
}

// ObserveOffice observes an office server, and which of the certificates in
// question it has.
func (a *Activities) ObserveOffice(ctx context.Context, in ObserveInput) (farm.OfficeServer, error) {
	t, _, err := a.resolveOfficeServer(in.Farm, in.Host)
	if err != nil {
		return farm.OfficeServer{}, err
	}
	return a.observeOffice(ctx, t, in.Target, in.Previous)
}

func (a *Activities) observeOffice(ctx context.Context, t powershell.Target, target farm.Certificate, previous farm.Thumbprint) (farm.OfficeServer, error) {
	params := powershell.GetOfficeServer{
		Thumbprint: string(target.Thumbprint), FriendlyName: target.FriendlyName, Subject: target.Subject, Chain: []string{},
		Previous: string(previous),
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
		Certificates: convertCertificates(seen.Certificates, toWorker),
		Roots:        convertCertificates(seen.Roots, toWorker),
		OrphanedKey:  seen.OrphanedKey,
		Joined:       seen.Joined,
		Settings: farm.OfficeFarm{
			Master: seen.Master, Machines: seen.Machines,
			S2SCertificateName: seen.S2SCertificateName, CertificateName: seen.CertificateName,
			AllowOutboundHTTP: seen.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: seen.AllowHTTPSecureStoreConnections,
		},
		Health:            seen.Health,
		Discovery:         farm.Discovery(seen.Discovery),
		Service:           convertService(seen.Service, toWorker),
		WebServer:         convertService(seen.WebServer, toWorker),
		Activation:        convertService(seen.Activation, toWorker),
		LastErrors:        seen.LastErrors,
		Loaded:            convertLoaded(seen.Loaded, toWorker),
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
	return a.observeSharePoint(ctx, in)
}

// observeSharePoint also returns the issuers that hold one of some certificates.
func (a *Activities) observeSharePoint(ctx context.Context, in ServerInput, held ...farm.Thumbprint) (farm.SharePointFarm, error) {
	_, sp, err := a.resolveFrontEnd(in.Farm, in.Host)
	if err != nil {
		return farm.SharePointFarm{}, err
	}
	return a.readSharePoint(ctx, sp, held...)
}

func (a *Activities) readSharePoint(ctx context.Context, sp farm.SharePoint, held ...farm.Thumbprint) (farm.SharePointFarm, error) {
	t := scriptTarget(sp.FrontEnd)
	params := powershell.GetSharePointFarm{Sites: sp.Sites}
	for _, thumbprint := range held {
		params.Thumbprints = append(params.Thumbprints, string(thumbprint))
	}
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
		FrontEnd: t.Host, Version: seen.Version, Members: seen.Members,
		UserProfileServices: seen.UserProfileServices, UserProfileProxies: seen.UserProfileProxies, ProxiedSites: seen.ProxiedSites,
		AppManagement: seen.AppManagement, SubscriptionSettings: seen.SubscriptionSettings, AllowOAuthOverHTTP: seen.AllowOAuthOverHTTP,
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
	t, sp, err := a.resolveSharePointServer(in.Farm, in.Host)
	if err != nil {
		return farm.SharePointServer{}, err
	}
	return a.observeSharePointServer(ctx, t, sp.Sites)
}

func (a *Activities) observeSharePointServer(ctx context.Context, t powershell.Target, sites []string) (farm.SharePointServer, error) {
	seen, skew, err := observeServer(ctx, a, a.Remote, t, powershell.GetSharePointServer{Sites: sites}, func(s powershell.SharePointServer) time.Time { return s.Machine.Clock })
	if err != nil {
		return farm.SharePointServer{}, err
	}
	m, toWorker := convertMachine(t.Host, seen.Machine, skew)
	s := farm.SharePointServer{
		Machine: m, Timer: convertService(seen.Timer, toWorker),
		WebServer: convertService(seen.WebServer, toWorker), Activation: convertService(seen.Activation, toWorker),
		WorkersStartedAt: toWorker(seen.WorkersSince), LastErrors: seen.LastErrors,
	}
	for _, site := range seen.Sites {
		s.Sites = append(s.Sites, farm.Discovery(site))
	}
	return s, nil
}

func convertLoaded(l *powershell.LoadedSettings, toWorker func(*time.Time) time.Time) *farm.LoadedSettings {
	if l == nil {
		return nil
	}
	return &farm.LoadedSettings{
		Since: toWorker(&l.Since), Service: toWorker(&l.Service),
		S2SCertificateName: l.S2SCertificateName, Thumbprint: farm.Thumbprint(l.Thumbprint),
		AllowOutboundHTTP: l.AllowOutboundHTTP, AllowHTTPSecureStoreConnections: l.AllowHTTPSecureStoreConnections,
	}
}

func convertService(s powershell.Service, toWorker func(*time.Time) time.Time) farm.Service {
	return farm.Service{Name: s.Name, Running: s.Running, StartedAt: toWorker(s.Since)}
}

func convertCertificates(list []powershell.Certificate, toWorker func(*time.Time) time.Time) []farm.StoreCertificate {
	var out []farm.StoreCertificate
	for _, c := range list {
		out = append(out, farm.StoreCertificate{
			Thumbprint: farm.Thumbprint(c.Thumbprint), FriendlyName: c.FriendlyName, Subject: c.Subject,
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, HasKey: c.HasKey,
			Provider: c.Provider, KeyReaders: c.KeyReaders, KeySigns: c.KeySigns, ModernKeySigns: c.ModernKeySigns,
			KeyCreatedAt: toWorker(c.KeySince), Archived: c.Archived, Wildcard: c.Wildcard, Uses: c.Uses,
		})
	}
	return out
}
