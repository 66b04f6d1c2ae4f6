package pwsh

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// object is an object of a product: its type, under "$type", and properties.
type object = map[string]any

// newObject begins an object.
func newObject(name string, properties object) object {
	properties["$type"] = name
	return properties
}

// dateTime is a time for PowerShell, which counts in units of 100 ns; none for
// zero.
func dateTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return newObject("DateTime", object{"Value": t.UTC().Format("2006-01-02T15:04:05.0000000Z")})
}

// publicCertificate is a certificate as products show it.
func publicCertificate(der []byte) any {
	if len(der) == 0 {
		return nil
	}
	return storedCertificate(model.Certificate{DER: der})
}

// storedCertificate is a certificate as its store shows it.
func storedCertificate(c model.Certificate) object {
	file := ""
	if c.Key != nil {
		file = c.Key.File
	}
	return newObject("X509Certificate2", object{
		"Der": c.DER, "FriendlyName": c.FriendlyName, "HasPrivateKey": c.Key != nil, "KeyFile": file,
		"Archived": c.Archived,
	})
}

// certificate is a certificate among the parameters.
type certificate struct {
	Type          string `json:"$type"`
	Der           []byte
	FriendlyName  string
	HasPrivateKey bool
	Archived      bool
	KeyFile       string
}

// toStore is the certificate for a store.
func (c certificate) toStore() model.Certificate {
	to := model.Certificate{DER: c.Der, FriendlyName: c.FriendlyName, Archived: c.Archived}
	if c.KeyFile != "" {
		to.Key = &model.Key{File: c.KeyFile}
	}
	return to
}

// argument is what was given to a parameter whose type is the product's: text,
// or an object of a type.
type argument struct {
	text     string
	isText   bool
	kind     string
	property map[string]string
	raw      json.RawMessage
}

func (a *argument) UnmarshalJSON(raw []byte) error {
	a.raw = append(json.RawMessage{}, raw...)
	if a.isText = json.Unmarshal(raw, &a.text) == nil; a.isText {
		return nil
	}
	var properties map[string]any
	if json.Unmarshal(raw, &properties) != nil {
		return nil // Something that no parameter of a product takes.
	}
	a.property = map[string]string{}
	for name, value := range properties {
		if text, ok := value.(string); ok {
			a.property[name] = text
		}
	}
	a.kind = a.property["$type"]
	return nil
}

// pipeBind is what a product's parameter accepts: objects of a type, known by
// one of their properties, and perhaps text that says the same.
type pipeBind struct {
	kind, property string
	text           bool
}

// The types of the products' objects, by which pipe binds know them.
const (
	issuerType    = "Microsoft.SharePoint.Administration.Claims.SPTrustedSecurityTokenService"
	authorityType = "Microsoft.SharePoint.Administration.SPTrustedRootAuthority"
	siteType      = "Microsoft.SharePoint.SPSite"
	webType       = "Microsoft.SharePoint.SPWeb"
	principalType = "Microsoft.SharePoint.SPAppPrincipal"
	serverType    = "Microsoft.SharePoint.Administration.SPServer"
	tokenType     = "Microsoft.SharePoint.Administration.Claims.SPSecurityTokenServiceManager"
	webAppType    = "Microsoft.SharePoint.Administration.SPWebApplication"
	groupType     = "Microsoft.SharePoint.Administration.SPServiceApplicationProxyGroup"

	officeFarmType    = "Microsoft.Office.Web.Apps.Administration.OfficeWebAppsFarm"
	officeMachineType = "Microsoft.Office.Web.Apps.Administration.OfficeWebAppsMachine"
)

// pipeBindOf is what is known that a parameter of an operation takes. Nothing
// shows the parameter of a web taking an SPSite.
func pipeBindOf(operation, parameter string) (pipeBind, bool) {
	switch parameter {
	case "Identity":
		for noun, bind := range map[string]pipeBind{
			"TrustedSecurityTokenIssuer": {kind: issuerType, property: "Name", text: true},
			"TrustedRootAuthority":       {kind: authorityType, property: "Name", text: true},
			"Site":                       {kind: siteType, property: "Url", text: true},
			"Server":                     {kind: serverType, property: "Name", text: true},
		} {
			if strings.HasSuffix(operation, noun) {
				return bind, true
			}
		}
	case "Site":
		return pipeBind{kind: webType, property: "Url", text: true}, true
	case "AppPrincipal":
		return pipeBind{kind: principalType, property: "NameIdentifier"}, true
	case "Scope", "Right":
		return pipeBind{text: true}, true
	}
	return pipeBind{}, false
}

// bindName returns what an argument names, or the error of a parameter that does
// not bind.
func (b pipeBind) bindName(cmdlet, parameter string, a argument) (string, error) {
	switch {
	case a.isText && b.text:
		return a.text, nil
	case !a.isText && b.kind != "" && a.kind == b.kind:
		return a.property[b.property], nil
	}
	return "", model.CannotBind(cmdlet, parameter)
}

// certificateIn returns a certificate that was given to a product's cmdlet, as
// an object.
func certificateIn(cmdlet string, a argument) (certificate, error) {
	var c certificate
	if a.kind != "X509Certificate2" {
		return c, model.CannotBind(cmdlet, "Certificate")
	}
	return c, decodeStrict(a.raw, &c)
}

// showObject is what a cmdlet returns, as the object that it has in PowerShell.
func showObject(value any) any {
	switch v := value.(type) {
	case model.TokenIssuer:
		return newObject(issuerType, object{
			"Name": v.Name, "RegisteredIssuerName": v.RegisteredIssuerName, "NameId": v.RegisteredIssuerName,
			"Description": v.Description, "IsSelfIssuer": !v.TrustBroker, "SigningCertificate": publicCertificate(v.Certificate),
		})
	case model.RootAuthority:
		return newObject(authorityType, object{"Name": v.Name, "Certificate": publicCertificate(v.Certificate)})
	case model.Site:
		group := newObject(groupType, object{"Proxies": showObject(v.Proxies)})
		return newObject(siteType, object{
			"Url": v.URL, "RootWeb": newObject(webType, object{"Url": v.URL}),
			"WebApplication": newObject(webAppType, object{"ServiceApplicationProxyGroup": group}),
		})
	case model.AppPrincipal:
		return newObject(principalType, object{"NameIdentifier": v.NameIdentifier})
	case model.SharePointFarm:
		return newObject("Microsoft.SharePoint.Administration.SPFarm", object{"BuildVersion": versionOf(v.Version)})
	case model.SharePointServer:
		return newObject(serverType, object{"Name": v.Name, "Role": v.Role})
	case model.ServiceApplication:
		return newObject(serviceType(v.Kind), object{"Name": v.Name})
	case model.ServiceProxy:
		return newObject(serviceType(v.Kind)+"Proxy", object{"Name": v.Name})
	case model.TokenServiceConfig:
		return newObject(tokenType, object{"AllowOAuthOverHttp": v.AllowOAuthOverHTTP})
	case model.OfficeFarm:
		return showOfficeFarm(v)
	case model.OfficeMachine:
		return newObject(officeMachineType, object{
			"MachineName": v.MachineName, "MasterMachineName": v.MasterMachineName, "HealthStatus": v.HealthStatus,
		})
	}
	list := reflect.ValueOf(value) // All else that cmdlets return are lists of these.
	shown := make([]object, list.Len())
	for i := range shown {
		shown[i], _ = showObject(list.Index(i).Interface()).(object)
	}
	return shown
}

// serviceType is the type of a kind of service application.
func serviceType(kind model.ServiceKind) string {
	return map[model.ServiceKind]string{
		model.UserProfile:          "Microsoft.Office.Server.Administration.UserProfileApplication",
		model.AppManagement:        "Microsoft.SharePoint.AppManagement.AppManagementServiceApplication",
		model.SubscriptionSettings: "Microsoft.SharePoint.SPSubscriptionSettingsServiceApplication",
	}[kind]
}

func showOfficeFarm(f model.OfficeFarm) object {
	machines := []object{}
	for _, name := range f.Machines {
		machines = append(machines, newObject(officeMachineType, object{"MachineName": name}))
	}
	return newObject(officeFarmType, object{
		"InternalURL": f.InternalURL, "ExternalURL": f.ExternalURL,
		"AllowHTTP": f.AllowHTTP, "AllowOutboundHttp": f.AllowOutboundHTTP, "SSLOffloaded": false,
		"CertificateName": f.CertificateName, "S2SCertificateName": f.S2SCertificateName,
		"AllowHttpSecureStoreConnections": f.AllowHTTPSecureStoreConnections, "Machines": machines,
	})
}

func versionOf(version string) any {
	if version == "" {
		return nil
	}
	return newObject("Version", object{"Value": version})
}
