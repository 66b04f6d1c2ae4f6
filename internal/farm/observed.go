package farm

import "time"

// Observed is what was read from all servers of a farm. Times are on the worker's
// clock unless a field says otherwise, so that those of two servers can be
// compared.
type Observed struct {
	Office     []OfficeServer   `json:"office"`
	SharePoint []SharePointFarm `json:"sharePoint"`
}

// Machine is what is known about any server.
type Machine struct {
	Host string `json:"host"`
	// Name is the computer name as Windows reports it.
	Name   string `json:"name"`
	Domain string `json:"domain"`
	// Forest is the DNS name of the Active Directory forest; empty when it
	// could not be read, which is a warning.
	Forest string `json:"forest"`
	// WindowsBuild is 14393 for Server 2016, 17763 for 2019, 20348 for 2022.
	WindowsBuild int    `json:"windowsBuild"`
	PowerShell   string `json:"powerShell"`
	// Elevated reports whether the account has administrator rights. Without
	// them, nothing but this Machine could be read from the server.
	Elevated bool `json:"elevated"`
	// FIPS reports whether a policy restricts Windows to validated cryptography.
	FIPS bool `json:"fips,omitempty"`
	// Clock is the server's own clock when it was read, and Skew how far it was
	// ahead of the worker's.
	Clock time.Time     `json:"clock"`
	Skew  time.Duration `json:"skew"`
	// PendingReboot reports whether Windows has to be restarted.
	PendingReboot bool `json:"pendingReboot"`
	// ConfigurationMode is the mode of the Local Configuration Manager of Desired
	// State Configuration, such as "ApplyAndAutoCorrect"; empty when there is none.
	ConfigurationMode string `json:"configurationMode,omitempty"`
}

// StoreCertificate is a certificate in a Windows certificate store.
type StoreCertificate struct {
	Thumbprint   Thumbprint `json:"thumbprint"`
	FriendlyName string     `json:"friendlyName"`
	Subject      string     `json:"subject"`
	NotBefore    time.Time  `json:"notBefore"`
	NotAfter     time.Time  `json:"notAfter"`
	HasKey       bool       `json:"hasKey"`
	// Provider is the cryptographic provider of the key. KeyReaders are the
	// security identifiers of the accounts that can read the key file.
	Provider   string   `json:"provider,omitempty"`
	KeyReaders []string `json:"keyReaders,omitempty"`
	// KeySigns reports whether a test signature was verified that was made in
	// the way that Office Online Server signs, by the key's legacy provider;
	// ModernKeySigns the same by CNG, which does not help it.
	KeySigns       bool `json:"keySigns,omitempty"`
	ModernKeySigns bool `json:"modernKeySigns,omitempty"`
	// KeyCreatedAt is when the key came to the server; zero when unknown.
	KeyCreatedAt time.Time `json:"keyCreatedAt,omitzero"`
	// Archived certificates are found only by programs that ask for them: for
	// Office Online Server they are not there.
	Archived bool `json:"archived,omitempty"`
	// Wildcard reports whether it names more than one host by a "*".
	Wildcard bool `json:"wildcard,omitempty"`
	// Uses are, of a certificate with the target's subject, what else on its office
	// server names it by its thumbprint, in words: http.sys, WinRM.
	Uses []string `json:"uses,omitempty"`
	// Seal is a worker's word, in a snapshot's [Snapshot.Previous], that the certificate was
	// in use before a rotation of the farm; empty anywhere else.
	Seal string `json:"seal,omitempty"`
}

// OfficeServer is one machine of an Office Online Server farm.
type OfficeServer struct {
	Machine Machine `json:"machine"`
	// OfficeFarm is the name of its office farm in the configuration: [Office.Name].
	OfficeFarm string `json:"officeFarm,omitempty"`
	// Certificates are those of the Personal store that matter: the target, any
	// that share its friendly name or subject, and those that the farm's settings
	// name.
	Certificates []StoreCertificate `json:"certificates"`
	// Roots are the certificates in Trusted Root that belong to the target or
	// share its friendly name. Intermediates are those of the target's chain that
	// are in the CA store.
	Roots         []StoreCertificate `json:"roots,omitempty"`
	Intermediates []Thumbprint       `json:"intermediates,omitempty"`
	// OrphanedKey reports whether an import of the target that was cut off left its key,
	// which no certificate has.
	OrphanedKey bool `json:"orphanedKey,omitempty"`
	// Joined reports whether the machine is in an Office Online Server farm. While
	// its service is stopped that cannot be read, nor can Settings and Health.
	Joined   bool       `json:"joined"`
	Settings OfficeFarm `json:"settings"`
	// Health is what Get-OfficeWebAppsMachine reports. It is shown, but decides
	// nothing, because many farms are permanently "Unhealthy".
	Health    string    `json:"health"`
	Discovery Discovery `json:"discovery"`
	// Service is WACSM; WebServer and Activation are W3SVC and WAS, without which
	// IIS serves nothing.
	Service    Service `json:"service"`
	WebServer  Service `json:"webServer"`
	Activation Service `json:"activation"`
	// LastErrors are the last errors of the server's event logs, newest first;
	// empty while the three services run and no response is an error of the server.
	LastErrors []string `json:"lastErrors,omitempty"`
	// WorkersStartedAt is when the oldest IIS worker process started; zero when
	// none runs.
	WorkersStartedAt time.Time `json:"workersStartedAt,omitzero"`
	// SettingsChangedAt is when this machine's copy of the farm settings was last
	// written; zero when unknown.
	SettingsChangedAt time.Time `json:"settingsChangedAt,omitzero"`
	// Loaded is what the processes loaded when farmtrust last restarted them,
	// which it notes on the server; nil without a note.
	Loaded *LoadedSettings `json:"loaded,omitempty"`
}

// LoadedSettings is what the processes of an office server loaded when they were
// last restarted by farmtrust.
type LoadedSettings struct {
	// Since is the moment before that restart, and Service when WACSM's process
	// started after it.
	Since   time.Time `json:"since"`
	Service time.Time `json:"service"`
	// S2SCertificateName is the farm's setting then, Thumbprint the certificate
	// that it selected.
	S2SCertificateName              string     `json:"s2sCertificateName"`
	Thumbprint                      Thumbprint `json:"thumbprint"`
	AllowOutboundHTTP               bool       `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool       `json:"allowHttpSecureStoreConnections"`
}

// OfficeFarm is the Office Online Server farm as one of its machines sees it.
type OfficeFarm struct {
	// Master is the computer name of the farm's master.
	Master string `json:"master"`
	// Machines are the computer names of all its machines.
	Machines                        []string `json:"machines,omitempty"`
	S2SCertificateName              string   `json:"s2sCertificateName"`
	CertificateName                 string   `json:"certificateName"`
	AllowOutboundHTTP               bool     `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool     `json:"allowHttpSecureStoreConnections"`
}

// Discovery is the answer that a server itself gives to a request for URL, under
// the name that users' requests have: an office server at /hosting/discovery, a
// SharePoint server at a site.
type Discovery struct {
	URL string `json:"url"`
	// Status is the HTTP status. It is 0 when there was no answer; Problem then
	// says why.
	Status  int    `json:"status"`
	Problem string `json:"problem,omitempty"`
}

// Service is a Windows service.
type Service struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// StartedAt is when its process started; zero when it is not running.
	StartedAt time.Time `json:"startedAt,omitzero"`
}

// SharePointFarm is one SharePoint farm as its front end sees it.
type SharePointFarm struct {
	FrontEnd string `json:"frontEnd"`
	// Version is the build of the farm, such as "16.0.4456.1000".
	Version string `json:"version"`
	// Issuers are all trusted security token issuers with one of the two
	// registered names, or with the same application in it, and any others that
	// have a configured display name.
	Issuers         []TokenIssuer   `json:"issuers"`
	RootAuthorities []RootAuthority `json:"rootAuthorities"`
	Permissions     []AppPermission `json:"permissions"`
	// UserProfileServices counts the User Profile service applications of this
	// farm, UserProfileProxies the proxies to them and to those of other farms.
	// ProxiedSites are the sites whose web application has such a proxy in its
	// proxy group, without which it cannot use the service.
	UserProfileServices int      `json:"userProfileServices"`
	UserProfileProxies  int      `json:"userProfileProxies"`
	ProxiedSites        []string `json:"proxiedSites,omitempty"`
	// AppManagement and SubscriptionSettings count the services that hold app
	// permissions, or the proxies to another farm's.
	AppManagement        int `json:"appManagement"`
	SubscriptionSettings int `json:"subscriptionSettings"`
	// AllowOAuthOverHTTP reports whether tokens are accepted without TLS.
	AllowOAuthOverHTTP bool `json:"allowOAuthOverHttp"`
	// Members are the computer names of the farm's SharePoint servers.
	Members []string           `json:"members"`
	Servers []SharePointServer `json:"servers"`
}

// TokenIssuer is a SharePoint trusted security token issuer.
type TokenIssuer struct {
	Name           string     `json:"name"`
	RegisteredName string     `json:"registeredName"`
	Thumbprint     Thumbprint `json:"thumbprint"`
	TrustBroker    bool       `json:"trustBroker"`
	// Certificate is the certificate in DER form, kept so that a rollback can
	// restore it.
	Certificate []byte `json:"certificate,omitempty"`
	Description string `json:"description,omitempty"`
	// ChangedAt is when farmtrust set the certificate, which it records in the
	// description; zero when another administrator set it.
	ChangedAt time.Time `json:"changedAt,omitzero"`
}

// RootAuthority is a SharePoint trusted root authority.
type RootAuthority struct {
	Name       string     `json:"name"`
	Thumbprint Thumbprint `json:"thumbprint"`
}

// AppPermission is what an app principal may do at the scope of the site
// subscription, seen from one site.
type AppPermission struct {
	Site           string `json:"site"`
	RegisteredName string `json:"registeredName"`
	// Right is "FullControl", "Manage", "Write", "Read" or empty.
	Right   string `json:"right"`
	AppOnly bool   `json:"appOnly"`
}

// SharePointServer is one server of a SharePoint farm.
type SharePointServer struct {
	Machine Machine `json:"machine"`
	// Timer is SPTimerV4, the SharePoint Timer Service; WebServer and Activation
	// are W3SVC and WAS.
	Timer      Service `json:"timer"`
	WebServer  Service `json:"webServer"`
	Activation Service `json:"activation"`
	// Sites are the answers of this very server for each configured site.
	Sites []Discovery `json:"sites,omitempty"`
	// LastErrors are the last errors of the server's event logs, newest first;
	// empty while the three services run and no response is an error of the server.
	LastErrors []string `json:"lastErrors,omitempty"`
	// WorkersStartedAt is when the oldest IIS worker process started; zero when
	// none runs.
	WorkersStartedAt time.Time `json:"workersStartedAt,omitzero"`
}
