package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
)

// keyName returns what Windows calls an attribute of a distinguished name.
//
// Source: Microsoft, CertNameToStrW, CERT_X500_NAME_STR; names without a key
// are written as OID.1.2.3.
func keyName(id asn1.ObjectIdentifier) string {
	switch id.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.4":
		return "SN"
	case "2.5.4.5":
		return "SERIALNUMBER"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "S"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "2.5.4.12":
		return "T"
	case "2.5.4.42":
		return "G"
	case "2.5.4.43":
		return "I"
	case "1.2.840.113549.1.9.1":
		return "E"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	default:
		return "OID." + id.String()
	}
}

// distinguishedName writes a name as the Subject property of X509Certificate2
// does, so that it compares with what servers report: last part first, ", "
// between the parts, quotes around values with special characters.
func distinguishedName(raw []byte) string {
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &sequence); err != nil {
		// x509 has parsed the certificate with this name, so this does not happen;
		// the bytes are better than nothing.
		return fmt.Sprintf("%X", raw)
	}
	var parts []string
	for _, set := range slices.Backward(sequence) {
		var values []string
		for _, attribute := range set {
			values = append(values, keyName(attribute.Type)+"="+quoteValue(fmt.Sprint(attribute.Value)))
		}
		parts = append(parts, strings.Join(values, " + "))
	}
	return strings.Join(parts, ", ")
}

func quoteValue(value string) string {
	if value != "" && !strings.ContainsAny(value, ",+=\"\n<>#;") && strings.TrimSpace(value) == value {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}
