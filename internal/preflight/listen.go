package preflight

import (
	"crypto/tls"
	"fmt"
	"os"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
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
	chain, err := os.ReadFile(l.Certificate)
	if err != nil {
		return err
	}
	key, err := l.Key.Resolve()
	if err != nil {
		return err
	}
	c, err := tls.X509KeyPair(chain, key.Bytes())
	if err != nil {
		return fmt.Errorf("%s and its key: %w", l.Certificate, err)
	}
	if now.After(c.Leaf.NotAfter) {
		return fmt.Errorf("%s expired at %s: no sender will connect", l.Certificate, c.Leaf.NotAfter.UTC().Format(time.DateTime))
	}
	return nil
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
