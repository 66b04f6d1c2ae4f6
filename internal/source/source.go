// Package source provides certificates: from a directory of PFX files, or from one
// in which it makes self-signed certificates itself, and destroys old ones.
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
	// Replacement is [Source.Newest] for a farm whose certificate is compromised: it
	// returns another one. A source that makes its certificates makes a new one when
	// the compromised one is the newest.
	Replacement(ctx context.Context, compromised farm.Thumbprint) (*cert.Bundle, error)
	// Forget destroys what a source that makes its certificates keeps of one that no
	// farm has any longer, its key above all, and reports whether there was anything.
	// It refuses the newest one.
	Forget(ctx context.Context, old farm.Thumbprint) (bool, error)
}
