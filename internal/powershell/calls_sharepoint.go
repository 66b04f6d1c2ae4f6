package powershell

import "time"

// GetSharePointFarm observes a SharePoint farm from its front end.
type GetSharePointFarm struct {
	// Sites are the site collections whose app permissions are read.
	Sites []string
	// RegisteredNames are the issuers looked for, Names the display names
	// that would be used to create them.
	RegisteredNames []string
	Names           []string
}

// Script implements [Params].
func (GetSharePointFarm) Script() string { return "Get-SharePointFarm" }

// Answer implements [Params].
func (GetSharePointFarm) Answer() (r SharePointFarm) { return r }

// SharePointFarm is the result of [GetSharePointFarm].
type SharePointFarm struct {
	Machine             Machine         `json:"machine"`
	Version             string          `json:"version"`
	Issuers             []TokenIssuer   `json:"issuers"`
	RootAuthorities     []RootAuthority `json:"rootAuthorities"`
	Permissions         []AppPermission `json:"permissions"`
	UserProfileServices int             `json:"userProfileServices"`
	Members             []string        `json:"members"`
}

// TokenIssuer is a trusted security token issuer.
type TokenIssuer struct {
	Name           string `json:"name"`
	RegisteredName string `json:"registeredName"`
	Thumbprint     string `json:"thumbprint"`
	Certificate    []byte `json:"certificate"`
	TrustBroker    bool   `json:"trustBroker"`
	Description    string `json:"description"`
	// Since is the time in the description's mark "[farmtrust <time>]",
	// written by [SetTrustedIssuer]; nil without one.
	Since *time.Time `json:"since"`
}

// RootAuthority is a trusted root authority.
type RootAuthority struct {
	Name       string `json:"name"`
	Thumbprint string `json:"thumbprint"`
}

// AppPermission is what an app principal may do at the scope of the site
// subscription, seen from a site.
type AppPermission struct {
	Site           string `json:"site"`
	RegisteredName string `json:"registeredName"`
	// Right is "FullControl", "Manage", "Write", "Read" or empty.
	Right   string `json:"right"`
	AppOnly bool   `json:"appOnly"`
}

// SetTrustedIssuer registers one trusted token issuer, or updates it in place
// wherever it is found by its registered name, and gives its app principal
// full control at the site subscription, on the root web of each site.
type SetTrustedIssuer struct {
	// Name is used only when the issuer is created.
	Name string
	// RegisteredName is the registered issuer name, lower case.
	RegisteredName string
	// Certificate is DER, base64 in transit.
	Certificate []byte
	Sites       []string
}

// Script implements [Params].
func (SetTrustedIssuer) Script() string { return "Set-TrustedIssuer" }

// Answer implements [Params].
func (SetTrustedIssuer) Answer() (r SetIssuerResult) { return r }

// SetIssuerResult is the result of [SetTrustedIssuer].
type SetIssuerResult struct {
	Changed bool `json:"changed"`
	// Created says that the issuer did not exist; Updated that its
	// certificate was replaced; Granted lists the sites whose permission was given.
	Created bool     `json:"created"`
	Updated bool     `json:"updated"`
	Granted []string `json:"granted"`
	Name    string   `json:"name"`
}

// AddRootAuthority adds certificates to SharePoint's trusted root authorities
// where no authority holds them yet.
type AddRootAuthority struct {
	Authorities []RootAuthorityCertificate
}

// RootAuthorityCertificate is a certificate to trust; Name is used when created.
type RootAuthorityCertificate struct {
	Name        string
	Certificate []byte
}

// Script implements [Params].
func (AddRootAuthority) Script() string { return "Add-RootAuthority" }

// Answer implements [Params].
func (AddRootAuthority) Answer() (r AddRootResult) { return r }

// AddRootResult is the result of [AddRootAuthority]; Added are the names created.
type AddRootResult struct {
	Changed bool     `json:"changed"`
	Added   []string `json:"added"`
}

// GetSharePointServer observes one SharePoint server. It uses no SharePoint
// cmdlet and so needs no second hop.
type GetSharePointServer struct{}

// Script implements [Params].
func (GetSharePointServer) Script() string { return "Get-SharePointServer" }

// Answer implements [Params].
func (GetSharePointServer) Answer() (r SharePointServer) { return r }

// SharePointServer is the result of [GetSharePointServer].
type SharePointServer struct {
	Machine      Machine    `json:"machine"`
	Timer        Service    `json:"timer"`
	WorkersSince *time.Time `json:"workersSince"`
}

// RestartSharePointServer runs iisreset and restarts SPTimerV4, each only if
// it started before NotBefore (on the server's own clock).
type RestartSharePointServer struct {
	NotBefore time.Time
}

// Script implements [Params].
func (RestartSharePointServer) Script() string { return "Restart-SharePointServer" }

// Answer implements [Params].
func (RestartSharePointServer) Answer() (r RestartResult) { return r }
