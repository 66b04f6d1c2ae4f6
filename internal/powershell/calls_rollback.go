package powershell

// RestoreTrustedIssuer restores an issuer to its state before a rotation: its
// certificate, or its absence, and its app permissions. It changes only an
// issuer that holds the rotation's certificate, and ends with [ChangedSince]
// where another administrator changed it since.
type RestoreTrustedIssuer struct {
	// RegisteredName is the registered issuer name, lower case.
	RegisteredName string
	// Ours is the thumbprint that the rotation set.
	Ours string
	// Previous is the certificate before the rotation, DER. When it is empty,
	// there was no issuer, and the script removes the permissions and then the
	// issuer.
	Previous []byte
	// Description is the description before the rotation.
	Description string
	// Permissions are the rights of the app principal before the rotation, one
	// for each site.
	Permissions []SitePermission
}

// SitePermission is an app permission as a parameter. An empty Right means that
// there was none.
type SitePermission struct {
	Site    string
	Right   string
	AppOnly bool
}

// RestoreIssuerResult is the result of [RestoreTrustedIssuer].
type RestoreIssuerResult struct {
	Changed bool `json:"changed"`
	// Updated reports whether the previous certificate was restored, Removed
	// whether the issuer was removed. Permissions lists the sites whose
	// permission was restored.
	Updated     bool     `json:"updated"`
	Removed     bool     `json:"removed"`
	Permissions []string `json:"permissions"`
}

// RestoreS2SCertificateName restores the farm's S2S certificate name. It must
// run on the master. It ends with [ChangedSince] when the current name is
// neither Ours nor Previous.
type RestoreS2SCertificateName struct {
	// Ours and Previous are friendly names; Previous is empty when none was set.
	Ours     string
	Previous string
	// Unarchive are the certificates that were visible before, unarchived first;
	// Archive those to archive afterwards. Both are left where Ours stays.
	Unarchive []string
	Archive   []string
}

// RestoreNameResult is the result of [RestoreS2SCertificateName].
type RestoreNameResult struct {
	Changed bool `json:"changed"`
	// ClearRefused reports whether Ours stays because the product does not
	// accept an empty name, which is not documented. Reason is the product's
	// message, empty when it kept the name without one.
	ClearRefused bool   `json:"clearRefused"`
	Reason       string `json:"reason"`
	// Marked are the certificates that were archived or unarchived.
	Marked []string `json:"marked"`
}

// RemoveRootAuthority removes those of SharePoint's trusted root authorities
// that hold one of the certificates, whatever their names. It never touches
// "local", nor one that the certificate of an issuer needs.
type RemoveRootAuthority struct {
	Thumbprints []string
	// RegisteredNames are the issuers, in lower case, whose needs do not count.
	RegisteredNames []string
}

// RemoveRootResult is the result of [RemoveRootAuthority]. Removed are names, Kept
// those that are needed, in words.
type RemoveRootResult struct {
	Changed bool     `json:"changed"`
	Removed []string `json:"removed"`
	Kept    []string `json:"kept"`
}

// RevokeS2SKey revokes an account's read access to a certificate's key file.
type RevokeS2SKey struct {
	Thumbprint string
	// Sid is the account's security identifier.
	Sid string
}

// RevokeResult is the result of [RevokeS2SKey].
type RevokeResult struct {
	Changed bool `json:"changed"`
}
