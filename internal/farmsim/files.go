package farmsim

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// files are what a farm leaves in its folder.
type files struct {
	dir         string
	pfxPassword string
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

func (f files) write(name string, content []byte) error {
	if err := os.WriteFile(f.path(name), content, 0o600); err != nil {
		return fmt.Errorf("write the farm's files: %w", err)
	}
	return nil
}

// certificates is the folder of the PFX files.
func (f files) certificates() string { return f.path("certificates") }

// writePFX writes a generation's PFX so that readers see all of it or nothing.
func (f files) writePFX(number int, g generation) (string, error) {
	pfx, err := g.pfx(f.pfxPassword)
	if err != nil {
		return "", fmt.Errorf("encode certificate %d: %w", number, err)
	}
	path := filepath.Join(f.certificates(), fmt.Sprintf("oos-s2s-%d.pfx", number))
	partial := path + ".partial"
	if err := os.WriteFile(partial, pfx, 0o600); err != nil {
		return "", fmt.Errorf("write certificate %d: %w", number, err)
	}
	if err := os.Rename(partial, path); err != nil {
		return "", fmt.Errorf("write certificate %d: %w", number, err)
	}
	return path, nil
}

// writeFiles writes everything but the certificates.
func (s *Sim) writeFiles() error {
	dir, err := filepath.Abs(s.files.dir)
	if err != nil {
		return fmt.Errorf("write the farm's files: %w", err)
	}
	s.files.dir = dir
	if err := os.MkdirAll(s.files.certificates(), 0o700); err != nil {
		return fmt.Errorf("write the farm's files: %w", err)
	}
	configuration, err := s.configuration()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.pem": s.authority.pem(), "password": []byte(s.password),
		"pfx-password": []byte(s.files.pfxPassword), "farmtrust.yaml": configuration,
	} {
		if err := s.files.write(name, content); err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

// configuration is the farm's configuration in the form that people write.
func (s *Sim) configuration() ([]byte, error) {
	var office, sharePoint []object
	for _, server := range s.servers[:s.options.OfficeServers] {
		office = append(office, server.place())
	}
	for _, sp := range s.sharePoints() {
		front, _ := s.server(sp.Servers[0])
		one := object{
			"frontEnd": front.place(), "connection": "sharepoint", "sites": sp.Sites, "issuerName": "OOS",
			"runAs": string(s.options.RunAs),
		}
		var servers []object
		for _, host := range sp.Servers {
			member, _ := s.server(host)
			servers = append(servers, member.place())
		}
		one["servers"] = servers
		sharePoint = append(sharePoint, one)
	}
	configuration := object{
		"farms": []object{{
			"name": FarmName, "office": object{"servers": office, "connection": "office"}, "sharePoint": sharePoint,
			"certificate": object{
				"source": object{"directory": object{
					"path": s.files.certificates(), "password": "file:" + s.files.path("pfx-password"),
				}},
				"leadTime": "30d",
				"events":   []object{{"vault": EventVault, "certificate": EventCertificate}},
			},
			// Nobody is asked, so that a demonstration runs by itself.
			"rotation": object{"approval": "none"},
		}},
		"connections": object{"office": s.connection(s.options.Auth), "sharepoint": s.connection(model.NTLM)},
	}
	content, err := yaml.Marshal(configuration)
	if err != nil {
		return nil, fmt.Errorf("write the farm's configuration: %w", err)
	}
	return content, nil
}

// The names in the expiry events that concern the farm's certificate.
const (
	EventVault       = "contoso-kv-001"
	EventCertificate = "oos-s2s"
)

func (s *Sim) connection(auth model.Auth) object {
	return object{
		"auth": string(auth), "user": s.user(auth),
		"password": "file:" + s.files.path("password"), "ca": s.files.path("ca.pem"),
	}
}

// place is a server as the configuration names it.
func (s *server) place() object {
	place := object{"host": s.host}
	if s.endpoint != nil {
		place["address"] = s.endpoint.Addr().String()
	}
	return place
}

// Config is the path of the farm's configuration.
func (s *Sim) Config() string { return s.files.path("farmtrust.yaml") }

// Issued is a certificate in the certificate folder.
type Issued struct {
	Thumbprint farm.Thumbprint
	Path       string
	NotAfter   time.Time
}

// State is the whole farm, with private keys left out.
func (s *Sim) State() model.State { return s.World.State() }

// Connection tells a client how to reach a server.
type Connection struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	URL     string `json:"url"`
	Auth    string `json:"auth"`
	User    string `json:"user"`
}

// Connections tells clients how to reach the servers.
func (s *Sim) Connections() []Connection {
	var all []Connection
	for _, server := range s.servers {
		if server.endpoint == nil {
			continue
		}
		all = append(all, Connection{
			Host: server.host, Address: server.endpoint.Addr().String(), URL: server.endpoint.URL(),
			Auth: string(server.auth), User: s.user(server.auth),
		})
	}
	return all
}

// CA is the path of the file with the servers' authority.
func (s *Sim) CA() string { return s.files.path("ca.pem") }

// Password is the path of the file with the account's password.
func (s *Sim) Password() string { return s.files.path("password") }

// PFXPassword is the path of the file with the password of the PFX files.
func (s *Sim) PFXPassword() string { return s.files.path("pfx-password") }
