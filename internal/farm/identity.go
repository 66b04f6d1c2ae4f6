package farm

import (
	"crypto/sha1" //nolint:gosec // see Thumbprint
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// ParseFingerprint accepts a SHA-1 or SHA-256 thumbprint in the spellings that
// [ParseThumbprint] accepts, and returns its 40 or 64 upper-case hexadecimal digits.
func ParseFingerprint(s string) (string, error) {
	cleaned := cleanHex(s)
	raw, err := hex.DecodeString(cleaned)
	if err != nil || len(raw) != sha1.Size && len(raw) != sha256.Size {
		return "", fmt.Errorf("thumbprint %.80q is not 40 or 64 hexadecimal digits", s)
	}
	return cleaned, nil
}

// maxSerialDigits bounds what is read as a serial number. CAs use up to 20 octets:
// 40 hexadecimal or 49 decimal digits.
//
// Source: RFC 5280, section 4.1.2.2.
const maxSerialDigits = 64

// ParseSerial accepts a certificate's serial number as programs show it: hexadecimal
// in either case, with 0x, leading zeros, or the separators that [ParseThumbprint]
// accepts; or decimal. It returns what the number is in upper-case hexadecimal
// without leading zeros: one reading, or two where digits alone leave open whether
// they are hexadecimal or decimal.
func ParseSerial(s string) ([]string, error) {
	cleaned := cleanHex(s)
	prefixed, isHex := strings.CutPrefix(cleaned, "0X")
	n, ok := new(big.Int).SetString(prefixed, 16)
	if !ok || len(prefixed) > maxSerialDigits || strings.ContainsAny(prefixed, "+-_") {
		return nil, fmt.Errorf("serial number %.80q is not a hexadecimal or decimal number", s)
	}
	readings := []string{FormatSerial(n)}
	separated := strings.ContainsAny(strings.TrimSpace(s), ":- ")
	decimal, ok := new(big.Int).SetString(prefixed, 10)
	if ok && !isHex && !separated && FormatSerial(decimal) != readings[0] {
		readings = append(readings, FormatSerial(decimal))
	}
	return readings, nil
}

// FormatSerial writes a serial number as [ParseSerial] does.
func FormatSerial(n *big.Int) string { return strings.ToUpper(n.Text(16)) }

// cleanHex removes what people and programs put between hexadecimal digits.
func cleanHex(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ':' || r == '-' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
			return -1
		default:
			return unicode.ToUpper(r)
		}
	}, s)
}
