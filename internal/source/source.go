// Package source is where certificates come from: a directory of PFX files,
// or one that makes self-signed certificates itself.
//
// It does not judge whether a certificate is fit for a farm, and it logs
// nothing: what it reads is private keys.
package source

import (
	"context"
	"errors"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// The answers of a [Source] that are neither a certificate nor a failure to
// look.
var (
	// ErrNone says that the source holds no certificate that is valid now. A
	// later look may find one.
	ErrNone = errors.New("no valid certificate")
	// ErrNotFound says that the source does not hold the certificate asked
	// for: somebody removed it.
	ErrNotFound = errors.New("certificate not found")
)

// Source provides certificates with their keys. Its methods may be called
// concurrently and as often as needed.
type Source interface {
	// Newest returns the certificate that a farm should have now: of those
	// that are valid now the one that became valid last. It wraps [ErrNone]
	// when there is none.
	Newest(ctx context.Context) (*cert.Bundle, error)
	// Find returns the certificate with that thumbprint, valid or not. It
	// wraps [ErrNotFound] when there is none.
	Find(ctx context.Context, thumbprint farm.Thumbprint) (*cert.Bundle, error)
}
