package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// The parts of a PFX that matter here; RFC 7292, section 4 and appendix D.
type (
	pfxFile struct {
		Version  int
		AuthSafe contentInfo
		MacData  macData `asn1:"optional"`
	}
	contentInfo struct {
		ContentType asn1.ObjectIdentifier
		Content     asn1.RawValue `asn1:"optional"`
	}
	macData struct {
		Mac        digestInfo
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue
		Attributes []asn1.RawValue `asn1:"set,optional"`
	}
	attribute struct {
		ID     asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
)

var (
	oidData           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidKeyBag         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKeyBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidSHA1           = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256         = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	// oidProvider is the attribute with the provider that is to store the key.
	//
	// Source: Microsoft, PFXImportCertStore, szOID_PKCS_12_KEY_PROVIDER_NAME_ATTR.
	oidProvider = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 17, 1}
	// oidContainer is the attribute with the name that the key is to have in the store
	// of its provider: the friendly name, on the key instead of the certificate.
	//
	// Source: dotnet/runtime-assets, pull request 9; Microsoft,
	// Pkcs12LoaderLimits.PreserveKeyName, which PreserveCertificateAlias is not.
	oidContainer = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
)

// countKeys checks the structure that can be read without the password, and the work
// that it demands, and counts the keys.
func countKeys(der []byte) (keys int, err error) {
	file, safes, err := openPFX(der)
	if err != nil {
		return 0, err
	}
	if len(file.MacData.Mac.Algorithm.Algorithm) == 0 {
		return 0, errors.New("it has no MAC, so its password proves nothing")
	}
	if err := file.MacData.checkWork(); err != nil {
		return 0, err
	}
	for _, safe := range safes {
		algorithm, err := safe.encryption()
		if err := checkEncryption("certificates", algorithm, err); err != nil {
			return 0, err
		}
		bags, err := safe.readBags()
		if err != nil {
			return 0, err
		}
		for _, bag := range bags {
			if !bag.holdsKey() {
				continue
			}
			algorithm, err := bag.encryption()
			if err := checkEncryption("key", algorithm, err); err != nil {
				return 0, err
			}
			keys++
		}
	}
	return keys, nil
}

// openPFX splits a PFX into its outermost structure and its safes.
func openPFX(der []byte) (file pfxFile, safes []contentInfo, err error) {
	if err := unmarshalExactly(der, &file); err != nil {
		return file, nil, err
	}
	content, err := file.AuthSafe.plainData()
	if err != nil {
		return file, nil, err
	}
	return file, safes, unmarshalExactly(content, &safes)
}

// plainData returns what an unencrypted content holds.
func (c contentInfo) plainData() (content []byte, err error) {
	if !c.ContentType.Equal(oidData) {
		return nil, fmt.Errorf("content of type %s is not plain data", c.ContentType)
	}
	return content, unmarshalExactly(c.Content.Bytes, &content)
}

// readBags returns the bags of an unencrypted safe, and none of an encrypted one.
func (c contentInfo) readBags() (bags []safeBag, err error) {
	if !c.ContentType.Equal(oidData) {
		return nil, nil
	}
	content, err := c.plainData()
	if err != nil {
		return nil, err
	}
	return bags, unmarshalExactly(content, &bags)
}

func (b safeBag) holdsKey() bool {
	return b.ID.Equal(oidKeyBag) || b.ID.Equal(oidShroudedKeyBag)
}

// dataContent is the reverse of [contentInfo.plainData].
func dataContent(content []byte) (contentInfo, error) {
	octets, err := asn1.Marshal(content)
	return contentInfo{
		ContentType: oidData,
		Content:     asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: octets},
	}, err
}

// unmarshalExactly is [asn1.Unmarshal], but refuses trailing data.
func unmarshalExactly(der []byte, to any) error {
	rest, err := asn1.Unmarshal(der, to)
	if err == nil && len(rest) > 0 {
		err = errors.New("data after its end")
	}
	return err
}
