// Package source provides certificates: from a directory of PFX files, or from one
// in which it makes self-signed certificates itself.
//
// It does not judge whether a certificate is suitable for a farm, and it logs
// nothing, because it reads private keys.
package source

import (
	"context"
	"errors"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// The errors of a [Source] that was read but has no certificate to return.
var (
	// ErrNone means that the source holds no certificate that is valid now. A
	// later call may find one.
	ErrNone = errors.New("no valid certificate")
	// ErrNotFound means that the source does not hold the requested certificate,
	// which was removed.
	ErrNotFound = errors.New("certificate not found")
)

// Source provides certificates with their keys. Its methods may be called
// concurrently and as often as needed.
type Source interface {
	// Newest returns the certificate that a farm should have now: of those that
	// are valid now, the one that became valid last. Its error wraps [ErrNone]
	// when there is none.
	Newest(ctx context.Context) (*cert.Bundle, error)
	// Find returns the certificate with that thumbprint, valid or not. Its error
	// wraps [ErrNotFound] when there is none.
	Find(ctx context.Context, thumbprint farm.Thumbprint) (*cert.Bundle, error)
}
