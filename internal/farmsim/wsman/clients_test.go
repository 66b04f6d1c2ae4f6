package wsman_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/masterzen/winrm"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// masterzen is the client of masterzen/winrm, as it comes.
func masterzen(t *testing.T, w testEndpoint, secret string, transport func() winrm.Transporter) *winrm.Client {
	t.Helper()
	host, port, err := net.SplitHostPort(w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	p := winrm.NewParameters("PT5S", "en-US", 153600)
	p.TransportDecorator = transport
	endpoint := winrm.NewEndpoint(host, n, true, false, w.ca, nil, nil, 20*time.Second)
	endpoint.TLSServerName = serverName
	c, err := winrm.NewClientWithParameters(endpoint, user, secret, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMasterzen_RunsCommands(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]func() winrm.Transporter{
		"basic": nil,
		"ntlm":  func() winrm.Transporter { return &winrm.ClientNTLM{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *wsman.Options) { o.Offers = []wsman.Auth{wsman.Auth(name)} })
			c := masterzen(t, w, password, transport)
			var out, stderr bytes.Buffer
			exit, err := c.RunWithContext(t.Context(), "fail", &out, &stderr)
			if err != nil || exit != 3 || out.String() != "out" || stderr.String() != "err" {
				t.Errorf("fail: exit %d, stdout %q, stderr %q, error %v", exit, &out, &stderr, err)
			}
			out.Reset()
			input := strings.Repeat("0123456789abcdef\n", 512)
			runWithInput(t, c, input)
			if s := w.Stats(); s.Shells != 0 || s.Commands != 0 {
				t.Errorf("left behind: %+v", s)
			}
		})
	}
}

// runWithInput asserts that input comes back from cat. On a busy machine net/http
// sometimes drops a good connection; masterzen's client swallows the error of the
// Send that it loses by that, and then waits for output without end. So each
// attempt has a limit, and one of three must succeed.
func runWithInput(t *testing.T, c *winrm.Client, input string) {
	t.Helper()
	const attempts, limit = 3, 20 * time.Second
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		var out, stderr bytes.Buffer
		exit, err := c.RunWithContextWithInput(ctx, "cat", &out, &stderr, strings.NewReader(input))
		lost := ctx.Err() != nil
		cancel()
		if lost && attempt < attempts {
			t.Logf("attempt %d: masterzen's client lost its input: %v", attempt, err)
			continue
		}
		if err != nil || exit != 0 || out.String() != input {
			t.Errorf("cat: exit %d, %d of %d bytes, error %v", exit, out.Len(), len(input), err)
		}
		return
	}
}

func TestMasterzen_WrongPassword(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := masterzen(t, w, "guess", nil)
	if _, err := c.RunWithContext(context.Background(), "hostname", &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("no error")
	}
	if got := w.machine.commands(); len(got) != 0 {
		t.Errorf("commands that ran: %v", got)
	}
}

// pythonAnswer is what testdata/client.py prints.
type pythonAnswer struct {
	Exit           int
	Stdout, Stderr string
	Error          string
}

const interpreter = "/usr/bin/python3" // Debian's, which has Debian's modules

func requirePywinrm(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(interpreter, "-c", "import winrm").CombinedOutput(); err != nil {
		t.Skipf("python3-winrm is not installed: %v: %s", err, out)
	}
}

// python runs commands with Debian's python3-winrm.
func python(t *testing.T, w testEndpoint, transport, encryption, secret string, commands ...string) []pythonAnswer {
	t.Helper()
	requirePywinrm(t)
	dir := t.TempDir()
	ca := writeFile(t, dir, "ca.pem", w.ca)
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{"testdata/client.py", w.URL(), ca, transport, encryption, user}, commands...)...)
	cmd.Env = pythonEnv(t, dir)
	cmd.Stdin = strings.NewReader(secret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, &stderr)
	}
	var answers []pythonAnswer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("python said %q: %v", out, err)
	}
	return answers
}

func TestPywinrm_RunsCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ transport, encryption string }{
		{"basic", "auto"}, {"ntlm", "auto"}, {"ntlm", "always"},
	} {
		t.Run(c.transport+" with encryption "+c.encryption, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *wsman.Options) {
				o.Offers = []wsman.Auth{wsman.Auth(c.transport)}
				o.Binding = wsman.Strict
				o.StreamBytes = 3
			})
			got := python(t, w, c.transport, c.encryption, password, "hostname", "echo grüße", "fail", "unheard-of")
			want := []pythonAnswer{
				{Stdout: "OOS-01\r\n"},
				{Stdout: "grüße\r\n"},
				{Exit: 3, Stdout: "out", Stderr: "err"},
				{Exit: 1, Stderr: "'unheard-of' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			s := w.Stats()
			if s.Shells != 0 {
				t.Errorf("%d shells left", s.Shells)
			}
			if ntlm := c.transport == "ntlm"; ntlm != (s.Bound > 0) {
				t.Errorf("%d authentications with a channel binding token", s.Bound)
			}
			if always := c.encryption == "always"; always != (s.Sealed > 0) {
				t.Errorf("%d sealed requests", s.Sealed)
			}
			for _, c := range w.machine.commands() {
				if c.User != user {
					t.Errorf("%q ran as %q", c.Text(), c.User)
				}
			}
		})
	}
}

func TestPywinrm_WrongPassword(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"basic", "ntlm"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			got := python(t, w, transport, "auto", "guess", "hostname")
			want := []pythonAnswer{{Error: "InvalidCredentialsError: the specified credentials were rejected by the server"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if ran := w.machine.commands(); len(ran) != 0 {
				t.Errorf("commands that ran: %v", ran)
			}
		})
	}
}
