package model

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// The cryptographic providers that an import may choose.
const (
	EnhancedProvider = "Microsoft Enhanced Cryptographic Provider v1.0"
	AESProvider      = farm.KeyProvider
	SoftwareKSP      = "Microsoft Software Key Storage Provider"
)

// Administrators is the security identifier of the local group, System that
// of the operating system.
const (
	Administrators = "S-1-5-32-544"
	System         = "S-1-5-18"
)

// SigningPath is one of the two ways in which .NET Framework opens a key.
type SigningPath string

const (
	// Legacy is X509Certificate2.PrivateKey, opened again in a provider of type 24.
	Legacy SigningPath = "legacy"
	// Modern is RSACertificateExtensions.GetRSAPrivateKey.
	Modern SigningPath = "modern"
)

type privateKey struct {
	signer    crypto.Signer
	createdAt time.Time
	provider  string
	// container is the name by which programs open the key, unique that of its file.
	container, unique string

	readers    map[string]bool
	exportable bool
	// lost keys were imported in a way that does not outlive the import.
	lost bool
}

func (k *privateKey) showKey() *Key {
	return &Key{
		Provider: k.provider, Container: k.container, File: k.file(), CreatedAt: k.createdAt,
		Readers: slices.Sorted(maps.Keys(k.readers)), Exportable: k.exportable,
	}
}

func (k *privateKey) file() string {
	if k.provider == SoftwareKSP {
		return `C:\ProgramData\Microsoft\Crypto\Keys\` + k.unique
	}
	return `C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys\` + k.unique
}

// ownKey finds the key of a certificate in Personal.
func (m *machine) ownKey(thumbprint farm.Thumbprint) (*privateKey, error) {
	e := m.findEntry(My, thumbprint)
	if e == nil {
		return nil, noCertificate(My, thumbprint)
	}
	if e.key == nil || e.key.lost {
		return nil, badKeyset()
	}
	return e.key, nil
}

// KeyLocation finds the provider and the file of the key of a certificate in
// Personal; both are empty for a key that is not RSA.
func (s *Session) KeyLocation(thumbprint farm.Thumbprint) (location Key, err error) {
	err = s.perform(func(time.Time) error {
		key, err := s.m.ownKey(thumbprint)
		if err != nil {
			return err
		}
		if _, isRSA := key.signer.Public().(*rsa.PublicKey); isRSA {
			location = *key.showKey()
		}
		return nil
	})
	return location, err
}

// HasLegacyKey reports whether the key of a certificate in Personal is one that
// the legacy path opens.
func (s *Session) HasLegacyKey(thumbprint farm.Thumbprint) (legacy bool, err error) {
	err = s.perform(func(time.Time) error {
		key, err := s.m.ownKey(thumbprint)
		if err != nil {
			return nil // What cannot be opened is none.
		}
		_, isRSA := key.signer.Public().(*rsa.PublicKey)
		legacy = isRSA && key.provider != SoftwareKSP
		return nil
	})
	return legacy, err
}

// HasRSAKey reports whether the key of a certificate in Personal is an RSA key.
func (s *Session) HasRSAKey(thumbprint farm.Thumbprint) (isRSA bool, err error) {
	err = s.perform(func(time.Time) error {
		key, err := s.m.ownKey(thumbprint)
		if err != nil {
			return err
		}
		_, isRSA = key.signer.Public().(*rsa.PublicKey)
		return nil
	})
	return isRSA, err
}

// noFile is what the file system says of a key file that is not there.
func noFile(path string) *Error {
	return &Error{
		ID: "FileNotFoundException", Message: fmt.Sprintf("Could not find file '%s'.", path), Category: "NotSpecified",
		Exception: FileNotFoundException, HResult: notFoundResult,
	}
}

// KeyReaders lists the accounts that may read a key file, sorted.
func (s *Session) KeyReaders(file string) (readers []string, err error) {
	err = s.performElevated(func(time.Time) error {
		key, ok := s.m.keys[file]
		if !ok {
			return noFile(file)
		}
		readers = key.showKey().Readers
		return nil
	})
	return readers, err
}

// AddKeyReader lets an account read a key file.
func (s *Session) AddKeyReader(file, sid string) error { return s.setKeyReader(file, sid, true) }

// RemoveKeyReader takes an account's access to a key file away.
func (s *Session) RemoveKeyReader(file, sid string) error { return s.setKeyReader(file, sid, false) }

func (s *Session) setKeyReader(file, sid string, reads bool) error {
	return s.change(func(time.Time) error {
		key, ok := s.m.keys[file]
		if !ok {
			return noFile(file)
		}
		key.setReader(sid, reads)
		return nil
	})
}

// RemoveKey deletes a key from the machine's key store. A certificate that had
// it keeps the name of a key that is gone.
func (s *Session) RemoveKey(file string) error {
	return s.change(func(time.Time) error {
		key, ok := s.m.keys[file]
		if !ok {
			return badKeyset()
		}
		if s.world.policy.KeepsKeys {
			return nil
		}
		key.lost = true
		delete(s.m.keys, file)
		return nil
	})
}

// ContainerFile finds the file of a key by the name of its container, whether or not
// a certificate has it. It is empty when the cryptographic service providers have none
// of that name.
func (s *Session) ContainerFile(container string) (file string, err error) {
	err = s.performElevated(func(time.Time) error {
		if key := s.m.findContainer(container); key != nil && key.provider != SoftwareKSP {
			file = key.file()
		}
		return nil
	})
	return file, err
}

// GrantKey gives an account read access to a certificate's key file, and reports
// whether that changed anything.
func (s *Session) GrantKey(thumbprint farm.Thumbprint, sid string) (changed bool, err error) {
	return s.changeReader(thumbprint, sid, true)
}

// RevokeKey takes an account's access to a key file away, and reports
// whether that changed anything.
func (s *Session) RevokeKey(thumbprint farm.Thumbprint, sid string) (changed bool, err error) {
	return s.changeReader(thumbprint, sid, false)
}

func (s *Session) changeReader(thumbprint farm.Thumbprint, sid string, reads bool) (changed bool, err error) {
	err = s.change(func(time.Time) error {
		key, err := s.m.ownKey(thumbprint)
		if err != nil {
			return err
		}
		changed = key.readers[sid] != reads
		key.setReader(sid, reads)
		return nil
	})
	return changed, err
}

func (k *privateKey) setReader(sid string, reads bool) {
	if reads {
		k.readers[sid] = true
		return
	}
	delete(k.readers, sid)
}

// Sign signs something with SHA-256 by a path as the account sid would, and
// verifies the signature with the certificate.
func (s *Session) Sign(thumbprint farm.Thumbprint, sid string, path SigningPath) error {
	message := []byte(thumbprint)
	signature, err := s.SignData(thumbprint, sid, path, message)
	if err != nil {
		return err
	}
	return s.performElevated(func(time.Time) error {
		e := s.m.findEntry(My, thumbprint)
		if e == nil {
			return noCertificate(My, thumbprint)
		}
		if err := e.cert.CheckSignature(x509.SHA256WithRSA, message, signature); err != nil {
			return cryptographicError("The parameter is incorrect.", BadKeyset)
		}
		return nil
	})
}

// SignData signs data with SHA-256 and PKCS #1 padding by a path as the account sid
// would, with the key of a certificate in Personal.
func (s *Session) SignData(thumbprint farm.Thumbprint, sid string, path SigningPath, data []byte) (signature []byte, err error) {
	err = s.performElevated(func(time.Time) error {
		key, err := s.m.ownKey(thumbprint)
		if err != nil {
			return err
		}
		if !key.readers[sid] {
			s.world.countRule(RuleKeyAccess)
			return badKeyset()
		}
		if _, isRSA := key.signer.Public().(*rsa.PublicKey); !isRSA {
			s.world.countRule(RuleRSAOnly)
			return cryptographicError("Invalid algorithm specified.", badAlgorithmResult)
		}
		if key.provider == SoftwareKSP && path == Legacy {
			s.world.countRule(RuleLegacyPath)
			return cryptographicError("Invalid provider type specified.", badProviderTypeResult)
		}
		if key.provider == EnhancedProvider && path == Modern {
			s.world.countRule(RuleSHA256Provider)
			return cryptographicError("Invalid algorithm specified.", badAlgorithmResult)
		}
		digest := sha256.Sum256(data)
		signature, err = key.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return fmt.Errorf("sign with %s: %w", thumbprint, err)
		}
		return nil
	})
	return signature, err
}

func badKeyset() *Error { return cryptographicError("Keyset does not exist", BadKeyset) }
