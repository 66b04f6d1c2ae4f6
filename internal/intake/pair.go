package intake

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

// pair is the door's certificate with its key, which follow their files. Where they
// cannot be read, or do not belong together, as while they are written, those before stay
// in use.
type pair struct {
	files *recent[*tls.Certificate]
	log   *quietLog

	mu   sync.Mutex
	last *tls.Certificate
}

func newPair(o Options) *pair {
	read := func() (*tls.Certificate, error) {
		chain, err := os.ReadFile(o.Listen.Certificate)
		if err != nil {
			return nil, err
		}
		key, err := o.Listen.Key.Resolve()
		if err != nil {
			return nil, err
		}
		c, err := tls.X509KeyPair(chain, key.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s and its key: %w", o.Listen.Certificate, err)
		}
		return &c, nil
	}
	return &pair{files: &recent[*tls.Certificate]{read: read, now: o.Now}, log: newQuietLog(o.Log, o.Now)}
}

// current returns the newest pair that could be read.
func (p *pair) current() (*tls.Certificate, error) {
	c, err := p.files.get()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		if p.last != nil && !p.last.Leaf.Equal(c.Leaf) {
			p.log.log.Info("the door's certificate was replaced", zap.Time("notAfter", c.Leaf.NotAfter.UTC().Truncate(time.Second)))
		}
		p.last = c
	case p.last == nil:
		return nil, err
	default:
		p.log.warn("certificate", "the door's certificate cannot be read; the one before stays in use", zap.Error(err))
	}
	return p.last, nil
}
