package powershell

// GetCertificateUse lists what on an office server names a certificate.
type GetCertificateUse struct {
	Thumbprint string
}

// CertificateUse is the result of [GetCertificateUse].
type CertificateUse struct {
	// Present reports whether the Personal store holds the certificate,
	// Archived whether it is archived there.
	Present  bool `json:"present"`
	Archived bool `json:"archived"`
	// Wildcard reports whether it names more than one host by a "*".
	Wildcard bool `json:"wildcard"`
	// Uses are, in words: "S2SCertificateName", "CertificateName",
	// "http.sys 0.0.0.0:443", "WinRM listener", "WinRM service", "Remote Desktop".
	Uses []string `json:"uses"`
	// Notes are, in words, what may name it and cannot be read.
	Notes []string `json:"notes"`
}

// SetS2SCertificateArchived archives a certificate of the Personal store, so
// that only programs that ask for archived certificates find it, or unarchives
// it. Archiving is refused with [InUse], as [RemoveS2SCertificate] is.
type SetS2SCertificateArchived struct {
	Thumbprint string
	Archived   bool
}

// SetArchivedResult is the result of [SetS2SCertificateArchived].
type SetArchivedResult struct {
	Changed bool `json:"changed"`
}

// RemoveS2SCertificate removes a certificate from an office server's stores,
// with its key. It is refused with [InUse] while anything on the server names
// the certificate: the farm's S2SCertificateName or CertificateName, a TLS
// binding of http.sys, WinRM, Remote Desktop.
type RemoveS2SCertificate struct {
	Thumbprint string
	// Personal removes it from Personal with its key container, and what an import
	// that was cut off has left; Root removes its public copy from Trusted Root.
	Personal bool
	Root     bool
	// Intermediates are thumbprints to remove from the CA store.
	Intermediates []string
}

// RemoveResult is the result of [RemoveS2SCertificate]. Removed names the
// stores that a certificate was removed from.
type RemoveResult struct {
	Changed bool     `json:"changed"`
	Removed []string `json:"removed"`
	// OrphanedKey reports whether the key of an import that was cut off was deleted.
	OrphanedKey bool `json:"orphanedKey"`
}
