package deploy_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/farmtrust/farmtrust/internal/mtls"
)

// variables are those of a service, as a lookup.
type variables []string

// Environ implements [envconfig.EnvLookup].
func (v variables) Environ() []string { return v }

// LookupEnv implements [envconfig.EnvLookup].
func (v variables) LookupEnv(name string) (string, bool) {
	for _, pair := range v {
		if found, value, _ := strings.Cut(pair, "="); found == name {
			return value, true
		}
	}
	return "", false
}

// dial connects to Temporal as a service does.
func (top *topology) dial(t *testing.T, service string) client.Client {
	t.Helper()
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{DisableFile: true, EnvLookup: variables(top.env(service))})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.DialContext(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// assertOnlyItsOwnGetIn fails the test if somebody without a certificate of the job can
// ask one of Temporal's services anything.
func (top *topology) assertOnlyItsOwnGetIn(t *testing.T) {
	t.Helper()
	for _, name := range []string{"FRONTEND_GRPC_PORT", "HISTORY_GRPC_PORT", "MATCHING_GRPC_PORT", "WORKER_GRPC_PORT"} {
		for how, c := range map[string]struct {
			credentials credentials.TransportCredentials
			refused     bool
		}{
			"without TLS":                   {insecure.NewCredentials(), true},
			"without a certificate":         {foreignTLS(), true},
			"with a certificate of its own": {foreignTLS(foreignCertificate(t)), true},
			"with the worker's certificate": {foreignTLS(top.workerCertificate(t)), false},
		} {
			// An internal service does not know the question: that is an answer.
			err := askService(t, "127.0.0.1:"+top.ports[name], c.credentials)
			if refused := status.Code(err) == codes.Unavailable; refused != c.refused {
				t.Errorf("%s is asked %s: %v", name, how, err)
			}
		}
	}
	if c, err := net.DialTimeout("tcp", "127.0.0.1:7243", time.Second); err == nil {
		_ = c.Close()
		t.Error("Temporal has an HTTP API")
	}
}

// assertUIAnswersItsOwnPagesAlone fails the test if a page that is not the UI's can ask
// the UI, or one of its own change something.
func (top *topology) assertUIAnswersItsOwnPagesAlone(t *testing.T) {
	t.Helper()
	own := "127.0.0.1:" + top.ports["GUARD_PORT"]
	for name, c := range map[string]struct {
		method, host, origin, content string
		want                          int
	}{
		"its own page":     {http.MethodGet, own, "", "", http.StatusOK},
		"another name":     {http.MethodGet, "evil.example", "", "", http.StatusMisdirectedRequest},
		"plain text":       {http.MethodPost, own, "", "text/plain", http.StatusForbidden},
		"a foreign origin": {http.MethodPost, own, "https://evil.example", "application/json", http.StatusForbidden},
		"a change":         {http.MethodPost, own, "http://" + own, "application/json", http.StatusMethodNotAllowed},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+own+"/api/v1/namespaces/default/workflows", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = c.host
		request.Header = http.Header{"Origin": {c.origin}, "Content-Type": {c.content}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s: got %s, want %d", name, response.Status, c.want)
		}
	}
}

// foreignTLS shows these certificates, and connects to anybody who answers.
func foreignTLS(own ...tls.Certificate) credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, Certificates: own}) //nolint:gosec // as an attacker would
}

// foreignCertificate is one that another job has made.
func foreignCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	set, err := mtls.New([]string{"temporal"}, "worker")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(set.Clients["worker"].Certificate, set.Clients["worker"].Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// workerCertificate is the one that the job has made for the worker.
func (top *topology) workerCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(top.adapt("/tls/worker/cert.pem"), top.adapt("/tls/worker/key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// askService asks for what a service tells everybody who may connect.
func askService(t *testing.T, address string, how credentials.TransportCredentials) error {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(how))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = workflowservice.NewWorkflowServiceClient(c).GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	return err
}
