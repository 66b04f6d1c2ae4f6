package embedded

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/server/common/rpc/encryption"

	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// profileName is the name of the file with which a user's programs connect.
const profileName = "temporal.toml"

// userName and uiName are the subjects of the certificates of those who connect.
const userName, uiName = "user", "ui"

// access is how clients reach the server. Its zero value lets everybody in who reaches
// the ports.
type access struct {
	set            mtls.Set
	server, client *tls.Config
	// profile is the path of the user's profile, folder what it is in, if that goes
	// with the server.
	profile, folder string
}

// newAccess makes the certificates of a private server, and writes the profile of its
// user.
func newAccess(address string, o Options) (_ *access, err error) {
	a := new(access)
	if !o.Private {
		return a, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.set, err = mtls.New([]string{loopback}, userName, uiName); err != nil {
		return nil, err
	}
	if a.server, err = a.set.ServerTLS(); err != nil {
		return nil, err
	}
	if a.client, err = a.set.ClientTLS(a.set.Clients[userName], loopback); err != nil {
		return nil, err
	}
	if err := a.writeProfile(address, o.DataDir); err != nil {
		return nil, fmt.Errorf("write the profile for other programs of yours: %w", err)
	}
	return a, nil
}

// writeProfile writes a profile that only this user can read, in a folder that only
// this user can change.
func (a *access) writeProfile(address, folder string) (err error) {
	user := a.set.Clients[userName]
	profiles := envconfig.ClientConfig{Profiles: map[string]*envconfig.ClientConfigProfile{"default": {
		Address: address, Namespace: Namespace,
		TLS: &envconfig.ClientConfigTLS{ServerCACertData: a.set.Authority, ClientCertData: user.Certificate, ClientKeyData: user.Key},
	}}}
	text, err := profiles.ToTOML(envconfig.ClientConfigToTOMLOptions{})
	if err != nil {
		return err
	}
	if folder == "" {
		if folder, err = os.MkdirTemp("", "farmtrust-temporal-"); err != nil {
			return err
		}
		a.folder = folder
	}
	if a.profile, err = filepath.Abs(filepath.Join(folder, profileName)); err != nil {
		return err
	}
	if err := secret.CheckPrivate(folder); err != nil {
		return err
	}
	return secret.Replace(a.profile, text)
}

// temporalTLS returns the settings of the server's services, which are each other's
// clients.
func (a *access) temporalTLS() *encryption.FixedTLSConfigProvider {
	return &encryption.FixedTLSConfigProvider{
		InternodeServerConfig: a.server, InternodeClientConfig: a.client,
		FrontendServerConfig: a.server, FrontendClientConfig: a.client,
	}
}

// uiTLS returns the settings of the UI as a client of the server.
func (a *access) uiTLS() uiconfig.TLS {
	if a.server == nil {
		return uiconfig.TLS{}
	}
	own := a.set.Clients[uiName]
	return uiconfig.TLS{
		CaData:   base64.StdEncoding.EncodeToString(a.set.Authority),
		CertData: base64.StdEncoding.EncodeToString(own.Certificate), KeyData: base64.StdEncoding.EncodeToString(own.Key),
		ServerName: loopback, EnableHostVerification: true,
	}
}

// uiHosts returns the names that the UI answers to; the first is that of its URL. The
// only name of a private one is a secret. Browsers look up every name in .localhost on
// this machine alone, and share nothing of one with another, as they share cookies
// among all ports of 127.0.0.1.
//
// Source: RFC 6761, 6.3; WHATWG, "URL" (the port is no part of a cookie's scope: RFC
// 6265, 8.5).
func (a *access) uiHosts(port int) []string {
	if a.server != nil {
		return []string{strings.ToLower(rand.Text()) + "." + localHost(port)}
	}
	return []string{localAddress(port), localHost(port)}
}

// close removes the profile, whose certificate nobody accepts any more.
func (a *access) close() error {
	if a.folder != "" {
		return os.RemoveAll(a.folder)
	}
	if a.profile == "" {
		return nil
	}
	if err := os.Remove(a.profile); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
