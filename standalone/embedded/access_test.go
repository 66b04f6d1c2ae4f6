package embedded_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// dialWith connects with a profile, as other programs of the user do.
func dialWith(t *testing.T, profile string) client.Client {
	t.Helper()
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFilePath: profile})
	if err != nil {
		t.Fatal(err)
	}
	options.Logger = connect.NewLogger(zap.NewNop())
	c, err := connect.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ask asks for what every server tells everybody who may connect.
func ask(t *testing.T, address string, how credentials.TransportCredentials) error {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(how))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = workflowservice.NewWorkflowServiceClient(c).GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	return err
}

func TestStart_PrivateServerIsForThoseWhoHaveTheProfile(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"in memory": "", "with a data directory": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.Private, o.DataDir = true, dir
			s, err := embedded.Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(s.Profile())
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("the profile: %v, %v", info.Mode(), err)
			}
			c := dialWith(t, s.Profile())
			w := runWorker(t, c)
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, nap, time.Duration(0))
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Get(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			w.Stop()
			assertOthersAreRefused(t, s.Address())
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(s.Profile()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the profile outlives the server: %v", err)
			}
		})
	}
}

// assertOthersAreRefused fails the test if a user who cannot read the profile can ask
// a service anything.
func assertOthersAreRefused(t *testing.T, address string) {
	t.Helper()
	foreign, err := mtls.New([]string{"127.0.0.1"}, "user")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(foreign.Clients["user"].Certificate, foreign.Clients["user"].Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, how := range map[string]credentials.TransportCredentials{
		"without TLS":           insecure.NewCredentials(),
		"without a certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}),                                               //nolint:gosec // as an attacker would
		"with one of their own": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}), //nolint:gosec // as an attacker would
	} {
		if err := ask(t, address, how); status.Code(err) != codes.Unavailable {
			t.Errorf("%s answers %s: %v", address, name, err)
		}
	}
}

// Whatever listens, the internal services included, is found by what the process has
// open, so that a port that is added is tested too.
func TestStart_EveryPortOfAPrivateServerRefusesOthers(t *testing.T) {
	t.Parallel()
	process := startProcess(t, serveEnv+"="+t.TempDir(), privateEnv+"=true")
	ports := listeningPorts(t, process.pid)
	if len(ports) < 5 {
		t.Fatalf("got the ports %v; four services and the UI listen", ports)
	}
	for _, port := range ports {
		t.Run(fmt.Sprint(port), func(t *testing.T) {
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			assertOthersAreRefused(t, address)
			assertNoHTTP(t, address)
		})
	}
}

// A page of any site can post plain text to any port of this machine.
func TestStart_NoPortTakesWhatAnyPageCanPost(t *testing.T) {
	t.Parallel()
	process := startProcess(t, serveEnv+"="+t.TempDir())
	for _, port := range listeningPorts(t, process.pid) {
		t.Run(fmt.Sprint(port), func(t *testing.T) {
			assertNoHTTP(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		})
	}
	c := dial(t, process.address)
	if n, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{}); err != nil || n.Count > 0 {
		t.Errorf("%d workflows were started, %v", n.GetCount(), err)
	}
}

// assertNoHTTP fails the test if a port does what a page of another site posts.
func assertNoHTTP(t *testing.T, address string) {
	t.Helper()
	body := `{"workflowType":{"name":"nap"},"taskQueue":{"name":"q"}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/v1/namespaces/default/workflows/x", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/plain")
	request.Header.Set("Origin", "https://evil.example")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return // no HTTP there
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode < 400 || err != nil {
		t.Errorf("%s: %s %s %v", address, answer.Status, text, err)
	}
}

// listeningPorts lists the TCP ports that a process listens on.
//
// Source: proc(5), /proc/pid/fd and /proc/net/tcp: 0A is LISTEN.
func listeningPorts(t *testing.T, pid int) (ports []int) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Skip("only Linux tells what a process has open")
	}
	sockets := map[string]bool{}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != "0A" || !sockets[fields[9]] {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, int(port))
		}
	}
	return ports
}
