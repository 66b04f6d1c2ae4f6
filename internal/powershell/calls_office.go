package powershell

import "time"

// Machine is what every observing script tells of its server.
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

// Service is a Windows service; Since is nil when its process does not run.
type Service struct {
	Name    string     `json:"name"`
	Running bool       `json:"running"`
	Since   *time.Time `json:"since"`
}

// GetOfficeServer observes an office server. The certificates it returns are
// those with the thumbprint, friendly name or subject given here, and those
// that the farm names.
type GetOfficeServer struct {
	// Thumbprint, FriendlyName, Subject of the target; empty before one is known.
	Thumbprint   string
	FriendlyName string
	Subject      string
	// Chain holds the thumbprints of the target's issuers.
	Chain []string
}

// Script implements [Params].
func (GetOfficeServer) Script() string { return "Get-OfficeServer" }

// Answer implements [Params].
func (GetOfficeServer) Answer() (r OfficeServer) { return r }

// OfficeServer is the result of [GetOfficeServer].
type OfficeServer struct {
	Machine       Machine       `json:"machine"`
	Certificates  []Certificate `json:"certificates"`
	Roots         []Certificate `json:"roots"`
	Intermediates []string      `json:"intermediates"`
	Joined        bool          `json:"joined"`
	Master        string        `json:"master"`
	// Machines is filled on the master only; they are the same everywhere.
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

// Discovery is how the server's own /hosting/discovery answered; Status is 0
// and Problem a WebExceptionStatus name when it did not.
type Discovery struct {
	URL     string `json:"url"`
	Status  int    `json:"status"`
	Problem string `json:"problem"`
}

// ImportS2SCertificate imports a certificate with its key on an office server.
type ImportS2SCertificate struct {
	Thumbprint   string
	FriendlyName string
	// Provider is the cryptographic provider the PFX names; checked afterwards.
	Provider   string
	Exportable bool
	// SelfSigned also puts the public part into Trusted Root.
	SelfSigned bool
	// Intermediates are DER certificates, base64, for the CA store.
	Intermediates []string
	// PFX and Password travel outside the parameters.
	PFX      []byte `json:"-"`
	Password []byte `json:"-"`
}

// Script implements [Params].
func (ImportS2SCertificate) Script() string { return "Import-S2SCertificate" }

// Answer implements [Params].
func (ImportS2SCertificate) Answer() (r ImportResult) { return r }

// Secrets implements [Private].
func (p ImportS2SCertificate) Secrets() [][]byte { return [][]byte{p.PFX, p.Password} }

// ImportResult is the result of [ImportS2SCertificate].
type ImportResult struct {
	Changed bool `json:"changed"`
	// Added names the stores that got something: "My", "CA", "Root".
	Added       []string    `json:"added"`
	Certificate Certificate `json:"certificate"`
}

// GrantS2SKey gives an account read access to the key file and proves that
// the key signs.
type GrantS2SKey struct {
	Thumbprint string
	// Sid is the account's security identifier, S-1-5-20.
	Sid string
	// ProveAs is "networkService" or "administrator".
	ProveAs string
}

// Script implements [Params].
func (GrantS2SKey) Script() string { return "Grant-S2SKey" }

// Answer implements [Params].
func (GrantS2SKey) Answer() (r GrantResult) { return r }

// GrantResult is the result of [GrantS2SKey].
type GrantResult struct {
	Changed  bool   `json:"changed"`
	Provider string `json:"provider"`
	// KeyFile is the path of the key file.
	KeyFile string `json:"keyFile"`
	// SignedAs is who made the signature that verified.
	SignedAs string `json:"signedAs"`
}

// ExportS2SCertificate reads the public part of a certificate, DER, and
// optionally writes it to a path on the server.
type ExportS2SCertificate struct {
	Thumbprint string
	Path       string
}

// Script implements [Params].
func (ExportS2SCertificate) Script() string { return "Export-S2SCertificate" }

// Answer implements [Params].
func (ExportS2SCertificate) Answer() (r ExportResult) { return r }

// ExportResult is the result of [ExportS2SCertificate]; Changed says that the
// file was written or replaced.
type ExportResult struct {
	Changed bool   `json:"changed"`
	DER     []byte `json:"der"`
}

// SetS2SCertificateName makes a certificate the farm's S2S certificate. It
// must run on the master.
type SetS2SCertificateName struct {
	FriendlyName string
	// Thumbprint is what the friendly name must resolve to.
	Thumbprint string
}

// Script implements [Params].
func (SetS2SCertificateName) Script() string { return "Set-S2SCertificateName" }

// Answer implements [Params].
func (SetS2SCertificateName) Answer() (r SetNameResult) { return r }

// SetNameResult is the result of [SetS2SCertificateName].
type SetNameResult struct {
	Changed  bool   `json:"changed"`
	Previous string `json:"previous"`
}

// SetOfficeHTTPSwitch sets the HTTP switches of the farm. Nil is not touched.
// It must run on the master.
type SetOfficeHTTPSwitch struct {
	AllowOutboundHTTP               *bool `json:"AllowOutboundHttp,omitempty"`
	AllowHTTPSecureStoreConnections *bool `json:"AllowHttpSecureStoreConnections,omitempty"`
}

// Script implements [Params].
func (SetOfficeHTTPSwitch) Script() string { return "Set-OfficeHttpSwitch" }

// Answer implements [Params].
func (SetOfficeHTTPSwitch) Answer() (r SetSwitchResult) { return r }

// SetSwitchResult is the result of [SetOfficeHTTPSwitch]: the settings that
// were changed, by their parameter names.
type SetSwitchResult struct {
	Changed  bool     `json:"changed"`
	Settings []string `json:"settings"`
}

// RestartOfficeServer restarts WACSM and IIS on an office server, unless both
// started after the settings they must load were written.
type RestartOfficeServer struct {
	// NotBefore restarts anyway what started before it; empty leaves the
	// decision to this machine's own settings file.
	NotBefore *time.Time `json:"NotBefore,omitempty"`
}

// Script implements [Params].
func (RestartOfficeServer) Script() string { return "Restart-OfficeServer" }

// Answer implements [Params].
func (RestartOfficeServer) Answer() (r RestartResult) { return r }

// RestartResult is the result of the two restarting scripts.
type RestartResult struct {
	Changed bool `json:"changed"`
	// Restarted names what was restarted: "WACSM", "IIS", "SPTimerV4".
	Restarted []string `json:"restarted"`
}
