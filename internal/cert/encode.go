package cert

import (
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// buildAES is the first Windows Server build that imports a PFX with AES-256 and
// SHA-256, that of Server 2019. Server 2016 (14393) refuses such a PFX as if its
// password were wrong.
//
// Source: dsccommunity/CertificateDsc, issue 153; go-pkcs12, Modern2023.
const buildAES = 17763

// Encode makes a PFX of the certificate, its key and its chain that a Windows of
// that build can import. An unknown build, 0, gets the older algorithms: the key is
// protected by the verified connection and by a password that cannot be guessed,
// see [NewPassword].
//
// The key carries the name of the cryptographic provider that is to store it,
// because different ways to import choose different ones, and the name that it is to
// have there, [farm.KeyContainer].
func (b *Bundle) Encode(windowsBuild int, provider string, password []byte) ([]byte, error) {
	encoder := pkcs12.LegacyDES
	if windowsBuild >= buildAES {
		encoder = pkcs12.Modern2023
	}
	key, err := b.key()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", b, err)
	}
	plain, err := encoder.Encode(key, b.leaf, b.chain, string(password))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", b, err)
	}
	named, err := addToKey(plain, password, []attribute{
		textAttribute(oidProvider, provider), textAttribute(oidContainer, farm.KeyContainer(b.Certificate.Thumbprint)),
	})
	if err != nil {
		return nil, fmt.Errorf("name the key and its provider in the PFX of %s: %w", b, err)
	}
	return named, nil
}

// atRestIterations is how often a guess of the password must be hashed, for each of the
// MAC, the key and the certificates.
//
// Source: OWASP, Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256.
const atRestIterations = 600_000

// EncodeAtRest makes a PFX of the certificate, its key and its chain for a file that
// [Load] reads: AES-256, with keys derived from the password by PBKDF2-HMAC-SHA256, as
// is that of the MAC (PBMAC1, RFC 9579). OpenSSL 3.4 reads it; no Windows is known to.
func (b *Bundle) EncodeAtRest(password []byte) ([]byte, error) {
	key, err := b.key()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", b, err)
	}
	pfx, err := pkcs12.Modern2026.WithIterations(atRestIterations).Encode(key, b.leaf, b.chain, string(password))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", b, err)
	}
	return pfx, nil
}

// IsStrong reports whether a PFX that [Load] has read is as hard to guess as one that
// [Bundle.EncodeAtRest] makes: the weakest of its parts counts.
func IsStrong(pfx []byte) bool {
	file, safes, err := openPFX(pfx)
	if err != nil || !isStrong(file.MacData.Mac.Algorithm, oidPBMAC1) {
		return false
	}
	for _, safe := range safes {
		if algorithm, err := safe.encryption(); err != nil || (algorithm != nil && !isStrong(*algorithm, oidPBES2)) {
			return false
		}
		bags, err := safe.readBags()
		if err != nil {
			return false
		}
		for _, bag := range bags {
			if algorithm, err := bag.encryption(); err != nil || (bag.holdsKey() && (algorithm == nil || !isStrong(*algorithm, oidPBES2))) {
				return false
			}
		}
	}
	return true
}

// NewPassword returns a password for one PFX: 26 letters and digits with at
// least 128 random bits.
func NewPassword() []byte { return []byte(rand.Text()) }

// addToKey adds attributes to the key, which the library cannot write, and renews the
// MAC.
func addToKey(der, password []byte, attributes []attribute) ([]byte, error) {
	file, safes, err := openPFX(der)
	if err != nil {
		return nil, err
	}
	added := 0
	for i := range safes {
		n, err := safes[i].addToKeys(attributes)
		if err != nil {
			return nil, err
		}
		added += n
	}
	if added != 1 {
		return nil, errors.New("it does not hold exactly one key")
	}
	content, err := asn1.Marshal(safes)
	if err != nil {
		return nil, err
	}
	if file.AuthSafe, err = dataContent(content); err != nil {
		return nil, err
	}
	if err := file.MacData.signContent(content, password); err != nil {
		return nil, err
	}
	return asn1.Marshal(file)
}

// addToKeys adds attributes to every key of a safe and counts them.
func (c *contentInfo) addToKeys(attributes []attribute) (added int, err error) {
	bags, err := c.readBags()
	if err != nil || len(bags) == 0 {
		return 0, err
	}
	for i := range bags {
		if !bags[i].holdsKey() {
			continue
		}
		for _, attribute := range attributes {
			der, err := asn1.Marshal(attribute)
			if err != nil {
				return 0, err
			}
			bags[i].Attributes = append(bags[i].Attributes, asn1.RawValue{FullBytes: der})
		}
		added++
	}
	content, err := asn1.Marshal(bags)
	if err != nil {
		return 0, err
	}
	*c, err = dataContent(content)
	return added, err
}

func textAttribute(id asn1.ObjectIdentifier, text string) attribute {
	return attribute{ID: id, Values: []asn1.RawValue{{Tag: asn1.TagBMPString, Bytes: bmpString(text)}}}
}
