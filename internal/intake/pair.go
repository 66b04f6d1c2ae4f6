package intake

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/preflight"
)

// pair is the door's certificate with its key, which follow their files. Where they
// cannot be read, or do not belong together, as while they are written, those before stay
// in use.
type pair struct {
	files *recent[*tls.Certificate]
	log   *quietLog

	mu   sync.Mutex
	last *tls.Certificate
	// warned is when it was last said that the certificate ends soon.
	warned time.Time
}

func newPair(o Options) *pair {
	read := func() (*tls.Certificate, error) { return preflight.ReadPair(o.Listen.Certificate, o.Listen.Key) }
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
		p.warnOfEnd(c.Leaf)
	case p.last == nil:
		return nil, err
	default:
		p.log.warn("certificate", "the door's certificate cannot be read; the one before stays in use", zap.Error(err))
	}
	return p.last, nil
}

// warnOfEnd says each day that the certificate ends soon: who watches the certificates of
// farms should not be surprised by the end of this one.
func (p *pair) warnOfEnd(c *x509.Certificate) {
	now := p.files.now()
	if !preflight.EndsSoon(c, now) || now.Sub(p.warned) < 24*time.Hour {
		return
	}
	p.warned = now
	p.log.log.Warn("the door's certificate expires, and no sender will connect from then on; replace listen.certificate and its key in time: they are read again without a restart",
		zap.Time("notAfter", c.NotAfter.UTC().Truncate(time.Second)))
}
