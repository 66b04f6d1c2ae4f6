package scripts

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func getSharePointFarm(s *model.Session, p powershell.GetSharePointFarm, _ [][]byte) (r powershell.SharePointFarm, err error) {
	found, err := reachFarm(s)
	if err != nil {
		return r, err
	}
	r.Version, r.Members = found.Version, found.Servers
	if r.Issuers, err = shownIssuers(s, p); err != nil {
		return r, err
	}
	authorities, err := s.SharePoint().GetTrustedRootAuthority()
	if err != nil {
		return r, err
	}
	r.RootAuthorities = []powershell.RootAuthority{}
	for _, a := range authorities {
		r.RootAuthorities = append(r.RootAuthorities, powershell.RootAuthority{Name: a.Name, Thumbprint: string(a.Thumbprint())})
	}
	if err := addSites(s, p, &r); err != nil {
		return r, err
	}
	if err := countServices(s, &r); err != nil {
		return r, err
	}
	r.Machine, err = describe(s)
	return r, err
}

func containsFold(list []string, wanted string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, wanted) })
}

// sameApplication reports whether one of the registered names has the application
// of another, the part before the @.
func sameApplication(registeredNames []string, other string) bool {
	application, _, _ := strings.Cut(strings.ToLower(other), "@")
	return slices.ContainsFunc(registeredNames, func(name string) bool {
		own, _, _ := strings.Cut(name, "@")
		return own == application
	})
}

func shownIssuers(s *model.Session, p powershell.GetSharePointFarm) ([]powershell.TokenIssuer, error) {
	shown := []powershell.TokenIssuer{}
	issuers, err := s.SharePoint().GetTrustedSecurityTokenIssuer()
	for _, i := range issuers {
		if !sameApplication(p.RegisteredNames, i.RegisteredIssuerName) && !containsFold(p.Names, i.Name) &&
			!slices.Contains(p.Thumbprints, string(i.Thumbprint())) {
			continue
		}
		shown = append(shown, powershell.TokenIssuer{
			Name: i.Name, RegisteredName: strings.ToLower(i.RegisteredIssuerName), Thumbprint: string(i.Thumbprint()),
			Certificate: i.Certificate, TrustBroker: i.TrustBroker, Description: i.Description, Since: markTime(i.Description),
		})
	}
	return shown, err
}

// mark is what our script notes in an issuer's description, since SharePoint
// shows no time of change.
var mark = regexp.MustCompile(`\s*\[farmtrust (\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)\]`)

const markLayout = "2006-01-02T15:04:05.000Z"

// markTime is the prelude's Get-MarkTime.
func markTime(description string) *time.Time {
	found := mark.FindStringSubmatch(description)
	if found == nil {
		return nil
	}
	at, err := time.Parse(markLayout, found[1])
	if err != nil {
		return nil
	}
	return &at
}

// WithoutMark is a description without the note of when an issuer's certificate
// was set, which every change by our scripts renews, a rollback included.
func WithoutMark(description string) string {
	return strings.TrimSpace(mark.ReplaceAllString(description, ""))
}

// markedText is the prelude's ConvertTo-MarkedText.
func markedText(s *model.Session, description string) (*string, error) {
	d, err := s.Describe()
	text := strings.TrimSpace(WithoutMark(description) + " [farmtrust " + d.Clock.UTC().Format(markLayout) + "]")
	return &text, err
}

// findIssuer is the prelude's Find-Issuer, and refuses more than one.
func findIssuer(s *model.Session, registeredName string) (*model.TokenIssuer, error) {
	issuers, err := s.SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil {
		return nil, err
	}
	issuers = slices.DeleteFunc(issuers, func(i model.TokenIssuer) bool { return !strings.EqualFold(i.RegisteredIssuerName, registeredName) })
	switch len(issuers) {
	case 0:
		return nil, nil //nolint:nilnil // none is an answer.
	case 1:
		return &issuers[0], nil
	}
	return nil, stopScript("IssuerAmbiguous", "%d issuers have the registered name %s", len(issuers), registeredName)
}

func setTrustedIssuer(s *model.Session, p powershell.SetTrustedIssuer, _ [][]byte) (r powershell.SetIssuerResult, err error) {
	r.Granted = []string{}
	if _, err := reachFarm(s); err != nil {
		return r, err
	}
	found, err := findIssuer(s, p.RegisteredName)
	switch {
	case err != nil:
		return r, err
	case found == nil:
		r.Created, r.Name = true, p.Name
		err = createIssuer(s, p)
	case found.Thumbprint() != farm.ThumbprintOf(p.Certificate):
		r.Updated, r.Name = true, found.Name
		err = updateIssuer(s, p, *found)
	default:
		r.Name = found.Name
	}
	if err != nil {
		return r, err
	}
	for _, site := range p.Sites {
		granted, err := grantSite(s, p, site)
		if err != nil {
			return r, err
		}
		if granted {
			r.Granted = append(r.Granted, site)
		}
	}
	r.Changed = r.Created || r.Updated || len(r.Granted) > 0
	return r, nil
}

func createIssuer(s *model.Session, p powershell.SetTrustedIssuer) error {
	issuers, err := s.SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil {
		return err
	}
	for _, other := range issuers {
		if strings.EqualFold(other.Name, p.Name) {
			return stopScript("NameTaken", "issuer '%s' already exists with the registered name '%s'", p.Name, other.RegisteredIssuerName)
		}
	}
	description, err := markedText(s, "")
	if err != nil {
		return err
	}
	return s.SharePoint().NewTrustedSecurityTokenIssuer(model.IssuerParameters{
		Name: p.Name, Certificate: p.Certificate, RegisteredIssuerName: &p.RegisteredName, Description: description, Confirmed: true,
	})
}

func updateIssuer(s *model.Session, p powershell.SetTrustedIssuer, found model.TokenIssuer) error {
	description, err := markedText(s, found.Description)
	if err != nil {
		return err
	}
	return s.SharePoint().SetTrustedSecurityTokenIssuer(model.IssuerParameters{
		Identity: found.Name, Certificate: p.Certificate, RegisteredIssuerName: &p.RegisteredName, Description: description,
		IsTrustBroker: found.TrustBroker, Confirmed: true,
	})
}

func grantSite(s *model.Session, p powershell.SetTrustedIssuer, site string) (granted bool, err error) {
	shell := s.SharePoint()
	if _, err := shell.GetSite(model.SiteParameters{Identity: site}); err != nil {
		return false, err
	}
	has, err := shell.AppPermission(site, p.RegisteredName)
	if err != nil || has.Right == farm.FullControl && has.AppOnly {
		return false, err
	}
	principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: site, NameIdentifier: p.RegisteredName})
	if err != nil {
		return false, err
	}
	return true, shell.SetAppPrincipalPermission(model.PermissionParameters{
		Site: site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: model.FullControl, EnableAppOnlyPolicy: true,
	})
}

func addRootAuthority(s *model.Session, p powershell.AddRootAuthority, _ [][]byte) (r powershell.AddRootResult, err error) {
	r.Added = []string{}
	if _, err := reachFarm(s); err != nil {
		return r, err
	}
	for _, wanted := range p.Authorities {
		existing, err := s.SharePoint().GetTrustedRootAuthority()
		if err != nil {
			return r, err
		}
		thumbprint := farm.ThumbprintOf(wanted.Certificate)
		if slices.ContainsFunc(existing, func(a model.RootAuthority) bool { return a.Thumbprint() == thumbprint }) {
			continue
		}
		if slices.ContainsFunc(existing, func(a model.RootAuthority) bool { return strings.EqualFold(a.Name, wanted.Name) }) {
			return r, stopScript("NameTaken", "root authority '%s' already exists with another certificate", wanted.Name)
		}
		authority := model.AuthorityParameters{Name: wanted.Name, Certificate: wanted.Certificate, Confirmed: true}
		if err := s.SharePoint().NewTrustedRootAuthority(authority); err != nil {
			return r, err
		}
		r.Added = append(r.Added, wanted.Name)
	}
	r.Changed = len(r.Added) > 0
	return r, nil
}

func getSharePointServer(s *model.Session, p powershell.GetSharePointServer, _ [][]byte) (r powershell.SharePointServer, err error) {
	if d, err := s.Describe(); err != nil || !d.Elevated {
		r.Machine, err = describe(s)
		return r, err
	}
	if r.Timer, err = serviceRecord(s, model.SPTimerV4); err != nil {
		return r, err
	}
	if r.WebServer, err = serviceRecord(s, model.W3SVC); err != nil {
		return r, err
	}
	if r.Activation, err = serviceRecord(s, model.WAS); err != nil {
		return r, err
	}
	if r.Sites, err = ownSites(s, p.Sites); err != nil {
		return r, err
	}
	if r.LastErrors, err = serviceErrors(s, r.Sites, r.Timer, r.WebServer, r.Activation); err != nil {
		return r, err
	}
	if r.WorkersSince, err = workersSince(s); err != nil {
		return r, err
	}
	r.Machine, err = describe(s)
	return r, err
}
