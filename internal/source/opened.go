package source

import (
	"crypto/sha256"
	"maps"
	"sync"

	"github.com/farmtrust/farmtrust/internal/cert"
)

// Opened remembers the certificates of a folder's files, but not their keys: to open a
// strong PFX takes a good part of a second, and most of those who ask for a
// certificate do not want its key.
type Opened struct {
	mu sync.Mutex
	// byDigest has the certificates by what they were made of: the content of the file
	// and the password.
	byDigest map[[sha256.Size]byte]*cert.Bundle
}

// find returns what was opened before, and keep remembers it, until forgetOthers has the
// digests of a later look. A nil Opened remembers nothing.
func (o *Opened) find(digest [sha256.Size]byte) (*cert.Bundle, bool) {
	if o == nil {
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	b, ok := o.byDigest[digest]
	return b, ok
}

func (o *Opened) keep(digest [sha256.Size]byte, b *cert.Bundle) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byDigest == nil {
		o.byDigest = map[[sha256.Size]byte]*cert.Bundle{}
	}
	o.byDigest[digest] = b
}

func (o *Opened) forgetOthers(seen map[[sha256.Size]byte]bool) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.byDigest, func(digest [sha256.Size]byte, _ *cert.Bundle) bool { return !seen[digest] })
}
