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
)

const (
	// keyBits is the length of new keys, the shortest that a farm accepts.
	keyBits = 2048
	// backdate makes a new certificate valid on servers whose clocks are behind;
	// Active Directory tolerates five minutes between clocks.
	backdate = 10 * time.Minute
	// anyBuild is an unknown build of Windows: the files can be imported by hand
	// on every server.
	anyBuild = 0
)

// SelfSigned is a [Directory] that makes a new self-signed certificate when
// none is valid for longer than the lead time. Files that it makes are for
// the current user alone and appear whole or not at all; several workers on
// one folder agree on one certificate.
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
	if err := os.MkdirAll(s.Path, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for certificates: %w", err)
	}
	now := s.currentTime()
	all, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	if newest, ok := newestAt(all, now); ok && newest.Certificate.NotAfter.After(now.Add(s.LeadTime)) {
		return newest, nil
	}
	bundle, err := s.createCertificate(now, filepath.Join(s.Path, nameAfter(all)))
	if errors.Is(err, fs.ErrExist) { // by another worker
		return s.Directory.Newest(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	return bundle, nil
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
	pfx, err := bundle.Encode(anyBuild, farm.KeyProvider, password.Bytes())
	if err != nil {
		return nil, err
	}
	return bundle, createAtomically(path, pfx)
}

// createAtomically makes a file that readers see whole or not at all. It never
// replaces another: a hard link fails where a rename would replace.
func createAtomically(path string, content []byte) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	_, writeErr := temporary.Write(content)
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Link(temporary.Name(), path)
}
