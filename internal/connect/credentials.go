package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// maxPEMSize is the largest certificate or key file that is read, in bytes. Chains
// have some ten thousand; a larger file is the wrong file.
const maxPEMSize = 1 << 20

// timeForm is how operators read times in every message of farmtrust: that of farm.FormatTime.
const timeForm = "2006-01-02 15:04 UTC"

// clientOptions returns the options of a profile. Unlike envconfig's, they follow an
// API key that is named as file:PATH, and the files of a client certificate and its
// key: a worker runs longer than either is valid.
func clientOptions(profile envconfig.ClientConfigProfile, log *zap.Logger) (client.Options, error) {
	key, err := followAPIKey(&profile, log)
	if err != nil {
		return client.Options{}, err
	}
	certificate, err := followCertificate(&profile, log)
	if err != nil {
		return client.Options{}, err
	}
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		return client.Options{}, err
	}
	if key != nil {
		options.Credentials = client.NewAPIKeyDynamicCredentials(func(context.Context) (string, error) { return key.current(), nil })
	}
	if certificate != nil && options.ConnectionOptions.TLS != nil {
		options.ConnectionOptions.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate.current(), nil
		}
	}
	return options, nil
}

// followAPIKey takes an API key file:PATH out of a profile. It leaves the key itself
// there, which turns TLS on. It returns nil if the profile holds no key, or the key
// itself.
func followAPIKey(profile *envconfig.ClientConfigProfile, log *zap.Logger) (*followed[string], error) {
	if !strings.HasPrefix(profile.APIKey, "file:") {
		return nil, nil
	}
	ref := secret.Ref(profile.APIKey)
	f := &followed[string]{
		what: "API key " + string(ref), log: log,
		read:     func() (string, error) { return readAPIKey(ref) },
		describe: func(string) string { return "" }, // nothing of a key may be logged
	}
	if err := f.load(); err != nil {
		return nil, err
	}
	profile.APIKey = f.value
	return f, nil
}

// readAPIKey reads an API key, which travels in a header.
func readAPIKey(ref secret.Ref) (string, error) {
	value, err := ref.Resolve()
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(value.Bytes()))
	if key == "" {
		return "", secret.ErrMissing
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("it is not an API key: it contains blanks, line breaks or characters that are not ASCII")
	}
	return key, nil
}

// followCertificate takes the files of a client certificate out of a profile. It
// returns nil if there are none, or if the profile is wrong: envconfig says how.
func followCertificate(profile *envconfig.ClientConfigProfile, log *zap.Logger) (*followed[*tls.Certificate], error) {
	if profile.TLS == nil || profile.TLS.Disabled || profile.TLS.ClientCertPath == "" || profile.TLS.ClientKeyPath == "" ||
		len(profile.TLS.ClientCertData)+len(profile.TLS.ClientKeyData) > 0 {
		return nil, nil
	}
	copied := *profile.TLS
	profile.TLS = &copied
	certificate, key := copied.ClientCertPath, copied.ClientKeyPath
	copied.ClientCertPath, copied.ClientKeyPath = "", ""
	f := &followed[*tls.Certificate]{
		what: "client certificate " + certificate, log: log,
		read: func() (*tls.Certificate, error) { return readCertificate(certificate, key, time.Now()) },
		describe: func(c *tls.Certificate) string {
			return fmt.Sprintf("%X, valid until %s", c.Leaf.SerialNumber, c.Leaf.NotAfter.UTC().Format(timeForm))
		},
	}
	return f, f.load()
}

// readCertificate reads a client certificate and its key. One that is not valid now
// is an error, so that the one before stays in use until a new one begins.
func readCertificate(certificatePath, keyPath string, now time.Time) (*tls.Certificate, error) {
	certificatePEM, err := readPEM(certificatePath)
	if err != nil {
		return nil, err
	}
	if err := secret.CheckPrivate(keyPath); err != nil {
		return nil, err
	}
	keyPEM, err := readPEM(keyPath)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(certificatePEM, keyPEM)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s and %s: %w", certificatePath, keyPath, err)
	case now.Before(c.Leaf.NotBefore):
		return nil, fmt.Errorf("%s is not valid before %s", certificatePath, c.Leaf.NotBefore.UTC().Format(timeForm))
	case now.After(c.Leaf.NotAfter):
		return nil, fmt.Errorf("%s expired at %s", certificatePath, c.Leaf.NotAfter.UTC().Format(timeForm))
	}
	return &c, nil
}

// readPEM reads a regular file: a pipe could be read only once, and would block
// until then.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxPEMSize+1))
	if err == nil && len(content) > maxPEMSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxPEMSize)
	}
	return content, err
}
