package farm

// Expectation pins what a farm's certificates must be like, so that another
// certificate in the source is never taken for a new one. Empty fields pin nothing.
type Expectation struct {
	// Issuer is the distinguished name of the issuer as Windows writes it, or the
	// fingerprint of one of the CAs above the certificate, as hexadecimal digits: 64 of
	// SHA-256 or 40 of SHA-1. A name can be given to any CA; a fingerprint is of one.
	Issuer string `json:"issuer,omitempty"`
	// Subject is the distinguished name of the certificate, in which * stands for any
	// text within one part of the name.
	Subject string `json:"subject,omitempty"`
	// KeyUsage and ExtendedKeyUsage are exactly what the certificate may be used for, in
	// the words of [KeyUsages] and [ExtendedKeyUsages]; of the latter also by OID.
	KeyUsage         []string `json:"keyUsage,omitempty"`
	ExtendedKeyUsage []string `json:"extendedKeyUsage,omitempty"`
}

// KeyUsages are the words for key usages, by their bits; RFC 5280, section 4.2.1.3.
var KeyUsages = []string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
}

// ExtendedKeyUsages are the words for extended key usages, with their OIDs; RFC 5280,
// section 4.2.1.12.
var ExtendedKeyUsages = map[string]string{
	"anyExtendedKeyUsage": "2.5.29.37.0",
	"serverAuth":          "1.3.6.1.5.5.7.3.1",
	"clientAuth":          "1.3.6.1.5.5.7.3.2",
	"codeSigning":         "1.3.6.1.5.5.7.3.3",
	"emailProtection":     "1.3.6.1.5.5.7.3.4",
	"timeStamping":        "1.3.6.1.5.5.7.3.8",
	"OCSPSigning":         "1.3.6.1.5.5.7.3.9",
}
