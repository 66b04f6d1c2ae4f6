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

func (f files) writeFile(name string, content []byte) error {
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
func (f *Farm) writeFiles() error {
	dir, err := filepath.Abs(f.files.dir)
	if err != nil {
		return fmt.Errorf("write the farm's files: %w", err)
	}
	f.files.dir = dir
	if err := os.MkdirAll(f.files.certificates(), 0o700); err != nil {
		return fmt.Errorf("write the farm's files: %w", err)
	}
	configuration, err := f.makeConfiguration()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.pem": f.authority.rootPEM(), "password": []byte(f.password),
		"pfx-password": []byte(f.files.pfxPassword), "farmtrust.yaml": configuration,
	} {
		if err := f.files.writeFile(name, content); err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

// makeConfiguration writes the farm's configuration as an administrator would.
func (f *Farm) makeConfiguration() ([]byte, error) {
	var sharePoint []object
	approval := "none"
	if f.options.Approval {
		approval = "required"
	}
	office := f.officeEntry(OtherOffice{Name: "oos", Servers: f.options.OfficeServers})
	office["connection"] = "office"
	var others []object
	for _, other := range f.options.OtherOffices {
		entry := f.officeEntry(other)
		entry["name"] = other.Name
		others = append(others, entry)
	}
	if len(others) > 0 {
		office["others"] = others
	}
	for _, sp := range f.sharePoints() {
		front, _ := f.findServer(sp.Servers[0])
		one := object{
			"frontEnd": front.configEntry(), "connection": "sharepoint", "sites": sp.Sites, "issuerName": "OOS",
			"runAs": string(f.options.RunAs),
		}
		var servers []object
		for _, host := range sp.Servers {
			member, _ := f.findServer(host)
			servers = append(servers, member.configEntry())
		}
		one["servers"] = servers
		sharePoint = append(sharePoint, one)
	}
	configuration := object{
		"farms": []object{{
			"name": FarmName, "office": office, "sharePoint": sharePoint,
			"certificate": object{
				"source": object{"directory": object{
					"path": f.files.certificates(), "password": "file:" + f.files.path("pfx-password"),
				}},
				"leadTime": "30d",
				"events":   []object{{"vault": EventVault, "certificate": EventCertificate}},
			},
			// Unless an approval is wanted nobody is asked, and no server is waited for or
			// watched for long, so that a demonstration runs by itself and soon ends.
			"rotation": object{"approval": approval, "healthyWithin": "1m", "healthyFor": "200ms"},
		}},
		"connections": object{"office": f.connectionEntry(f.options.Auth), "sharepoint": f.connectionEntry(model.NTLM)},
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

func (f *Farm) connectionEntry(auth model.Auth) object {
	return object{
		"auth": string(auth), "user": f.userName(auth),
		"password": "file:" + f.files.path("password"), "ca": f.files.path("ca.pem"),
	}
}

func (f *Farm) officeEntry(o OtherOffice) object {
	var servers []object
	for _, host := range o.hosts() {
		server, _ := f.findServer(host)
		servers = append(servers, server.configEntry())
	}
	return object{"servers": servers}
}

// configEntry is a server as the configuration names it.
func (s *server) configEntry() object {
	place := object{"host": s.host}
	if s.endpoint != nil {
		place["address"] = s.endpoint.Addr().String()
	}
	return place
}

// Config is the path of the farm's configuration.
func (f *Farm) Config() string { return f.files.path("farmtrust.yaml") }

// Issued is a certificate in the certificate folder.
type Issued struct {
	Thumbprint farm.Thumbprint
	Path       string
	NotAfter   time.Time
}

// State is the whole farm, with private keys left out.
func (f *Farm) State() model.State { return f.World.State() }

// Connection tells a client how to reach a server.
type Connection struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	URL     string `json:"url"`
	Auth    string `json:"auth"`
	User    string `json:"user"`
}

// Connections tells clients how to reach the servers.
func (f *Farm) Connections() []Connection {
	var all []Connection
	for _, server := range f.servers {
		if server.endpoint == nil {
			continue
		}
		all = append(all, Connection{
			Host: server.host, Address: server.endpoint.Addr().String(), URL: server.endpoint.URL(),
			Auth: string(server.auth), User: f.userName(server.auth),
		})
	}
	return all
}

// CA is the path of the file with the servers' authority.
func (f *Farm) CA() string { return f.files.path("ca.pem") }

// Password is the path of the file with the account's password.
func (f *Farm) Password() string { return f.files.path("password") }

// PFXPassword is the path of the file with the password of the PFX files.
func (f *Farm) PFXPassword() string { return f.files.path("pfx-password") }
