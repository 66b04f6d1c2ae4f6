package powershell

// RestoreTrustedIssuer puts an issuer back to what it was before a rotation:
// its certificate, or its absence, and its app permissions. It acts only on
// what holds the rotation's certificate; anything else is somebody else's and
// ends it with [ChangedSince].
type RestoreTrustedIssuer struct {
	// RegisteredName is the registered issuer name, lower case.
	RegisteredName string
	// Ours is the thumbprint that the rotation set.
	Ours string
	// Previous is the DER certificate of before; empty when there was no
	// issuer, which then is removed after its permissions.
	Previous []byte
	// Description is what it was before.
	Description string
	// Permissions are what the app principal might do before, site by site.
	Permissions []SitePermission
}

// SitePermission is an app permission as a parameter; an empty Right means
// that there was none.
type SitePermission struct {
	Site    string
	Right   string
	AppOnly bool
}

// Script implements [Params].
func (RestoreTrustedIssuer) Script() string { return "Restore-TrustedIssuer" }

// Answer implements [Params].
func (RestoreTrustedIssuer) Answer() (r RestoreIssuerResult) { return r }

// RestoreIssuerResult is the result of [RestoreTrustedIssuer].
type RestoreIssuerResult struct {
	Changed bool `json:"changed"`
	// Updated says that the previous certificate is back, Removed that the
	// issuer is gone; Permissions lists the sites whose permission changed.
	Updated     bool     `json:"updated"`
	Removed     bool     `json:"removed"`
	Permissions []string `json:"permissions"`
}

// RestoreS2SCertificateName puts the farm's S2S setting back. It must run on
// the master. A value that is neither Ours nor Previous ends it with
// [ChangedSince].
type RestoreS2SCertificateName struct {
	// Ours and Previous are friendly names; Previous is empty when none was set.
	Ours     string
	Previous string
}

// Script implements [Params].
func (RestoreS2SCertificateName) Script() string { return "Restore-S2SCertificateName" }

// Answer implements [Params].
func (RestoreS2SCertificateName) Answer() (r RestoreNameResult) { return r }

// RestoreNameResult is the result of [RestoreS2SCertificateName].
type RestoreNameResult struct {
	Changed bool `json:"changed"`
	// Kept says that the product refused an empty name, so that Ours stays:
	// whether it accepts one is not documented. Reason is what the product
	// said; empty when it kept the name without a word.
	Kept   bool   `json:"kept"`
	Reason string `json:"reason"`
}

// RemoveRootAuthority removes SharePoint's trusted root authorities that hold
// one of the certificates, whatever their names. It never touches "local".
type RemoveRootAuthority struct {
	Thumbprints []string
}

// Script implements [Params].
func (RemoveRootAuthority) Script() string { return "Remove-RootAuthority" }

// Answer implements [Params].
func (RemoveRootAuthority) Answer() (r RemoveRootResult) { return r }

// RemoveRootResult is the result of [RemoveRootAuthority]; Removed are names.
type RemoveRootResult struct {
	Changed bool     `json:"changed"`
	Removed []string `json:"removed"`
}

// RevokeS2SKey takes an account's read access to a certificate's key file back.
type RevokeS2SKey struct {
	Thumbprint string
	Sid        string
}

// Script implements [Params].
func (RevokeS2SKey) Script() string { return "Revoke-S2SKey" }

// Answer implements [Params].
func (RevokeS2SKey) Answer() (r RevokeResult) { return r }

// RevokeResult is the result of [RevokeS2SKey].
type RevokeResult struct {
	Changed bool `json:"changed"`
}

// RemoveS2SCertificate removes a certificate from an office server's stores,
// with its key. It refuses with [InUse] while anything on the server names it:
// the farm's S2SCertificateName or CertificateName, a TLS binding of http.sys,
// a WinRM listener.
type RemoveS2SCertificate struct {
	Thumbprint string
	// Personal removes it from Personal with its key container, Root its
	// public copy from Trusted Root.
	Personal bool
	Root     bool
	// Intermediates are thumbprints to remove from the CA store.
	Intermediates []string
}

// Script implements [Params].
func (RemoveS2SCertificate) Script() string { return "Remove-S2SCertificate" }

// Answer implements [Params].
func (RemoveS2SCertificate) Answer() (r RemoveResult) { return r }

// RemoveResult is the result of [RemoveS2SCertificate]; Removed names the
// stores that something was removed from.
type RemoveResult struct {
	Changed bool     `json:"changed"`
	Removed []string `json:"removed"`
}

// GetCertificateUse lists what on an office server names a certificate.
type GetCertificateUse struct {
	Thumbprint string
}

// Script implements [Params].
func (GetCertificateUse) Script() string { return "Get-CertificateUse" }

// Answer implements [Params].
func (GetCertificateUse) Answer() (r CertificateUse) { return r }

// CertificateUse is the result of [GetCertificateUse].
type CertificateUse struct {
	// Present says that the Personal store holds the certificate, Archived
	// that it is marked archived there.
	Present  bool `json:"present"`
	Archived bool `json:"archived"`
	// Uses are, in words: "S2SCertificateName", "CertificateName",
	// "http.sys 0.0.0.0:443", "WinRM listener".
	Uses []string `json:"uses"`
}

// HideS2SCertificate marks a certificate of the Personal store archived, so
// that nothing finds it unless it asks for archived ones. It refuses with
// [InUse] like [RemoveS2SCertificate].
type HideS2SCertificate struct {
	Thumbprint string
	// Show takes the mark off instead.
	Show bool
}

// Script implements [Params].
func (HideS2SCertificate) Script() string { return "Hide-S2SCertificate" }

// Answer implements [Params].
func (HideS2SCertificate) Answer() (r HideResult) { return r }

// HideResult is the result of [HideS2SCertificate].
type HideResult struct {
	Changed bool `json:"changed"`
}
