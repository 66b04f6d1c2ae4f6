package model

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"software.sslmate.com/src/go-pkcs12"

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

type privateKey struct {
	signer     crypto.Signer
	provider   string
	container  string
	readers    map[string]bool
	exportable bool
	// lost keys were imported in a way that does not outlive the import.
	lost bool
}

func (k *privateKey) show() *Key {
	return &Key{
		Provider: k.provider, File: k.file(),
		Readers: slices.Sorted(maps.Keys(k.readers)), Exportable: k.exportable,
	}
}

func (k *privateKey) file() string {
	if k.provider == SoftwareKSP {
		return `C:\ProgramData\Microsoft\Crypto\Keys\` + k.container
	}
	return `C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys\` + k.container
}

// Importer is what imports a PFX.
type Importer string

// The importers; they choose different providers for the same PFX.
const (
	// StoreAdd is X509Certificate2 from bytes, then X509Store.Add.
	StoreAdd Importer = "X509Store.Add"
	// PfxCmdlet is Import-PfxCertificate.
	PfxCmdlet Importer = "Import-PfxCertificate"
)

// ImportFlags are those of X509KeyStorageFlags that matter here.
type ImportFlags struct {
	MachineKeySet, PersistKeySet, Exportable bool
}

// ImportPFX imports a certificate with its key into Personal. The friendly
// name that the PFX carries comes along; other certificates in it do not.
func (s *Session) ImportPFX(by Importer, pfx, password []byte, flags ImportFlags) (c Certificate, err error) {
	err = s.doElevated(func(time.Time) error {
		shape, err := readShape(pfx)
		if err != nil {
			return cryptographic("Cannot find the requested object.", notFoundResult)
		}
		if shape.modern && s.m.Build < firstBuildWithModernPFX {
			s.world.apply(RulePFXAlgorithm)
			return badPassword()
		}
		key, cert, _, err := pkcs12.DecodeChain(pfx, string(password))
		if errors.Is(err, pkcs12.ErrIncorrectPassword) {
			return badPassword()
		}
		if err != nil {
			return cryptographic("Cannot find the requested object.", notFoundResult)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return cryptographic("Cannot find the requested object.", notFoundResult)
		}
		c = s.m.install(cert, shape.friendlyName, &privateKey{
			signer: signer, provider: s.world.chooseProvider(by, shape, signer), exportable: flags.Exportable,
			readers: map[string]bool{System: true, Administrators: true},
			lost:    s.world.losesKey(flags),
		}).show()
		return nil
	})
	return c, err
}

// firstBuildWithModernPFX is Windows 10 1709; of servers, 2019 (17763).
const firstBuildWithModernPFX = 16299

func badPassword() *Error {
	return cryptographic("The specified network password is not correct.", badPasswordResult)
}

func (w *World) chooseProvider(by Importer, shape pfxShape, key crypto.Signer) string {
	w.apply(RuleProviderByImport)
	_, isRSA := key.Public().(*rsa.PublicKey)
	switch {
	case shape.provider != "":
		return shape.provider
	case by == PfxCmdlet || !isRSA:
		return SoftwareKSP
	default:
		return EnhancedProvider
	}
}

func (w *World) losesKey(flags ImportFlags) bool {
	if flags.MachineKeySet && flags.PersistKeySet {
		return false
	}
	w.apply(RuleKeySetFlags)
	return true
}

// install puts a certificate with a new key container into Personal. The
// store keeps one copy of a certificate, which gets the new key.
func (m *machine) install(cert *x509.Certificate, friendlyName string, key *privateKey) *entry {
	m.containers++
	key.container = fmt.Sprintf("%x_%s", sha256.Sum256(fmt.Appendf(nil, "%s %d", m.name, m.containers)), m.name)
	thumbprint := farm.ThumbprintOf(cert.Raw)
	e := m.find(My, thumbprint)
	if e == nil {
		e = &entry{cert: cert, thumbprint: thumbprint}
		m.stores[My] = append(m.stores[My], e)
	}
	e.key = key
	if !key.lost {
		m.keyFiles[key.file()] = true
	}
	if friendlyName != "" {
		e.friendlyName = friendlyName
	}
	return e
}

// GrantKey gives an account read access to a certificate's key file, and says
// whether that changed anything.
func (s *Session) GrantKey(thumbprint farm.Thumbprint, sid string) (changed bool, err error) {
	err = s.doElevated(func(time.Time) error {
		e := s.m.find(My, thumbprint)
		if e == nil {
			return noCertificate(My, thumbprint)
		}
		if e.key == nil || e.key.lost {
			return badKeyset()
		}
		changed = !e.key.readers[sid]
		e.key.readers[sid] = true
		return nil
	})
	return changed, err
}

// RevokeKey takes an account's access to a key file away, and says whether
// that changed anything.
func (s *Session) RevokeKey(thumbprint farm.Thumbprint, sid string) (changed bool, err error) {
	err = s.doElevated(func(time.Time) error {
		e := s.m.find(My, thumbprint)
		if e == nil {
			return noCertificate(My, thumbprint)
		}
		if e.key == nil {
			return badKeyset()
		}
		changed = e.key.readers[sid]
		delete(e.key.readers, sid)
		return nil
	})
	return changed, err
}

// Sign signs something with SHA-256 as the account sid would, and verifies the
// signature with the certificate.
func (s *Session) Sign(thumbprint farm.Thumbprint, sid string) error {
	return s.doElevated(func(time.Time) error {
		e := s.m.find(My, thumbprint)
		if e == nil {
			return noCertificate(My, thumbprint)
		}
		return s.world.sign(e, sid)
	})
}

func (w *World) sign(e *entry, sid string) error {
	if e.key == nil || e.key.lost {
		return badKeyset()
	}
	if !e.key.readers[sid] {
		w.apply(RuleKeyAccess)
		return badKeyset()
	}
	if e.key.provider == EnhancedProvider {
		w.apply(RuleSHA256Provider)
		return cryptographic("Invalid algorithm specified.", badAlgorithmResult)
	}
	message := []byte(e.thumbprint)
	digest := sha256.Sum256(message)
	signature, err := e.key.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign with %s: %w", e.thumbprint, err)
	}
	algorithm := x509.SHA256WithRSA
	if e.cert.PublicKeyAlgorithm == x509.ECDSA {
		algorithm = x509.ECDSAWithSHA256
	}
	if err := e.cert.CheckSignature(algorithm, message, signature); err != nil {
		return cryptographic("The parameter is incorrect.", badKeysetResult)
	}
	return nil
}

func badKeyset() *Error { return cryptographic("Keyset does not exist", badKeysetResult) }
