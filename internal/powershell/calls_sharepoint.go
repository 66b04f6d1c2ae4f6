package powershell

import "time"

// GetSharePointFarm observes a SharePoint farm from its front end.
type GetSharePointFarm struct {
	// Sites are the site collections whose app permissions are read.
	Sites []string
	// RegisteredNames are the issuers to return, in lower case, with all others of
	// the same application, the part before the @. Names are the display names
	// that a new issuer would get; an issuer that already has one is returned too.
	RegisteredNames []string
	Names           []string
	// Thumbprints are certificates: every issuer that holds one is returned.
	Thumbprints []string
}

// SharePointFarm is the result of [GetSharePointFarm].
type SharePointFarm struct {
	Machine         Machine         `json:"machine"`
	Version         string          `json:"version"`
	Issuers         []TokenIssuer   `json:"issuers"`
	RootAuthorities []RootAuthority `json:"rootAuthorities"`
	Permissions     []AppPermission `json:"permissions"`
	// UserProfileServices counts the User Profile service applications of this
	// farm, UserProfileProxies the proxies to them and to those of other farms.
	UserProfileServices int `json:"userProfileServices"`
	UserProfileProxies  int `json:"userProfileProxies"`
	// ProxiedSites are the sites whose web application has a User Profile
	// service proxy in its proxy group.
	ProxiedSites []string `json:"proxiedSites"`
	// AppManagement and SubscriptionSettings count the service applications, or
	// their proxies, of the two kinds that hold app permissions.
	AppManagement        int      `json:"appManagement"`
	SubscriptionSettings int      `json:"subscriptionSettings"`
	AllowOAuthOverHTTP   bool     `json:"allowOAuthOverHttp"`
	Members              []string `json:"members"`
}

// TokenIssuer is a trusted security token issuer.
type TokenIssuer struct {
	Name           string `json:"name"`
	RegisteredName string `json:"registeredName"`
	Thumbprint     string `json:"thumbprint"`
	Certificate    []byte `json:"certificate"`
	TrustBroker    bool   `json:"trustBroker"`
	Description    string `json:"description"`
	// Since is when [SetTrustedIssuer] last set the certificate, read from the
	// mark "[farmtrust <time>]" in the description; nil without one.
	Since *time.Time `json:"since"`
}

// RootAuthority is a trusted root authority.
type RootAuthority struct {
	Name       string `json:"name"`
	Thumbprint string `json:"thumbprint"`
}

// AppPermission is the right of an app principal at the scope of the site
// subscription, as read on a site.
type AppPermission struct {
	Site           string `json:"site"`
	RegisteredName string `json:"registeredName"`
	// Right is "FullControl", "Manage", "Write", "Read" or empty.
	Right   string `json:"right"`
	AppOnly bool   `json:"appOnly"`
}

// SetTrustedIssuer registers a trusted token issuer, or updates the one that
// has the registered name, and grants its app principal full control at the
// scope of the site subscription, on the root web of each site.
type SetTrustedIssuer struct {
	// Name is used only when the issuer is created.
	Name string
	// RegisteredName is the registered issuer name, lower case.
	RegisteredName string
	// Certificate is DER, base64 in transit.
	Certificate []byte
	Sites       []string
}

// SetIssuerResult is the result of [SetTrustedIssuer].
type SetIssuerResult struct {
	Changed bool `json:"changed"`
	// Created reports whether the issuer is new, Updated whether its
	// certificate was replaced. Granted lists the sites on which the permission
	// was granted.
	Created bool     `json:"created"`
	Updated bool     `json:"updated"`
	Granted []string `json:"granted"`
	Name    string   `json:"name"`
}

// AddRootAuthority adds certificates to SharePoint's trusted root authorities
// unless one of these already holds them, under whatever name.
type AddRootAuthority struct {
	Authorities []RootAuthorityCertificate
}

// RootAuthorityCertificate is a certificate to trust, as DER. Name is that of
// the new root authority.
type RootAuthorityCertificate struct {
	Name        string
	Certificate []byte
}

// AddRootResult is the result of [AddRootAuthority]. Added are the names of the
// new root authorities.
type AddRootResult struct {
	Changed bool     `json:"changed"`
	Added   []string `json:"added"`
}

// GetSharePointServer observes one SharePoint server. It uses no SharePoint
// cmdlet and so needs no second hop.
type GetSharePointServer struct {
	// Sites are the site collections that are asked for on this very server.
	Sites []string
}

// SharePointServer is the result of [GetSharePointServer].
type SharePointServer struct {
	Machine Machine `json:"machine"`
	// Timer is SPTimerV4; WebServer and Activation are W3SVC and WAS.
	Timer        Service    `json:"timer"`
	WebServer    Service    `json:"webServer"`
	Activation   Service    `json:"activation"`
	WorkersSince *time.Time `json:"workersSince"`
	// Sites are the responses, in the order of the parameter.
	Sites []Discovery `json:"sites"`
	// LastErrors are the last errors of the event logs, newest first; empty
	// while all three services run and no response is an error of the server.
	LastErrors []string `json:"lastErrors"`
}

// RestartSharePointServer runs iisreset and restarts SPTimerV4, each only if
// it started before NotBefore (on the server's own clock).
type RestartSharePointServer struct {
	NotBefore time.Time
}
