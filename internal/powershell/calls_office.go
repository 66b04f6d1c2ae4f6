package powershell

import "time"

// Machine is the server itself, as every observing script returns it.
type Machine struct {
	Name              string    `json:"name"`
	Domain            string    `json:"domain"`
	Forest            string    `json:"forest"`
	WindowsBuild      int       `json:"windowsBuild"`
	PowerShell        string    `json:"powerShell"`
	Elevated          bool      `json:"elevated"`
	FIPS              bool      `json:"fips"`
	Clock             time.Time `json:"clock"`
	PendingReboot     bool      `json:"pendingReboot"`
	ConfigurationMode string    `json:"configurationMode"`
}

// Certificate is a certificate in a store, and its key where it has one.
type Certificate struct {
	Thumbprint   string    `json:"thumbprint"`
	FriendlyName string    `json:"friendlyName"`
	Subject      string    `json:"subject"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	HasKey       bool      `json:"hasKey"`
	// Archived certificates are found only by programs that ask for them.
	Archived bool `json:"archived"`
	// Wildcard reports whether the subject or an alternative name has a "*".
	Wildcard   bool     `json:"wildcard"`
	Provider   string   `json:"provider"`
	KeyReaders []string `json:"keyReaders"`
	// KeySince is when the key file was created, nil when that is unknown.
	KeySince *time.Time `json:"keySince"`
	// KeySigns reports whether a test signature verified that was made in the
	// way that Office Online Server signs, by the key's legacy provider;
	// ModernKeySigns the same by CNG.
	KeySigns       bool `json:"keySigns"`
	ModernKeySigns bool `json:"modernKeySigns"`
	// Uses are, of an office server's certificate that shares the target's subject,
	// what names it apart from the farm; see [CertificateUse].
	Uses []string `json:"uses"`
}

// Service is a Windows service. Since is when its process started, nil when
// none runs.
type Service struct {
	Name    string     `json:"name"`
	Running bool       `json:"running"`
	Since   *time.Time `json:"since"`
}

// GetOfficeServer observes an office server. It returns the certificates with
// the thumbprint, friendly name or subject given here, and those that the
// farm's settings name.
type GetOfficeServer struct {
	// Thumbprint, FriendlyName and Subject of the target, empty while none is
	// known.
	Thumbprint   string
	FriendlyName string
	Subject      string
	// Chain holds the thumbprints of the target's issuers.
	Chain []string
	// Previous is the thumbprint of the certificate that a rollback would
	// restore, empty for none. It is returned, archived or not, and must sign.
	Previous string
}

// OfficeServer is the result of [GetOfficeServer].
type OfficeServer struct {
	Machine       Machine       `json:"machine"`
	Certificates  []Certificate `json:"certificates"`
	Roots         []Certificate `json:"roots"`
	Intermediates []string      `json:"intermediates"`
	// OrphanedKey reports whether an import of the target that was cut off left its key.
	OrphanedKey bool   `json:"orphanedKey"`
	Joined      bool   `json:"joined"`
	Master      string `json:"master"`
	// Machines are the farm's members; only the master reports them, since
	// every member has the same list.
	Machines                        []string  `json:"machines"`
	Health                          string    `json:"health"`
	S2SCertificateName              string    `json:"s2sCertificateName"`
	CertificateName                 string    `json:"certificateName"`
	AllowOutboundHTTP               bool      `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool      `json:"allowHttpSecureStoreConnections"`
	Discovery                       Discovery `json:"discovery"`
	// Service is WACSM; WebServer and Activation are W3SVC and WAS, without
	// which IIS serves nothing.
	Service      Service    `json:"service"`
	WebServer    Service    `json:"webServer"`
	Activation   Service    `json:"activation"`
	WorkersSince *time.Time `json:"workersSince"`
	// SettingsSince is when settings.xml of the farm state was last written.
	SettingsSince *time.Time `json:"settingsSince"`
	// Loaded is the note of farmtrust's last restart, nil without one.
	Loaded *LoadedSettings `json:"loaded"`
	// LastErrors are the last errors of the event logs, newest first, each in
	// one line; empty while all three services run and the response is no error of
	// the server.
	LastErrors []string `json:"lastErrors"`
}

// LoadedSettings is what the processes of an office server loaded when
// farmtrust last restarted them.
type LoadedSettings struct {
	// Since is the moment before the restart, and Service when WACSM's process
	// started; both on the server's clock.
	Since   time.Time `json:"since"`
	Service time.Time `json:"service"`
	// S2SCertificateName is the farm's setting, Thumbprint the certificate that
	// it selected; both empty when there was none.
	S2SCertificateName              string `json:"s2sCertificateName"`
	Thumbprint                      string `json:"thumbprint"`
	AllowOutboundHTTP               bool   `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool   `json:"allowHttpSecureStoreConnections"`
}

// Discovery is the response of the server itself to a request for URL, which
// has the name that users' requests have: the farm's, or the site's. The
// connection goes to this server, whatever that name resolves to. Without a
// response Status is 0 and Problem the name of a WebExceptionStatus.
type Discovery struct {
	URL     string `json:"url"`
	Status  int    `json:"status"`
	Problem string `json:"problem"`
}

// ImportS2SCertificate imports a certificate with its key on an office server.
type ImportS2SCertificate struct {
	Thumbprint   string
	FriendlyName string
	// Provider is the cryptographic provider that the PFX names. The script
	// checks that it holds the key after the import.
	Provider   string
	Exportable bool
	// SelfSigned also adds the public part to Trusted Root.
	SelfSigned bool
	// Archived imports it archived, so that nothing finds it until the cutover.
	Archived bool
	// Intermediates are DER certificates, base64, for the CA store.
	Intermediates []string
	// PFX and Password travel outside the parameters.
	PFX      []byte `json:"-"`
	Password []byte `json:"-"`
}

// Secrets implements [SecretCarrier]: the PFX, then its password.
func (p ImportS2SCertificate) Secrets() [][]byte { return [][]byte{p.PFX, p.Password} }

// ImportResult is the result of [ImportS2SCertificate].
type ImportResult struct {
	Changed bool `json:"changed"`
	// Added names the stores that a certificate was added to: "My", "CA", "Root".
	Added       []string    `json:"added"`
	Certificate Certificate `json:"certificate"`
	// Container is the name that Windows gave to the container of the key, and empty
	// where the key was there already.
	Container string `json:"container"`
	// KeptKey says why the key of an earlier import that was cut off is still there,
	// empty where there is none.
	KeptKey string `json:"keptKey"`
}

// GrantS2SKey gives an account read access to the key file and proves that
// the key signs.
type GrantS2SKey struct {
	Thumbprint string
	// Sid is the account's security identifier, S-1-5-20.
	Sid string
	// ProveAs is who makes the signature that proves it: "networkService" or
	// "administrator".
	ProveAs string
}

// GrantResult is the result of [GrantS2SKey].
type GrantResult struct {
	Changed  bool   `json:"changed"`
	Provider string `json:"provider"`
	// KeyFile is the path of the key file.
	KeyFile string `json:"keyFile"`
	// SignedAs is the account that made the verified signature: a SID, or
	// DOMAIN\name.
	SignedAs string `json:"signedAs"`
	// SignedBy is the path that signed: "legacy", the one that Office Online
	// Server takes, is the only one that counts as proof.
	SignedBy string `json:"signedBy"`
}

// ExportS2SCertificate reads the public part of a certificate as DER.
type ExportS2SCertificate struct {
	Thumbprint string
}

// ExportResult is the result of [ExportS2SCertificate].
type ExportResult struct {
	DER []byte `json:"der"`
}

// SetS2SCertificateName makes a certificate the farm's S2S certificate. It
// must run on the master.
type SetS2SCertificateName struct {
	FriendlyName string
	// Thumbprint is the one certificate that the friendly name must select. It
	// is unarchived first.
	Thumbprint string
	// Archive are certificates to archive afterwards: those that share its
	// subject.
	Archive []string
}

// SetNameResult is the result of [SetS2SCertificateName].
type SetNameResult struct {
	Changed  bool   `json:"changed"`
	Previous string `json:"previous"`
	// Marked are the certificates that were archived or unarchived.
	Marked []string `json:"marked"`
}

// SetOfficeHTTPSetting changes the HTTP settings of the farm; one that is nil
// stays as it is. It must run on the master.
type SetOfficeHTTPSetting struct {
	AllowOutboundHTTP               *bool `json:"AllowOutboundHttp,omitempty"`
	AllowHTTPSecureStoreConnections *bool `json:"AllowHttpSecureStoreConnections,omitempty"`
}

// SetSettingResult is the result of [SetOfficeHTTPSetting]. Settings are the
// parameter names of the settings that were changed.
type SetSettingResult struct {
	Changed  bool     `json:"changed"`
	Settings []string `json:"settings"`
}

// RestartOfficeServer restarts WACSM and IIS on an office server, unless they
// have loaded what the farm's settings now say. It notes on the server what they
// loaded; see [LoadedSettings].
type RestartOfficeServer struct {
	// NotBefore restarts what started before it. Nil sets no bound.
	NotBefore *time.Time `json:"NotBefore,omitempty"`
	// UnlessNoted restarts what started before it too, unless the note of the
	// last restart proves that it loaded what is set now. Nil sets no bound
	// beside the times of the settings file and of the certificate's key.
	UnlessNoted *time.Time `json:"UnlessNoted,omitempty"`
}

// StartOfficeServer starts WACSM and IIS on an office server where one of them
// is stopped, and does nothing where all run. Of the certificates it unarchives
// the one that the server's copy of the farm settings names, and archives the
// others, so that the service finds one alone.
type StartOfficeServer struct {
	Certificates []NamedCertificate
}

// NamedCertificate is a certificate that the farm settings may name.
type NamedCertificate struct {
	Thumbprint   string
	FriendlyName string
}

// StartResult is the result of [StartOfficeServer].
type StartResult struct {
	Changed bool `json:"changed"`
	// Started lists the services that were started: "WACSM", "WAS", "W3SVC".
	Started []string `json:"started"`
	// Named is the friendly name that the server's settings file has, of those
	// given; empty when it has none of them.
	Named string `json:"named"`
}

// RestartResult is the result of the two restarting scripts.
type RestartResult struct {
	Changed bool `json:"changed"`
	// Restarted lists what was restarted: "WACSM", "IIS", "SPTimerV4".
	Restarted []string `json:"restarted"`
}
