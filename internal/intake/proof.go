package intake

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/farmtrust/farmtrust/internal/config"
)

// proof decides whether a request comes from its source. A [*refusedError] means that it
// does not; with any other error it cannot be told now.
type proof struct {
	// header decides before the body is read; nil where only the body tells.
	header func(*http.Request) error
	// body decides by the body; nil where the header has told.
	body func(*http.Request, []byte) error
	// challenge asks for the proof, where HTTP has a word for it.
	challenge string
}

// The challenges of RFC 6750, section 3, and RFC 7617, section 2.
const (
	askBearer = `Bearer realm="farmtrust"` //nolint:gosec // it asks for a secret, and is none
	askBasic  = `Basic realm="farmtrust", charset="UTF-8"`
)

func newProof(o Options, c config.Proof) (proof, error) {
	switch {
	case c.Bearer != nil:
		return proof{header: proveBearer(newSecrets(c.Bearer, o.Now)), challenge: askBearer}, nil
	case c.Basic != nil:
		return proof{header: proveBasic(c.Basic.User, newSecrets(c.Basic.Password, o.Now)), challenge: askBasic}, nil
	case c.QueryKey != nil:
		return proof{header: proveQueryKey(newSecrets(c.QueryKey, o.Now))}, nil
	case c.HMAC != nil:
		return proof{body: proveHMAC(*c.HMAC, newSecrets(c.HMAC.Secrets, o.Now), o.Now)}, nil
	case c.ClientCertificate != nil:
		header, err := proveCertificate(*c.ClientCertificate, o.Now)
		return proof{header: header}, err
	case c.Entra != nil:
		return proof{header: proveEntra(o, *c.Entra), challenge: askBearer}, nil
	}
	return proof{}, errors.New("no way to prove that it is the source")
}

// proveBearer proves by the header Authorization: Bearer SECRET (RFC 6750, section 2.1).
func proveBearer(known secrets) func(*http.Request) error {
	return func(r *http.Request) error {
		given, err := readBearer(r)
		if err != nil {
			return err
		}
		return requireKnown(known, given, "the bearer token")
	}
}

func readBearer(r *http.Request) (string, error) {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if given = strings.TrimSpace(given); !strings.EqualFold(scheme, "Bearer") || given == "" {
		return "", refused("no bearer token: send the header Authorization: Bearer SECRET")
	}
	return given, nil
}

// proveBasic proves by a name and a password (RFC 7617).
func proveBasic(user string, known secrets) func(*http.Request) error {
	return func(r *http.Request) error {
		name, given, ok := r.BasicAuth()
		if !ok {
			return refused("no name and password: send the header Authorization: Basic")
		}
		if err := requireKnown(known, given, "the name or the password"); err != nil {
			return err
		}
		if !sameText([]byte(name), []byte(user)) {
			return refused("the name or the password is wrong")
		}
		return nil
	}
}

// queryKey is the parameter of the address that carries a secret.
const queryKey = "key"

// proveQueryKey proves by a parameter of the address, for senders that can send nothing
// else. Proxies log addresses: it is the last resort.
func proveQueryKey(known secrets) func(*http.Request) error {
	return func(r *http.Request) error {
		given := r.URL.Query().Get(queryKey)
		if given == "" {
			return refused("no key: end the address with ?%s=SECRET", queryKey)
		}
		return requireKnown(known, given, "the key")
	}
}

func requireKnown(known secrets, given, what string) error {
	ok, err := known.match(given)
	if err == nil && !ok {
		return refused("%s is wrong", what)
	}
	if err != nil {
		return fmt.Errorf("read the secrets of the source: %w", err)
	}
	return nil
}
