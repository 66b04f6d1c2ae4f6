package preflight

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// openListen opens what the door for events names.
func openListen(l *config.Listen, now time.Time) []farm.Finding {
	if l == nil {
		return nil
	}
	var all []farm.Finding
	if l.Certificate != "" {
		all = append(all, openPair(*l, now)...)
	}
	for _, s := range l.Sources {
		all = append(all, openSender("listen.sources["+s.Name+"]", s.Proof)...)
	}
	return all
}

// openPair opens the door's certificate and its key.
func openPair(l config.Listen, now time.Time) []farm.Finding {
	const place = "listen.certificate"
	c, err := ReadPair(l.Certificate, l.Key)
	if err != nil {
		return []farm.Finding{stop(CodeDoor, place, err)}
	}
	end := c.Leaf.NotAfter.UTC().Format(time.DateTime)
	switch {
	case now.After(c.Leaf.NotAfter):
		return []farm.Finding{stop(CodeDoor, place, fmt.Errorf("%s expired at %s UTC: no sender will connect", l.Certificate, end))}
	case EndsSoon(c.Leaf, now):
		return []farm.Finding{{
			Code: CodeDoorEnds, Severity: farm.Warn, Text: fmt.Sprintf("%s: %s expires at %s UTC, and no sender will connect from then on", place, l.Certificate, end),
			Remedy: "replace the file and its key in time: they are read again without a restart",
		}}
	}
	return nil
}

// EndsSoon reports whether the door's certificate is to be replaced: in the last 30 days
// of its life, or the last third of a shorter one.
func EndsSoon(c *x509.Certificate, now time.Time) bool {
	const warning = 30 * 24 * time.Hour
	return now.After(c.NotAfter.Add(-min(warning, c.NotAfter.Sub(c.NotBefore)/3)))
}

// ReadPair reads a file with a certificate and its chain in PEM, and the secret that is
// its key.
func ReadPair(certificate string, key secret.Ref) (*tls.Certificate, error) {
	chain, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	private, err := key.Resolve()
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(chain, private.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s and its key: %w", certificate, err)
	}
	return &c, nil
}

func openSender(place string, p config.Proof) (all []farm.Finding) {
	for _, ref := range p.Secrets() {
		if _, err := ref.ResolveProof(); err != nil {
			all = append(all, stop(CodeSecret, place, err))
		}
	}
	if p.ClientCertificate == nil {
		return all
	}
	if _, err := ReadCAs(p.ClientCertificate.CA); err != nil {
		all = append(all, stop(CodeCA, place+".clientCertificate.ca", err))
	}
	return all
}
