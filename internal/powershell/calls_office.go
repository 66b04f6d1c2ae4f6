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
	Provider     string    `json:"provider"`
	KeyReaders   []string  `json:"keyReaders"`
	KeySigns     bool      `json:"keySigns"`
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
}

// OfficeServer is the result of [GetOfficeServer].
type OfficeServer struct {
	Machine       Machine       `json:"machine"`
	Certificates  []Certificate `json:"certificates"`
	Roots         []Certificate `json:"roots"`
	Intermediates []string      `json:"intermediates"`
	Joined        bool          `json:"joined"`
	Master        string        `json:"master"`
	// Machines are the farm's members; only the master reports them, since
	// every member has the same list.
	Machines                        []string   `json:"machines"`
	Health                          string     `json:"health"`
	S2SCertificateName              string     `json:"s2sCertificateName"`
	CertificateName                 string     `json:"certificateName"`
	AllowOutboundHTTP               bool       `json:"allowOutboundHttp"`
	AllowHTTPSecureStoreConnections bool       `json:"allowHttpSecureStoreConnections"`
	Discovery                       Discovery  `json:"discovery"`
	Service                         Service    `json:"service"`
	WorkersSince                    *time.Time `json:"workersSince"`
	// SettingsSince is when settings.xml of the farm state was last written.
	SettingsSince *time.Time `json:"settingsSince"`
}

// Discovery is the response of the server's own /hosting/discovery. Without
// one, Status is 0 and Problem the name of a WebExceptionStatus.
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
}

// ExportS2SCertificate reads the public part of a certificate as DER and,
// unless Path is empty, writes it to that path on the server.
type ExportS2SCertificate struct {
	Thumbprint string
	Path       string
}

// ExportResult is the result of [ExportS2SCertificate]. Changed reports
// whether the file was written or replaced.
type ExportResult struct {
	Changed bool   `json:"changed"`
	DER     []byte `json:"der"`
}

// SetS2SCertificateName makes a certificate the farm's S2S certificate. It
// must run on the master.
type SetS2SCertificateName struct {
	FriendlyName string
	// Thumbprint is the one certificate that the friendly name must select.
	Thumbprint string
}

// SetNameResult is the result of [SetS2SCertificateName].
type SetNameResult struct {
	Changed  bool   `json:"changed"`
	Previous string `json:"previous"`
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

// RestartOfficeServer restarts WACSM and IIS on an office server, unless both
// started after the settings they must load were written.
type RestartOfficeServer struct {
	// NotBefore also restarts what started before it. When it is nil, the time
	// of this machine's own settings file alone decides.
	NotBefore *time.Time `json:"NotBefore,omitempty"`
}

// RestartResult is the result of the two restarting scripts.
type RestartResult struct {
	Changed bool `json:"changed"`
	// Restarted lists what was restarted: "WACSM", "IIS", "SPTimerV4".
	Restarted []string `json:"restarted"`
}
