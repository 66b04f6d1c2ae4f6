package scripts

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// reachFarm is the prelude's Import-SharePoint and Get-Farm.
func reachFarm(s *model.Session) (model.SharePointFarm, error) {
	version, err := s.SharePointVersion()
	if err != nil {
		return model.SharePointFarm{}, err
	}
	if version == "" {
		return model.SharePointFarm{}, stopScript("NotSharePoint", "SharePoint is not installed on this server")
	}
	found, err := s.SharePoint().GetFarm()
	if refused, ok := errors.AsType[*model.Error](err); ok {
		if elevation := assertElevated(s); elevation != nil {
			return found, elevation
		}
		err = unreachableFarm(s, refused.Message)
	}
	return found, err
}

// sqlAway is the prelude's list of what a failover, a restart or the network
// explains.
var sqlAway = []int{-2, -1, 2, 53, 64, 121, 233, 258, 10053, 10054, 10060, 10061, 11001, 921, 922, 927, 952, 976, 978, 983, 988, 6005, 17142, 17187, 18401, 18461, 40613}

// unreachableFarm is the prelude's Stop-UnreachableFarm.
func unreachableFarm(s *model.Session, because string) error {
	const closed, loginFailed, loginUntrusted = 4060, 18456, 18452
	database, err := s.OpenConfigurationDatabase()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s SQL Server's error %d: %s", because, database.Number, database.Message)
	switch {
	case database.Number == 0 && database.Message == "":
		return stopScript("FarmUnreachable", "SQL Server opens the configuration database, yet the SharePoint farm cannot be reached: %s", because)
	case slices.Contains(sqlAway, database.Number):
		return stopScript("SqlUnavailable", "%s", text)
	case database.Number == closed:
		return closedDatabase(database.State, text)
	case strings.Contains(strings.ToLower(database.Message), strings.ToLower(s.Account())):
		return stopScript("NoFarmAccess", "%s", text)
	case database.Number == loginFailed || database.Number == loginUntrusted:
		return stopScript("SecondHop", "%s is not who reaches SQL Server. %s", s.Account(), text)
	}
	return stopScript("FarmUnreachable", "%s", text)
}

// closedDatabase is the prelude's Stop-ClosedDatabase.
func closedDatabase(state int, text string) error {
	switch {
	case state < 0:
		return stopScript("FarmUnreachable", "%s", text)
	case state == 0:
		return stopScript("NoFarmAccess", "%s", text)
	}
	return stopScript("SqlUnavailable", "%s (the database is in state %d)", text, state)
}

// addSites adds what the script reads of each site.
func addSites(s *model.Session, p powershell.GetSharePointFarm, r *powershell.SharePointFarm) error {
	r.Permissions, r.ProxiedSites = []powershell.AppPermission{}, []string{}
	for _, url := range p.Sites {
		site, err := s.SharePoint().GetSite(model.SiteParameters{Identity: url})
		if err != nil {
			return err
		}
		profiles := slices.ContainsFunc(site.Proxies, func(p model.ServiceProxy) bool { return p.Kind == model.UserProfile })
		if profiles && !slices.Contains(r.ProxiedSites, url) {
			r.ProxiedSites = append(r.ProxiedSites, url)
		}
		for _, name := range p.RegisteredNames {
			has, err := s.SharePoint().AppPermission(url, name)
			if err != nil {
				return err
			}
			r.Permissions = append(r.Permissions, powershell.AppPermission{
				Site: url, RegisteredName: name, Right: has.Right, AppOnly: has.AppOnly,
			})
		}
	}
	return nil
}

// countServices adds the services of the farm, and what its token service allows.
func countServices(s *model.Session, r *powershell.SharePointFarm) error {
	services, err := s.SharePoint().GetServiceApplication()
	if err != nil {
		return err
	}
	proxies, err := s.SharePoint().GetServiceApplicationProxy()
	if err != nil {
		return err
	}
	applications, connected := map[model.ServiceKind]int{}, map[model.ServiceKind]int{}
	for _, service := range services {
		applications[service.Kind]++
	}
	for _, proxy := range proxies {
		connected[proxy.Kind]++
	}
	r.UserProfileServices, r.UserProfileProxies = applications[model.UserProfile], connected[model.UserProfile]
	r.AppManagement = applications[model.AppManagement] + connected[model.AppManagement]
	r.SubscriptionSettings = applications[model.SubscriptionSettings] + connected[model.SubscriptionSettings]
	config, err := s.SharePoint().GetSecurityTokenServiceConfig()
	r.AllowOAuthOverHTTP = config.AllowOAuthOverHTTP
	return err
}
