package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

const (
	// keyBits is the length of new keys, the shortest that a farm accepts.
	keyBits = 2048
	// backdate makes a new certificate valid on servers whose clocks are behind;
	// Active Directory tolerates five minutes between clocks.
	backdate = 10 * time.Minute
)

// SelfSigned is a [Directory] that makes a new self-signed certificate when
// none is valid for longer than the lead time, or when one is compromised. Files that
// it makes are for the current user alone, encrypted as [cert.Bundle.EncodeAtRest] says,
// and appear whole or not at all; several workers on one folder agree on one
// certificate.
type SelfSigned struct {
	// Directory is the folder; its password also protects new files.
	Directory
	// Subject is the prefix of the common name, followed by the creation time.
	// Two certificates with one subject in a store have kept Office Online
	// Server from starting (reported for its HTTPS certificate; inferred for
	// this one).
	Subject string
	// ValidFor is how long a new certificate is valid, LeadTime how long before
	// it expires the next is made. ValidFor is the longer.
	ValidFor time.Duration
	LeadTime time.Duration
}

// Newest implements [Source].
func (s SelfSigned) Newest(ctx context.Context) (*cert.Bundle, error) {
	all, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	now := s.currentTime()
	if newest, ok := newestAt(all, now); ok && newest.Certificate.NotAfter.After(now.Add(s.LeadTime)) {
		return newest, nil
	}
	return s.makeAfter(ctx, all, "")
}

// Replacement implements [Source].
func (s SelfSigned) Replacement(ctx context.Context, compromised farm.Thumbprint) (*cert.Bundle, error) {
	all, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	if newest, ok := newestAt(all, s.currentTime()); ok && newest.Certificate.Thumbprint != compromised {
		return newest, nil
	}
	return s.makeAfter(ctx, all, compromised)
}

// readAll makes the folder, and replaces files of earlier versions that are weak.
func (s SelfSigned) readAll(ctx context.Context) ([]*cert.Bundle, error) {
	if err := secret.MakeFolder(s.Path); err != nil {
		return nil, fmt.Errorf("make a folder for certificates: %w", err)
	}
	folder := s.Directory
	folder.strengthen = true
	return folder.readAll(ctx)
}

// makeAfter makes the certificate that follows those there are. Another worker may have
// made it already.
func (s SelfSigned) makeAfter(ctx context.Context, all []*cert.Bundle, compromised farm.Thumbprint) (*cert.Bundle, error) {
	bundle, err := s.createCertificate(s.currentTime(), filepath.Join(s.Path, nameAfter(all)))
	switch {
	case errors.Is(err, fs.ErrExist):
		return s.Directory.Replacement(ctx, compromised)
	case err != nil:
		return nil, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	return bundle, nil
}

// Forget implements [Source].
func (s SelfSigned) Forget(ctx context.Context, old farm.Thumbprint) (bool, error) {
	all, err := s.readAll(ctx)
	if err != nil {
		return false, err
	}
	if newest, ok := newestAt(all, s.currentTime()); ok && newest.Certificate.Thumbprint == old {
		return false, fmt.Errorf("destroy %s: it is the newest certificate of the farm", newest)
	}
	for _, b := range all {
		if b.Certificate.Thumbprint != old {
			continue
		}
		if err := os.Remove(filepath.Join(s.Path, b.Origin)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("destroy %s: %w", b, err)
		}
		return true, nil
	}
	return false, nil
}

// replaceWeak writes the file of a certificate again, as hard to guess as those that are
// made now. Versions before 2026-11 wrote 3DES with a MAC of one iteration.
func replaceWeak(path string, b *cert.Bundle, password secret.Value) error {
	strong, err := b.EncodeAtRest(password.Bytes())
	if err == nil {
		err = secret.Replace(path, strong)
	}
	if err != nil {
		return fmt.Errorf("encrypt %s again: %w", path, err)
	}
	return nil
}

// nameAfter names the file of the certificate that follows those there are.
// Workers that see the same files choose the same name, so that only one of
// them can make the certificate.
func nameAfter(all []*cert.Bundle) string {
	if len(all) == 0 {
		return "first.pfx"
	}
	last := slices.MaxFunc(all, byStart)
	return "after-" + last.Certificate.Thumbprint.Short() + ".pfx"
}

// createCertificate makes a certificate and its file. The error wraps
// [fs.ErrExist] if the file already exists.
func (s SelfSigned) createCertificate(now time.Time, path string) (*cert.Bundle, error) {
	password, err := s.Password.Resolve()
	if err != nil {
		return nil, err
	}
	subject := s.Subject + now.UTC().Format(" 20060102-150405")
	bundle, err := cert.SelfSigned(subject, now.Add(-backdate), s.ValidFor+backdate, keyBits)
	if err != nil {
		return nil, err
	}
	pfx, err := bundle.EncodeAtRest(password.Bytes())
	if err != nil {
		return nil, err
	}
	return bundle, secret.Create(path, pfx)
}
