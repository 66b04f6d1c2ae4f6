package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

func TestUsage_WrongFlags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		wantText string
	}{
		"unknown flag":               {[]string{"-wat"}, "-wat"},
		"argument":                   {[]string{"contoso"}, `unexpected argument "contoso"`},
		"unknown form":               {[]string{"-o", "xml"}, "use -o table or -o json"},
		"port too large":             {[]string{"-port", "65536"}, "-port 65536"},
		"negative port":              {[]string{"-ui-port", "-1"}, "-ui-port -1"},
		"port that is not a number":  {[]string{"-port", "http"}, "http"},
		"farm without configuration": {[]string{"-farm", "contoso"}, "-config is required"},
		"server only, and a farm":    {[]string{"-server-only", "-exit"}, "-server-only runs no farm"},
		"open, and a farm":           {[]string{"-open", "-config", "f"}, "-open: only together with -server-only"},
		"empty name":                 {[]string{"-config", ""}, "-config has no value"},
		"empty directory":            {[]string{"-data="}, "-data has no value"},
		"no such file":               {[]string{"-config", "nowhere.yaml"}, "nowhere.yaml"},
		"log in a missing folder":    {[]string{"-log", "nowhere/log"}, "nowhere/log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runProgram(t, c.args...).assertUsageError(t, c.wantText)
		})
	}
}

func TestUsage_HelpNamesTheExitCodes(t *testing.T) {
	t.Parallel()
	got := runProgram(t, "-h")
	if got.code != exitOK || !strings.Contains(got.err, "-ui-port") || !strings.Contains(got.err, "Exit codes") {
		t.Errorf("got exit code %d and %s", got.code, got.err)
	}
}

func TestUsage_UnknownFarm(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{WithoutWire: true})
	runProgram(t, "-config", sim.Config(), "-farm", "contosso").assertUsageError(t, "contosso", "contoso")
}

func TestUsage_OneOfSeveralFarmsMustBeNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "farmtrust.yaml")
	text := "farms:\n"
	for _, name := range []string{"fabrikam", "contoso"} {
		text += fmt.Sprintf(`- name: %[1]s
  office: {servers: [oos-01.%[1]s.com], connection: all}
  sharePoint: [{frontEnd: sp-01.%[1]s.com, connection: all, sites: [https://portal.%[1]s.com]}]
  certificate: {source: {directory: {path: %[1]s, password: env:PFX}}}
`, name)
	}
	text += "connections: {all: {auth: ntlm, user: svc@contoso.com, password: env:PASSWORD}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runProgram(t, "-config", file).assertUsageError(t, "choose one with -farm", "fabrikam", "contoso")
}

func TestUsage_PortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	for _, flag := range []string{"-port", "-ui-port"} {
		runProgram(t, flag, port).assertUsageError(t, port, "choose another")
	}
}

func TestUsage_DataDirectory(t *testing.T) {
	t.Parallel()
	sim := startFarm(t, farmsim.Options{WithoutWire: true})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "temporal-1.29.1.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runProgram(t, "-config", sim.Config(), "-data", dir).assertUsageError(t, dir, "1.29.1", embedded.Version)
	runProgram(t, "-data", filepath.Join(dir, "temporal-1.29.1.db")).assertUsageError(t, "temporal-1.29.1.db")
}
