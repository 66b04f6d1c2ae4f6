package farmsim

import (
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// version is a version of SharePoint: its build, and a Windows it runs on.
type version struct {
	build   string
	windows int
}

// The builds are those that the recorded interfaces are of.
var versions = map[string]version{
	"2016": {"16.0.4456.1000", 14393},
	"2019": {"16.0.10337.12109", 17763},
	"SE":   {"16.0.18526.20508", 20348},
}

const domain = "contoso.com"

// account is the name that clients log on with.
const account = "svc-farmtrust"

// userName is the account as a client writes it: a domain account, or a local one
// where only those are taken.
func (f *Farm) userName(auth model.Auth) string {
	if auth == model.Basic {
		return account
	}
	return `CONTOSO\` + account
}

func (f *Farm) buildWorld() error {
	offices := append([]OtherOffice{{Name: "oos", Servers: f.options.OfficeServers}}, f.options.OtherOffices...)
	for _, office := range offices {
		for i, host := range office.hosts() {
			build := f.options.OfficeBuilds[i%len(f.options.OfficeBuilds)]
			if err := f.addServer(host, build, f.options.Auth); err != nil {
				return err
			}
		}
	}
	for _, sp := range f.sharePoints() {
		for _, host := range sp.Servers {
			if err := f.addServer(host, versions[f.options.SharePoint].windows, model.NTLM); err != nil {
				return err
			}
		}
	}
	settings, trusted, err := f.trustedSoFar(offices)
	if err != nil {
		return err
	}
	for _, office := range offices {
		if err := f.World.NewOfficeFarm(office.settings(settings), office.hosts()...); err != nil {
			return err
		}
	}
	for _, sp := range f.sharePoints() {
		sp.Issuers, sp.Authorities, sp.Permissions = trusted.Issuers, trusted.Authorities, trusted.Permissions
		if err := f.World.NewSharePointFarm(sp, f.authority.root.Raw); err != nil {
			return err
		}
		if f.options.RunAs == farm.Task {
			if err := f.InstallSharePointTask(sp.Servers[0], powershell.TaskScript()); err != nil {
				return err
			}
		}
	}
	return nil
}

// hosts lists the servers of an office farm.
func (o OtherOffice) hosts() []string {
	var hosts []string
	for i := range max(o.Servers, 1) {
		hosts = append(hosts, fmt.Sprintf("%s-%02d.%s", o.Name, i+1, domain))
	}
	return hosts
}

// settings are the given ones, or none where it is not set up.
func (o OtherOffice) settings(trusted model.OfficeSettings) model.OfficeSettings {
	if o.NotSetUp {
		return model.OfficeSettings{}
	}
	return trusted
}

// InstallSharePointTask installs the task that runs SharePoint cmdlets on a
// front end, with the text of its script.
func (f *Farm) InstallSharePointTask(host, script string) error {
	session, err := f.World.LogOn(host, model.Logon{User: account, Auth: model.NTLM})
	if err != nil {
		return err
	}
	return scripts.InstallTask(session, `CONTOSO\farmtrust-sp$`, script)
}

func (f *Farm) addServer(host string, build int, auth model.Auth) error {
	f.servers = append(f.servers, &server{farm: f, host: host, auth: auth})
	return f.World.AddMachine(model.MachineSpec{Host: host, Build: build, Skew: f.options.Skew[host], FIPS: f.options.Shells[host].FIPS})
}

// sharePoints describes the SharePoint farms; their servers are numbered on.
func (f *Farm) sharePoints() []model.SharePointSpec {
	specs := make([]model.SharePointSpec, f.options.SharePointFarms)
	number := 0
	for i := range specs {
		site := "https://portal." + domain
		if i > 0 {
			site = fmt.Sprintf("https://portal-%d.%s", i+1, domain)
		}
		specs[i] = model.SharePointSpec{
			Name: fmt.Sprintf("SharePoint %d", i+1), Version: versions[f.options.SharePoint].build,
			Sites: []string{site}, UserProfileServices: 1, RemoteSQL: f.options.RemoteSQL,
		}
		for range f.options.SharePointServers {
			number++
			specs[i].Servers = append(specs[i].Servers, fmt.Sprintf("sp-%02d.%s", number, domain))
		}
	}
	return specs
}

// trustedSoFar sets up what a farm holds that already trusts a certificate,
// as an administrator would have done it by hand.
func (f *Farm) trustedSoFar(offices []OtherOffice) (settings model.OfficeSettings, trusted model.SharePointSpec, err error) {
	if !f.options.Trusting {
		return settings, trusted, nil
	}
	const tenDays, friendlyName = 10 * 24 * time.Hour, "OOS S2S old"
	old, err := f.oldGeneration(tenDays)
	if err != nil {
		return settings, trusted, err
	}
	for _, office := range offices {
		if office.NotSetUp {
			continue
		}
		for _, host := range office.hosts() {
			if err := f.installByHand(host, old, friendlyName); err != nil {
				return settings, trusted, fmt.Errorf("install the old certificate on %s: %w", host, err)
			}
		}
	}
	settings.S2SCertificateName = friendlyName
	trusted.Permissions = map[string]model.AppPermission{}
	for _, issuer := range farm.Issuers() {
		trusted.Issuers = append(trusted.Issuers, model.TokenIssuer{
			Name: "Old " + issuer.Product, RegisteredIssuerName: issuer.RegisteredName, Certificate: old.cert.Raw,
		})
		trusted.Permissions[issuer.RegisteredName] = model.AppPermission{Right: model.FullControl, AppOnly: true}
	}
	for _, c := range old.chain {
		trusted.Authorities = append(trusted.Authorities, model.RootAuthority{Name: "Old " + c.Subject.CommonName, Certificate: c.Raw})
	}
	if f.options.SelfSigned {
		trusted.Authorities = []model.RootAuthority{{Name: "Old OOS", Certificate: old.cert.Raw}}
	}
	return settings, trusted, nil
}

// installByHand imports a generation as the procedure says.
func (f *Farm) installByHand(host string, g generation, friendlyName string) error {
	session, err := f.World.LogOn(host, model.Logon{User: account, Auth: model.NTLM})
	if err != nil {
		return err
	}
	const password = "by hand"
	pfx, err := g.legacyPFX(password)
	if err != nil {
		return err
	}
	flags := model.ImportFlags{MachineKeySet: true, PersistKeySet: true}
	if _, err := session.ImportPFX(model.StoreAdd, pfx, []byte(password), flags); err != nil {
		return err
	}
	if err := session.SetFriendlyName(model.My, g.thumbprint(), friendlyName); err != nil {
		return err
	}
	if _, err := session.GrantKey(g.thumbprint(), farm.NetworkService); err != nil {
		return err
	}
	for _, c := range g.chain {
		if _, err := session.AddToStore(model.CA, c.Raw); err != nil {
			return err
		}
	}
	if f.options.SelfSigned {
		_, err = session.AddToStore(model.Root, g.cert.Raw)
	}
	return err
}
