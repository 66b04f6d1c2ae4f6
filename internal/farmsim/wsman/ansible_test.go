package wsman_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

func TestAnsible_RawCommand(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("ansible", "--version").CombinedOutput(); err != nil {
		t.Skipf("ansible is not installed: %v: %s", err, out)
	}
	requirePywinrm(t)
	w := start(t, func(o *wsman.Options) { o.Offers = []wsman.Auth{wsman.NTLM} })
	dir := t.TempDir()
	inventory := filepath.Join(dir, "inventory.yaml")
	content := fmt.Sprintf(`all:
  hosts:
    %s:
      ansible_connection: winrm
      ansible_winrm_transport: ntlm
      ansible_winrm_scheme: https
      ansible_winrm_ca_trust_path: %s
      ansible_host: 127.0.0.1
      ansible_port: %s
      ansible_user: %s
      ansible_password: %q
`, serverName, writeFile(t, dir, "ca.pem", w.ca), w.Addr().String()[strings.LastIndexByte(w.Addr().String(), ':')+1:], user, password)
	writeFile(t, dir, "inventory.yaml", []byte(content))
	cmd := exec.CommandContext(t.Context(), "ansible", "-i", inventory, serverName, "-m", "raw", "-a", "hostname")
	cmd.Env = append(pythonEnv(t, dir), "ANSIBLE_LOCAL_TEMP="+dir, "ANSIBLE_HOME="+dir, "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "rc=0") || !strings.Contains(string(out), "OOS-01") {
		t.Errorf("error %v\n%s", err, out)
	}
	if s := w.Stats(); s.Shells != 0 {
		t.Errorf("%d shells left", s.Shells)
	}
}

// pythonEnv lets Python do NTLM, which needs MD4, which OpenSSL 3 keeps in its
// legacy provider; and verify by the given authority, which these variables of
// requests would override.
func pythonEnv(t *testing.T, dir string) []string {
	t.Helper()
	conf := writeFile(t, dir, "openssl.cnf", []byte(`openssl_conf = init
[init]
providers = providers
[providers]
default = active
legacy = active
[active]
activate = 1
`))
	env := []string{"OPENSSL_CONF=" + conf, "NO_PROXY=127.0.0.1"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "REQUESTS_CA_BUNDLE=") && !strings.HasPrefix(v, "CURL_CA_BUNDLE=") {
			env = append(env, v)
		}
	}
	return env
}

func writeFile(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
