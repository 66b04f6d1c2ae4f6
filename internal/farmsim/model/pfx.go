package model

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// pfxShape is what decides how Windows imports a PFX, and can be read without
// its password.
type pfxShape struct {
	// modern is true when older Windows cannot read it: PBES2, or a MAC that
	// is not SHA-1.
	modern bool
	// provider and container are attributes of the key: who is to store it, and under
	// which name.
	provider, container string
}

// The object identifiers of PKCS #12 (RFC 7292), PKCS #5 and Microsoft's
// attribute that names a provider (szOID_PKCS_12_KEY_PROVIDER_NAME_ATTR).
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidProviderName  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 17, 1}
	oidPBES2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBMAC1        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidSHA1          = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
)

// maxIterations bounds the work that a file can ask for before its password
// is known to be right; common are 2,000 to 600,000.
const maxIterations = 1_000_000

type pfxContent struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

type pfxMAC struct {
	Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	Salt       []byte
	Iterations int `asn1:"optional,default:1"`
}

type pfxFile struct {
	Version int
	Safe    pfxContent
	MAC     pfxMAC `asn1:"optional"`
}

type pfxBag struct {
	ID         asn1.ObjectIdentifier
	Value      asn1.RawValue  `asn1:"tag:0,explicit"`
	Attributes []pfxAttribute `asn1:"set,optional"`
}

type pfxAttribute struct {
	ID    asn1.ObjectIdentifier
	Value asn1.RawValue `asn1:"set"`
}

// readShape reads the unencrypted outside of a PFX.
func readShape(pfx []byte) (pfxShape, error) {
	var file pfxFile
	if err := unmarshal(pfx, &file); err != nil {
		return pfxShape{}, fmt.Errorf("read pfx: %w", err)
	}
	var safe []byte
	if err := unmarshal(file.Safe.Content.Bytes, &safe); err != nil {
		return pfxShape{}, fmt.Errorf("read pfx: authenticated safe: %w", err)
	}
	var contents []pfxContent
	if err := unmarshal(safe, &contents); err != nil {
		return pfxShape{}, fmt.Errorf("read pfx: contents: %w", err)
	}
	mac := file.MAC.Digest.Algorithm.Algorithm
	if file.MAC.Iterations > maxIterations || mac.Equal(oidPBMAC1) {
		return pfxShape{}, errors.New("read pfx: its MAC takes too long, or is of a kind that Windows does not know")
	}
	shape := pfxShape{modern: len(mac) > 0 && !mac.Equal(oidSHA1)}
	for _, content := range contents {
		if err := shape.readContent(content); err != nil {
			return pfxShape{}, fmt.Errorf("read pfx: %w", err)
		}
	}
	return shape, nil
}

func (s *pfxShape) readContent(content pfxContent) error {
	switch {
	case content.Type.Equal(oidEncryptedData):
		var encrypted struct {
			Version int
			Info    struct {
				Type      asn1.ObjectIdentifier
				Algorithm pkix.AlgorithmIdentifier
				Content   asn1.RawValue `asn1:"tag:0,optional"`
			}
		}
		if err := unmarshal(content.Content.Bytes, &encrypted); err != nil {
			return fmt.Errorf("encrypted data: %w", err)
		}
		s.modern = s.modern || encrypted.Info.Algorithm.Algorithm.Equal(oidPBES2)
	case content.Type.Equal(oidData):
		var data []byte
		if err := unmarshal(content.Content.Bytes, &data); err != nil {
			return fmt.Errorf("data: %w", err)
		}
		var bags []pfxBag
		if err := unmarshal(data, &bags); err != nil {
			return fmt.Errorf("bags: %w", err)
		}
		for _, bag := range bags {
			if err := s.readBag(bag); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *pfxShape) readBag(bag pfxBag) error {
	if bag.ID.Equal(oidShroudedBag) {
		var shrouded struct {
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte
		}
		if err := unmarshal(bag.Value.Bytes, &shrouded); err != nil {
			return fmt.Errorf("key bag: %w", err)
		}
		s.modern = s.modern || shrouded.Algorithm.Algorithm.Equal(oidPBES2)
	} else if !bag.ID.Equal(oidKeyBag) {
		return nil
	}
	for _, attribute := range bag.Attributes {
		switch {
		case attribute.ID.Equal(oidProviderName):
			s.provider = bmpString(attribute.Value.Bytes)
		case attribute.ID.Equal(oidFriendlyName):
			s.container = bmpString(attribute.Value.Bytes)
		}
	}
	return nil
}

// bmpString decodes a BMPString, UTF-16 in network order; empty when it is
// something else.
func bmpString(der []byte) string {
	var value asn1.RawValue
	if err := unmarshal(der, &value); err != nil || value.Tag != asn1.TagBMPString {
		return ""
	}
	units := make([]uint16, len(value.Bytes)/2)
	if err := binary.Read(bytes.NewReader(value.Bytes), binary.BigEndian, units); err != nil {
		return ""
	}
	return string(utf16.Decode(units))
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("data after the end")
	}
	return err
}
