package farmsim_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// wired carries calls over the wire as the farm's own configuration says.
type wired struct {
	runner  *winrm.Runner
	servers map[string]farm.Server
}

func overWire(t testing.TB, testFarm *farmsim.Farm) wired {
	t.Helper()
	c, err := config.Load(testFarm.Config())
	if err != nil {
		t.Fatalf("the farm's own configuration: %v", err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("the farm's own configuration warns: %v", c.Warnings)
	}
	timeouts := winrm.DefaultTimeouts()
	timeouts.Operation, timeouts.Response, timeouts.Cleanup = time.Second, time.Second, time.Second
	w := wired{servers: map[string]farm.Server{}, runner: winrm.New(func(name string) (winrm.Connection, error) {
		ca, err := os.ReadFile(c.Connections[name].CA)
		return winrm.Connection{
			Auth: winrm.Auth(c.Connections[name].Auth), User: c.Connections[name].User, Password: c.Connections[name].Password, CA: ca,
		}, err
	}, zap.NewNop(), winrm.WithTimeouts(timeouts))}
	f := c.Farms[0]
	for _, s := range f.Office.Servers {
		w.servers[s.Host] = s
	}
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			w.servers[s.Host] = s
		}
	}
	return w
}

// Run runs a call on a server by its name alone.
func (w wired) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	s := w.servers[target.Host]
	return w.runner.Run(ctx, powershell.Target{Host: s.Host, Address: s.Address, Connection: s.Connection}, call, result)
}

// TestWire_Procedure checks that the procedure works over the wire with the
// farm's own configuration.
func TestWire_Procedure(t *testing.T) {
	t.Parallel()
	for _, auth := range []model.Auth{model.NTLM, model.Basic} {
		t.Run(string(auth), func(t *testing.T) {
			t.Parallel()
			testFarm := start(t, farmsim.Options{Auth: auth})
			o := newest(t, testFarm)
			o.runner = overWire(t, testFarm)
			o.rotate()
			if diff := cmp.Diff([]string(nil), o.obstacles()); diff != "" {
				t.Errorf("after the procedure something is in the way (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWire_ForeignCommands checks that scripts and commands that are not ours
// are refused as Windows would.
func TestWire_ForeignCommands(t *testing.T) {
	t.Parallel()
	requirePython(t)
	testFarm := start(t, farmsim.Options{Auth: model.Basic, OfficeServers: 1, SharePointServers: 1})
	want := "OOS-01\r\n" + "it works\r\n" +
		"'powershell' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n1\n"
	if diff := cmp.Diff(want, python(t, testFarm)); diff != "" {
		t.Errorf("python3-winrm (-want +got):\n%s", diff)
	}
}

const interpreter = "/usr/bin/python3" // Debian's, which has Debian's modules

func requirePython(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(interpreter, "-c", "import winrm").CombinedOutput(); err != nil {
		t.Skipf("python3-winrm is not installed: %v: %s", err, out)
	}
}

const smokeTest = `
import sys, winrm
url, ca, user, password = sys.argv[1:4] + [open(sys.argv[4]).read()]
s = winrm.Session(url, auth=(user, password), transport='basic', ca_trust_path=ca)
sys.stdout.buffer.write(s.run_cmd('hostname').std_out)
sys.stdout.buffer.write(s.run_cmd('echo it works').std_out)
r = s.run_cmd('powershell', ['-Command', 'Get-Process'])
sys.stdout.buffer.write(r.std_err)
print(r.status_code)
`

func python(t *testing.T, testFarm *farmsim.Farm) string {
	t.Helper()
	c := testFarm.Connections()[0]
	cmd := exec.CommandContext(t.Context(), interpreter, "-c", smokeTest, c.URL, testFarm.CA(), c.User, testFarm.Password())
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=", "HTTPS_PROXY=", "https_proxy=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, &stderr)
	}
	return string(out)
}

// TestWire_Faults checks that faults on the wire reach the client as what they
// are.
func TestWire_Faults(t *testing.T) {
	t.Parallel()
	const host, step = "oos-01.contoso.com", "Get-OfficeServer"
	for _, c := range []struct {
		name string
		f    fault.Fault
		want powershell.Kind
	}{
		{"refused connection", fault.Fault{Kind: fault.Refused}, powershell.Unreachable},
		{"connection cut when the step arrives", fault.Fault{Kind: fault.Refused, Step: step}, powershell.Interrupted},
		{"answer dropped", fault.Fault{Kind: fault.Dropped, Step: step, When: fault.After}, powershell.Interrupted},
		{"401", fault.Fault{Kind: fault.Unauthorized}, powershell.Denied},
		{"quota", fault.Fault{Kind: fault.SOAPFault, Code: 2150859173}, powershell.Quota},
		{"busy", fault.Fault{Kind: fault.SOAPFault, Step: step, Code: 170}, powershell.Busy},
		{"reboot", fault.Fault{Kind: fault.Reboot, Step: step, Delay: fault.Duration(time.Hour)}, powershell.Interrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1})
			w := overWire(t, testFarm)
			c.f.Server = host
			if c.f.Kind != fault.Reboot {
				c.f.Times = -1
			}
			if err := testFarm.AddFaults(c.f); err != nil {
				t.Fatal(err)
			}
			var seen powershell.OfficeServer
			err := w.Run(t.Context(), powershell.Target{Host: host}, powershell.Call{Script: step, Params: powershell.GetOfficeServer{}}, &seen)
			var transport *powershell.TransportError
			if !errors.As(err, &transport) || transport.Kind != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestWire_Reboot checks that a machine that reboots is unreachable and comes
// back.
func TestWire_Reboot(t *testing.T) {
	t.Parallel()
	const host = "oos-01.contoso.com"
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1})
	w := overWire(t, testFarm)
	call := powershell.Call{Script: "Get-OfficeServer", Params: powershell.GetOfficeServer{}}
	var before, after powershell.OfficeServer
	if err := w.Run(t.Context(), powershell.Target{Host: host}, call, &before); err != nil {
		t.Fatal(err)
	}
	if err := testFarm.Reboot(host, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	err := w.Run(t.Context(), powershell.Target{Host: host}, call, &after)
	var transport *powershell.TransportError
	if !errors.As(err, &transport) || transport.Kind != powershell.Unreachable {
		t.Errorf("while it is down: %v", err)
	}
	for err != nil && t.Context().Err() == nil {
		err = w.Run(t.Context(), powershell.Target{Host: host}, call, &after)
	}
	if before.Service.Since == nil || after.Service.Since == nil || !after.Service.Since.After(*before.Service.Since) {
		t.Errorf("WACSM runs since %v, before the reboot since %v", after.Service.Since, before.Service.Since)
	}
	if shells := testFarm.Stats(host).Shells; shells != 0 {
		t.Errorf("%d shells survived", shells)
	}
}

func TestSecrets_OwnerOnly(t *testing.T) {
	t.Parallel()
	testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1})
	for _, path := range []string{testFarm.Password(), testFarm.PFXPassword(), testFarm.Config()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", path, mode)
		}
	}
	password, err := os.ReadFile(testFarm.Password())
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := os.ReadFile(testFarm.Config())
	if err != nil {
		t.Fatal(err)
	}
	if len(password) < 20 || strings.Contains(string(configuration), string(password)) {
		t.Error("the password is short, or stands in the configuration")
	}
}
