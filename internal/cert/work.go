package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// maxIterations bounds the work that a file can demand for each key that is derived
// from its password, which is derived before the password is known to be right. Windows
// and OpenSSL write about 2,000; [Bundle.EncodeAtRest] writes [atRestIterations].
const maxIterations = 1_000_000

// The ways to derive a key from a password that are known here. What else there is,
// such as scrypt (RFC 7914), demands work that is not bounded here.
var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBMAC1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	// The oldest, with their own derivation: 3DES, and RC2 of 128 and 40 bits; RFC 7292,
	// appendix C.
	oid3DES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidRC2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5}
	oidWeakRC = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}
)

// The parameters of algorithms, as far as they say how much work there is; RFC 8018,
// appendix A, and RFC 7292, appendix C.
type (
	pbes2Params struct { // also those of PBMAC1
		Derivation pkix.AlgorithmIdentifier
		Scheme     pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       asn1.RawValue
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	pbeParams struct {
		Salt       []byte
		Iterations int
	}
	encryptedData struct {
		Version int
		Content struct {
			ContentType asn1.ObjectIdentifier
			Algorithm   pkix.AlgorithmIdentifier
			Encrypted   asn1.RawValue `asn1:"optional"`
		}
	}
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Encrypted []byte
	}
)

// checkWork refuses a MAC that demands too much work, or an unknown amount.
func (m macData) checkWork() error {
	if m.Mac.Algorithm.Algorithm.Equal(oidPBMAC1) {
		return checkDerivation("MAC", m.Mac.Algorithm)
	}
	return checkIterations("MAC", m.Iterations)
}

// encryption returns how a safe is encrypted; nil when it is not.
func (c contentInfo) encryption() (*pkix.AlgorithmIdentifier, error) {
	if c.ContentType.Equal(oidData) {
		return nil, nil
	}
	var content encryptedData
	if err := unmarshalExactly(c.Content.Bytes, &content); err != nil {
		return nil, fmt.Errorf("content of type %s: %w", c.ContentType, err)
	}
	return &content.Content.Algorithm, nil
}

// encryption returns how a bag is encrypted; nil when it is not.
func (b safeBag) encryption() (*pkix.AlgorithmIdentifier, error) {
	if !b.ID.Equal(oidShroudedKeyBag) {
		return nil, nil
	}
	var key encryptedKey
	if err := unmarshalExactly(b.Value.Bytes, &key); err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	return &key.Algorithm, nil
}

// checkEncryption refuses a part of the file that demands too much work, or an unknown
// amount. It takes what the methods encryption return.
func checkEncryption(part string, algorithm *pkix.AlgorithmIdentifier, err error) error {
	if err != nil || algorithm == nil {
		return err
	}
	switch id := algorithm.Algorithm; {
	case id.Equal(oidPBES2):
		return checkDerivation(part, *algorithm)
	case id.Equal(oid3DES), id.Equal(oidRC2), id.Equal(oidWeakRC):
		var params pbeParams
		if err := unmarshalExactly(algorithm.Parameters.FullBytes, &params); err != nil {
			return fmt.Errorf("the encryption of its %s: %w", part, err)
		}
		return checkIterations(part, params.Iterations)
	default:
		return fmt.Errorf("its %s: encryption by the unknown algorithm %s", part, id)
	}
}

// checkDerivation judges the derivation of the key of PBES2 or PBMAC1.
func checkDerivation(part string, algorithm pkix.AlgorithmIdentifier) error {
	derivation, err := readDerivation(algorithm)
	if err != nil {
		return fmt.Errorf("its %s: %w", part, err)
	}
	return checkIterations(part, derivation.Iterations)
}

// readDerivation reads how the key of PBES2 or PBMAC1 is derived from the password.
func readDerivation(algorithm pkix.AlgorithmIdentifier) (derivation pbkdf2Params, err error) {
	var params pbes2Params
	if err := unmarshalExactly(algorithm.Parameters.FullBytes, &params); err != nil {
		return derivation, err
	}
	if id := params.Derivation.Algorithm; !id.Equal(oidPBKDF2) {
		return derivation, fmt.Errorf("a key derived by the unknown algorithm %s", id)
	}
	return derivation, unmarshalExactly(params.Derivation.Parameters.FullBytes, &derivation)
}

// isStrong reports whether an algorithm is the given one, with enough iterations of
// PBKDF2-HMAC-SHA256, and, where it encrypts, AES-256.
func isStrong(algorithm pkix.AlgorithmIdentifier, want asn1.ObjectIdentifier) bool {
	derivation, err := readDerivation(algorithm)
	if err != nil || !algorithm.Algorithm.Equal(want) || derivation.Iterations < atRestIterations || !derivation.PRF.Algorithm.Equal(oidHMACSHA256) {
		return false
	}
	var params pbes2Params
	if err := unmarshalExactly(algorithm.Parameters.FullBytes, &params); err != nil {
		return false
	}
	return want.Equal(oidPBMAC1) || params.Scheme.Algorithm.Equal(oidAES256)
}

func checkIterations(part string, n int) error {
	if n < 1 || n > maxIterations {
		return fmt.Errorf("%d iterations of its %s", n, part)
	}
	return nil
}
