package preflight

import (
	"crypto/tls"
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
	if err := checkPair(*l, now); err != nil {
		all = append(all, stop(CodeDoor, "listen.certificate", err))
	}
	for _, s := range l.Sources {
		all = append(all, openSender("listen.sources["+s.Name+"]", s.Proof)...)
	}
	return all
}

// checkPair opens the door's certificate and its key, if it has its own.
func checkPair(l config.Listen, now time.Time) error {
	if l.Certificate == "" {
		return nil
	}
	c, err := ReadPair(l.Certificate, l.Key)
	if err == nil && now.After(c.Leaf.NotAfter) {
		err = fmt.Errorf("%s expired at %s: no sender will connect", l.Certificate, c.Leaf.NotAfter.UTC().Format(time.DateTime))
	}
	return err
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
