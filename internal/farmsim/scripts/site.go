package scripts

import (
	"cmp"
	"net/url"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ownResponse is the prelude's Get-OwnResponse.
func ownResponse(s *model.Session, address string) (powershell.Discovery, error) {
	r, err := s.RequestSite(address)
	return powershell.Discovery{URL: address, Status: r.Status, Problem: r.Problem}, err
}

// ownSites is the prelude's Get-OwnSite.
func ownSites(s *model.Session, sites []string) ([]powershell.Discovery, error) {
	responses := []powershell.Discovery{}
	for _, site := range sites {
		response, err := ownResponse(s, site)
		if err != nil {
			return nil, err
		}
		responses = append(responses, response)
	}
	return responses, nil
}

// discoveryURL is the prelude's Get-DiscoveryUrl.
func discoveryURL(s *model.Session, f model.OfficeFarm) (string, error) {
	own, err := s.HostEntry()
	if err != nil {
		return "", err
	}
	address, err := url.Parse(cmp.Or(f.InternalURL, f.ExternalURL, "https://"+own.Name))
	if err != nil {
		return "", err
	}
	if f.AllowHTTP && address.Scheme != "http" {
		address.Scheme, address.Host = "http", address.Hostname()
	}
	address.Path = "/hosting/discovery"
	return address.String(), nil
}
