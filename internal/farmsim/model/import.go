package model

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
)

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
// name that the PFX gives it comes along; other certificates in it do not.
func (s *Session) ImportPFX(by Importer, pfx, password []byte, flags ImportFlags) (Certificate, error) {
	c, err := s.OpenPFX(by, pfx, password, flags)
	if err != nil {
		return c, err
	}
	_, err = s.AddCertificate(My, c)
	return c, err
}

// OpenPFX is X509Certificate2 from the bytes of a PFX. The key then is in the
// machine's key store, whatever becomes of the certificate.
func (s *Session) OpenPFX(by Importer, pfx, password []byte, flags ImportFlags) (c Certificate, err error) {
	err = s.change(func(now time.Time) error {
		shape, err := readShape(pfx)
		if err != nil {
			return cryptographicError("Cannot find the requested object.", notFoundResult)
		}
		if shape.modern && s.m.Build < firstBuildWithModernPFX {
			s.world.countRule(RulePFXAlgorithm)
			return badPassword()
		}
		key, cert, _, err := pkcs12.DecodeChain(pfx, string(password))
		if errors.Is(err, pkcs12.ErrIncorrectPassword) {
			return badPassword()
		}
		if err != nil {
			return cryptographicError("Cannot find the requested object.", notFoundResult)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return cryptographicError("Cannot find the requested object.", notFoundResult)
		}
		opened := &entry{cert: cert, thumbprint: farm.ThumbprintOf(cert.Raw), friendlyName: nameIn(pfx, password, cert)}
		opened.key = s.keepKey(shape.container, &privateKey{
			signer: signer, createdAt: now, provider: s.world.chooseProvider(by, shape, signer), exportable: flags.Exportable,
			readers: map[string]bool{System: true, Administrators: true},
			lost:    s.world.losesKey(flags),
		})
		c = opened.showEntry()
		return nil
	})
	return c, err
}

// firstBuildWithModernPFX is Windows 10 1709; of servers, 2019 (17763).
const firstBuildWithModernPFX = 16299

func badPassword() *Error {
	return cryptographicError("The specified network password is not correct.", badPasswordResult)
}

func (w *World) chooseProvider(by Importer, shape pfxShape, key crypto.Signer) string {
	w.countRule(RuleProviderByImport)
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
	w.countRule(RuleKeySetFlags)
	return true
}

// nameIn is the friendly name that a PFX gives a certificate.
func nameIn(pfx, password []byte, cert *x509.Certificate) string {
	blocks, err := pkcs12.ToPEM(pfx, string(password)) //nolint:staticcheck // the one reader that shows attributes
	if err != nil {
		return "" // It holds what that reader does not know.
	}
	for _, block := range blocks {
		if bytes.Equal(block.Bytes, cert.Raw) {
			return block.Headers["friendlyName"]
		}
	}
	return ""
}

// keepKey puts a key into a new container of the machine's key store: of the wanted
// name, unless a key has it.
func (s *Session) keepKey(wanted string, key *privateKey) *privateKey {
	m := s.m
	m.containers++
	key.container = wanted
	if wanted != "" && m.findContainer(wanted) != nil {
		s.world.countRule(RuleContainerTaken)
		key.container = ""
	}
	if key.container == "" {
		key.container = fmt.Sprintf("{%s key %d}", m.name, m.containers)
	}
	// By the number, so that farms with other certificates can be compared.
	key.unique = fmt.Sprintf("%x_%s", sha256.Sum256(fmt.Appendf(nil, "%s %d", m.name, m.containers)), m.name)
	m.keys[key.file()] = key
	return key
}

// findContainer finds a key by the name of its container.
func (m *machine) findContainer(name string) *privateKey {
	for _, key := range m.keys {
		if key.container == name && !key.lost {
			return key
		}
	}
	return nil
}
