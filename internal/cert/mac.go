package cert

import (
	"cmp"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // The MAC of a PFX for Windows Server 2016.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// hashes are what a MAC can be made with: of the old kind, which names the hash, and of
// PBMAC1, which names HMAC by it.
var hashes = []struct {
	plain, hmac asn1.ObjectIdentifier
	hash        func() hash.Hash
}{
	{oidSHA1, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{oidSHA256, oidHMACSHA256, sha256.New},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

// findHash returns a hash by its own ID or by that of HMAC with it.
func findHash(id asn1.ObjectIdentifier) (func() hash.Hash, error) {
	for _, h := range hashes {
		if id.Equal(h.plain) || id.Equal(h.hmac) {
			return h.hash, nil
		}
	}
	return nil, fmt.Errorf("no MAC by %s", id)
}

// putKeyFirst returns the same PFX with the part that has the key in front, under a MAC that
// takes no work. A program that opens it meets that key first, and refuses any other, which may
// hide in a part that is encrypted, before it does the work that this demands. It fails
// with [pkcs12.ErrIncorrectPassword] where the PFX has another password.
func putKeyFirst(der, password []byte) ([]byte, error) {
	file, safes, err := openPFX(der)
	if err != nil {
		return nil, err
	}
	content, err := file.AuthSafe.plainData()
	if err != nil {
		return nil, err
	}
	digest, err := file.MacData.compute(content, password)
	switch {
	case err != nil:
		return nil, err
	case !hmac.Equal(digest, file.MacData.Mac.Digest):
		return nil, pkcs12.ErrIncorrectPassword
	}
	slices.SortStableFunc(safes, func(a, b contentInfo) int { return cmp.Compare(a.rank(), b.rank()) })
	if content, err = asn1.Marshal(safes); err != nil {
		return nil, err
	}
	if file.AuthSafe, err = dataContent(content); err != nil {
		return nil, err
	}
	file.MacData = macData{Salt: file.MacData.Salt, Iterations: 1}
	file.MacData.Mac.Algorithm.Algorithm = oidSHA256
	if err := file.MacData.signContent(content, password); err != nil {
		return nil, err
	}
	return asn1.Marshal(file)
}

// rank is 0 for a part that has a key without being encrypted itself.
func (c contentInfo) rank() int {
	bags, err := c.readBags()
	if err == nil && slices.ContainsFunc(bags, safeBag.holdsKey) {
		return 0
	}
	return 1
}

// signContent makes the MAC over content, in the way that m says.
func (m *macData) signContent(content, password []byte) (err error) {
	m.Mac.Digest, err = m.compute(content, password)
	return err
}

// compute returns the MAC over content, in the way that m says.
func (m macData) compute(content, password []byte) ([]byte, error) {
	newHash, key, err := m.deriveKey(password)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(newHash, key)
	mac.Write(content)
	return mac.Sum(nil), nil
}

// deriveKey returns the key of the MAC, and what it is for. In PBMAC1 the password is in
// UTF-8, and the key as long as the hash is (RFC 9579, sections 3 and 4).
func (m macData) deriveKey(password []byte) (newHash func() hash.Hash, key []byte, err error) {
	algorithm := m.Mac.Algorithm
	if !algorithm.Algorithm.Equal(oidPBMAC1) {
		if newHash, err = findHash(algorithm.Algorithm); err != nil {
			return nil, nil, err
		}
		return newHash, macKey(newHash, password, m.Salt, m.Iterations), nil
	}
	var params pbes2Params
	if err := unmarshalExactly(algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, nil, err
	}
	if newHash, err = findHash(params.Scheme.Algorithm); err != nil {
		return nil, nil, err
	}
	derivation, err := readDerivation(algorithm)
	if err != nil {
		return nil, nil, err
	}
	if length := newHash().Size(); derivation.KeyLength != length {
		return nil, nil, fmt.Errorf("a key of %d bytes for a MAC of %d", derivation.KeyLength, length)
	}
	derivedBy := sha1.New // RFC 8018, appendix A.2: where none is named
	if id := derivation.PRF.Algorithm; len(id) > 0 {
		if derivedBy, err = findHash(id); err != nil {
			return nil, nil, err
		}
	}
	key, err = pbkdf2.Key(derivedBy, string(password), derivation.Salt.Bytes, derivation.Iterations, derivation.KeyLength)
	return newHash, key, err
}

// macKey derives a MAC key as long as the hash; RFC 7292, appendix B.2. A key of
// that length is the first block of the derivation, so the procedure's later steps,
// which make further blocks, are not needed.
func macKey(newHash func() hash.Hash, password, salt []byte, iterations int) []byte {
	const purposeMAC = 3
	h := newHash()
	block := h.BlockSize()
	input := make([]byte, block)
	for i := range input {
		input[i] = purposeMAC
	}
	input = append(input, repeatToBlock(salt, block)...)
	input = append(input, repeatToBlock(bmpString(string(password)+"\x00"), block)...)
	for range iterations {
		h.Reset()
		h.Write(input)
		input = h.Sum(nil)
	}
	return input
}

// repeatToBlock repeats pattern up to the next multiple of block.
func repeatToBlock(pattern []byte, block int) []byte {
	out := make([]byte, (len(pattern)+block-1)/block*block)
	for i := range out {
		out[i] = pattern[i%len(pattern)]
	}
	return out
}

// bmpString encodes s as UTF-16, high byte first.
func bmpString(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.BigEndian.AppendUint16(out, unit)
	}
	return out
}
