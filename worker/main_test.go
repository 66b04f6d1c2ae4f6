package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/version"
)

func TestUsage_Help(t *testing.T) {
	var said bytes.Buffer
	if code := run(t.Context(), "ft-worker", []string{"-h"}, io.Discard, &said); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, part := range []string{"TEMPORAL_ADDRESS", "Examples:\n  ft-worker\n  ft-worker -config", "-log-level", "-log-format", "-version", "Exit codes:\n"} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("the help lacks %q:\n%s", part, &said)
		}
	}
}

func TestVersion(t *testing.T) {
	var out, said bytes.Buffer
	if code := run(t.Context(), program, []string{"-version"}, &out, &said); code != exitOK || said.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &said)
	}
	if want := program + " " + version.Read().String() + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestFingerprints(t *testing.T) {
	var out, said bytes.Buffer
	if code := run(t.Context(), program, []string{"-fingerprints"}, &out, &said); code != exitOK || said.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &said)
	}
	for _, f := range powershell.Fingerprints() {
		if !strings.Contains(out.String(), f.SHA256+"  "+f.Of+"\n") {
			t.Errorf("%s is not shown", f.Of)
		}
	}
}

func TestUsage_WrongFlagsAndConfiguration(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "farmtrust.yaml")
	if err := os.WriteFile(broken, []byte("farms: []\nconnections: {}\nfarm: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":  {[]string{"-confg", "x"}, "farmtrust-worker: flag provided but not defined: -confg; see farmtrust-worker -h\n"},
		"no build":      {[]string{"-deployment", "farmtrust"}, "farmtrust-worker: -deployment and -build: a deployment needs a name and a build ID; see farmtrust-worker -h\n"},
		"no deployment": {[]string{"-build", "v1"}, "farmtrust-worker: -deployment and -build: a deployment needs a name and a build ID; see farmtrust-worker -h\n"},
		"retention":     {[]string{"namespace", "-retention", "1h"}, "farmtrust-worker: -retention 1h0m0s is too short: a Temporal server keeps ended workflows for 24h0m0s at least\n"},
		"of namespace":  {[]string{"namespace", "office"}, "farmtrust-worker: unexpected argument \"office\"; see farmtrust-worker namespace -h\n"},
		"of replay":     {[]string{"replay", "-confg", "x"}, "farmtrust-worker: flag provided but not defined: -confg; see farmtrust-worker replay -h\n"},
		"argument":      {[]string{"x"}, "farmtrust-worker: unexpected argument \"x\"; see farmtrust-worker -h\n"},
		"level":         {[]string{"-log-level", "loud"}, "farmtrust-worker: invalid value \"loud\" for flag -log-level: "},
		"format":        {[]string{"-log-format", "xml"}, "farmtrust-worker: invalid value \"xml\" for flag -log-format: a log is text or json; see farmtrust-worker -h\n"},
		"no such file":  {[]string{"-config", broken + ".no"}, "farmtrust-worker: read configuration: open " + broken + ".no: "},
		"unknown field": {[]string{"-config", broken}, broken + ":3: farm: unknown field: did you mean farms?"},
		"of health":     {[]string{"health", "-config", broken + ".no"}, "farmtrust-worker: read configuration: open " + broken + ".no: "},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			if code := run(t.Context(), program, c.args, io.Discard, &said); code != exitUsage || !strings.Contains(said.String(), c.want) {
				t.Errorf("exit code %d: %s\nwant %q", code, &said, c.want)
			}
		})
	}
}

func TestUsage_HelpOfCommands(t *testing.T) {
	for command, parts := range map[string][]string{
		"namespace": {"Examples:\n  ft-worker namespace\n", "-retention", "Temporal Cloud"},
		"codec":     {"Examples:\n  ft-worker codec -payload-keys", "-origin", "-tokens"},
		"replay":    {"Examples:\n  ft-worker replay\n", "-config", "Exit codes:\n"},
	} {
		t.Run(command, func(t *testing.T) {
			var said bytes.Buffer
			if code := run(t.Context(), "ft-worker", []string{command, "-h"}, io.Discard, &said); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			for _, part := range parts {
				if !strings.Contains(said.String(), part) {
					t.Errorf("the help lacks %q:\n%s", part, &said)
				}
			}
		})
	}
}

// testFarm is a configuration with one farm.
const testFarm = `farms:
  - name: contoso
    office: {servers: [oos-01.contoso.com], connection: all}
    sharePoint: [{frontEnd: sp-01.contoso.com, servers: [sp-01.contoso.com], sites: [https://portal.contoso.com], connection: all, issuerName: OOS, runAs: direct}]
    certificate: {source: {directory: {path: /pfx, password: env:PASSWORD}}, leadTime: 30d}
connections: {all: {auth: ntlm, user: CONTOSO\svc, password: env:PASSWORD}}
`

// testConfig writes a configuration.
func testConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "farmtrust.yaml")
	if err := os.WriteFile(path, []byte(testFarm), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sealingConfig writes a configuration with keys to seal with.
func sealingConfig(t *testing.T) string {
	t.Helper()
	path := testConfig(t)
	if err := keyring.Create(filepath.Join(filepath.Dir(path), "seal.keys")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(testFarm+"keys: {seal: file:seal.keys}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTemporal(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	t.Run("a worker that is stopped while it waits stops as asked", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var said bytes.Buffer
		if code := run(ctx, program, []string{"-config", sealingConfig(t), "-clear-payloads"}, io.Discard, &said); code != exitOK {
			t.Errorf("exit code %d: %s", code, &said)
		}
	})
	t.Run("one without keys to seal with does not start", func(t *testing.T) {
		var said bytes.Buffer
		code := run(t.Context(), program, []string{"-config", testConfig(t), "-clear-payloads"}, io.Discard, &said)
		if code != exitUsage || !strings.Contains(said.String(), "farmtrust keys new FILE") {
			t.Errorf("exit code %d: %s", code, &said)
		}
	})
	t.Run("replay does not wait", func(t *testing.T) {
		var said bytes.Buffer
		code := run(t.Context(), program, []string{"replay", "-clear-payloads"}, io.Discard, &said)
		if code != exitFailed || !strings.Contains(said.String(), "reach Temporal at 127.0.0.1:1: ") {
			t.Errorf("exit code %d: %s", code, &said)
		}
	})
	t.Run("a namespace of Temporal Cloud is made with its own commands", func(t *testing.T) {
		t.Setenv("TEMPORAL_ADDRESS", "prod.a2dd6.tmprl.cloud:7233")
		t.Setenv("TEMPORAL_NAMESPACE", "prod.a2dd6")
		t.Setenv("TEMPORAL_TLS", "true")
		var said bytes.Buffer
		code := run(t.Context(), program, []string{"namespace"}, io.Discard, &said)
		if code != exitFailed || !strings.Contains(said.String(), "tcld namespace search-attributes add --namespace prod.a2dd6 ") {
			t.Errorf("exit code %d: %s", code, &said)
		}
	})
}
