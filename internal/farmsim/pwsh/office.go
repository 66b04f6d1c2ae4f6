package pwsh

import "github.com/farmtrust/farmtrust/internal/farmsim/model"

// officeOperations are behind the module OfficeWebApps.
func officeOperations() map[string]operation {
	return map[string]operation{
		"Get-OfficeWebAppsFarm":    tell(getOfficeWebAppsFarm),
		"Get-OfficeWebAppsMachine": tell(getOfficeWebAppsMachine),
		"Set-OfficeWebAppsFarm":    on(setOfficeWebAppsFarm),
	}
}

func getOfficeWebAppsFarm(s *model.Session) (any, error) {
	f, err := s.Office().GetOfficeWebAppsFarm()
	if err != nil {
		return nil, err
	}
	machines := []object{}
	for _, name := range f.Machines {
		machines = append(machines, typed("Microsoft.Office.Web.Apps.Administration.OfficeWebAppsMachine", object{"MachineName": name}))
	}
	return typed("Microsoft.Office.Web.Apps.Administration.OfficeWebAppsFarm", object{
		"AllowHTTP": f.AllowHTTP, "AllowOutboundHttp": f.AllowOutboundHTTP, "SSLOffloaded": false,
		"CertificateName": f.CertificateName, "S2SCertificateName": f.S2SCertificateName,
		"AllowHttpSecureStoreConnections": f.AllowHTTPSecureStoreConnections, "Machines": machines,
	}), nil
}

func getOfficeWebAppsMachine(s *model.Session) (any, error) {
	m, err := s.Office().GetOfficeWebAppsMachine()
	if err != nil {
		return nil, err
	}
	return typed("Microsoft.Office.Web.Apps.Administration.OfficeWebAppsMachine", object{
		"MachineName": m.MachineName, "MasterMachineName": m.MasterMachineName, "HealthStatus": m.HealthStatus,
	}), nil
}

func setOfficeWebAppsFarm(s *model.Session, p struct {
	S2SCertificateName              *string
	AllowOutboundHTTP               *bool `json:"AllowOutboundHttp"`
	AllowHTTPSecureStoreConnections *bool `json:"AllowHttpSecureStoreConnections"`
	Force                           bool
},
) (any, error) {
	return nil, s.Office().SetOfficeWebAppsFarm(model.SetFarm(p))
}
