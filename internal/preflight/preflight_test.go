package preflight_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/preflight"
)

const text = `farms:
  - name: contoso
    office: {servers: [oos-01], connection: main}
    sharePoint:
      - {frontEnd: sp-01, connection: main, sites: [https://portal.contoso.com]}
    certificate:
      source: {directory: {path: pfx, password: file:pfx.txt}}
connections:
  main: {auth: ntlm, user: svc@contoso.com, password: file:winrm.txt, ca: ca.pem}
`

// open writes a configuration and the files that it names, lets change spoil them, and
// returns what is found.
func open(t *testing.T, change func(folder string)) []string {
	t.Helper()
	folder := t.TempDir()
	authority := testfarm.NewPair(t, "Contoso CA", nil)
	write(t, folder, "farmtrust.yaml", []byte(text))
	write(t, folder, "pfx.txt", []byte("opens the PFX"))
	write(t, folder, "winrm.txt", []byte("signs in"))
	write(t, folder, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Cert.Raw}))
	write(t, folder, "pfx/2027.pfx", makePFX(t, 365*24*time.Hour, "opens the PFX"))
	change(folder)
	c, err := config.Load(filepath.Join(folder, "farmtrust.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range preflight.Open(t.Context(), c, time.Now()) {
		lines = append(lines, strings.ReplaceAll(string(f.Severity)+" "+f.Explain(), folder+"/", ""))
	}
	return lines
}

func makePFX(t *testing.T, validFor time.Duration, password string) []byte {
	t.Helper()
	bundle, err := cert.SelfSigned("OOS S2S", time.Now().Add(-time.Hour), validFor, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := bundle.Encode(0, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return pfx
}

func write(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(folder string)
		want   []string
	}{
		"all is there": {func(string) {}, nil},
		"no password of WinRM": {
			func(folder string) { remove(t, folder, "winrm.txt") },
			[]string{"stop connections.main.password: "},
		},
		"no file of CAs": {
			func(folder string) { remove(t, folder, "ca.pem") },
			[]string{"stop connections.main.ca: open ca.pem: no such file or directory: name a readable file of PEM certificates"},
		},
		"a file without certificates": {
			func(folder string) { write(t, folder, "ca.pem", []byte("no certificate\n")) },
			[]string{"stop connections.main.ca: ca.pem holds no PEM certificate: name a readable file of PEM certificates"},
		},
		"a private key among the CAs": {
			func(folder string) {
				write(t, folder, "ca.pem", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
			},
			[]string{"stop connections.main.ca: ca.pem holds a private key: name a readable file of PEM certificates"},
		},
		"a damaged CA": {
			func(folder string) {
				write(t, folder, "ca.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
			},
			[]string{"stop connections.main.ca: ca.pem holds a damaged certificate: x509: malformed certificate"},
		},
		"no folder of certificates": {
			func(folder string) { remove(t, folder, "pfx") },
			[]string{"stop farms[contoso].certificate.source: "},
		},
		"a PFX with another password": {
			func(folder string) { write(t, folder, "pfx/2026.pfx", makePFX(t, time.Hour, "another")) },
			[]string{"stop farms[contoso].certificate.source: read certificate pfx/2026.pfx: wrong password for the PFX"},
		},
		"a certificate that ends soon": {
			func(folder string) { write(t, folder, "pfx/2027.pfx", makePFX(t, 24*time.Hour, "opens the PFX")) },
			[]string{"warn farms[contoso].certificate.source: certificate "},
		},
		"a folder that farmtrust fills": {
			func(folder string) {
				remove(t, folder, "pfx")
				write(t, folder, "farmtrust.yaml", []byte(strings.Replace(text, "directory", "selfSigned", 1)))
			},
			nil,
		},
		"a door whose secrets are long": {
			func(folder string) {
				write(t, folder, "farmtrust.yaml", []byte(text+door))
				makeDoor(t, folder, 31*24*time.Hour)
			},
			nil,
		},
		"a door that lacks everything": {
			func(folder string) { write(t, folder, "farmtrust.yaml", []byte(text+door)) },
			[]string{"stop listen.certificate: open door.pem: ", "stop listen.sources[pki]: read secret file:old.txt: ", "stop listen.sources[pki]: read secret file:new.txt: ", "stop listen.sources[cert].clientCertificate.ca: open clients.pem: "},
		},
		"a door whose secret can be guessed": {
			func(folder string) {
				write(t, folder, "farmtrust.yaml", []byte(text+door))
				makeDoor(t, folder, 31*24*time.Hour)
				write(t, folder, "old.txt", []byte("hunter2"))
			},
			[]string{"stop listen.sources[pki]: read secret file:old.txt: secret is too short: it has less than 16 characters"},
		},
		"a door whose certificate ends soon": {
			func(folder string) {
				write(t, folder, "farmtrust.yaml", []byte(text+door))
				makeDoor(t, folder, 30*time.Minute) // of two hours and a half
			},
			[]string{"warn listen.certificate: door.pem expires at "},
		},
		"a door whose certificate has ended": {
			func(folder string) {
				write(t, folder, "farmtrust.yaml", []byte(text+door))
				makeDoor(t, folder, -time.Hour)
			},
			[]string{"stop listen.certificate: door.pem expired at "},
		},
		"a queue and a folder of events that are not there": {
			func(folder string) {
				write(t, folder, "farmtrust.yaml", []byte(text+"pull:\n"+
					"  - {name: q, format: azure, storageQueue: {url: \"https://contoso.queue.core.windows.net/expiry\", sas: file:sas.txt}}\n"+
					"  - {name: f, format: azure, directory: {path: events}}\n"))
			},
			[]string{"stop pull[q]: read secret file:sas.txt: ", "stop pull[f].directory: open events: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := open(t, c.change)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i, line := range got {
				if !strings.HasPrefix(line, c.want[i]) {
					t.Errorf("mismatch (-want +got):\n%s", cmp.Diff(c.want[i], line))
				}
			}
		})
	}
}

func remove(t *testing.T, folder, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

// door is a door that names files of each kind.
const door = `listen:
  address: ":8443"
  certificate: door.pem
  key: file:door.key
  sources:
    - {name: pki, format: cloudevents, bearer: [file:old.txt, file:new.txt]}
    - {name: cert, format: cloudevents, clientCertificate: {ca: clients.pem, names: [a]}}
`

// makeDoor makes the files of door, with a certificate that ends so much later than now.
func makeDoor(t *testing.T, folder string, ends time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	write(t, folder, "door.pem", public)
	write(t, folder, "clients.pem", public)
	write(t, folder, "door.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	write(t, folder, "old.txt", []byte("the old secret of the source"))
	write(t, folder, "new.txt", []byte("the new secret of the source"))
}
