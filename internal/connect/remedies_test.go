package connect_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// refusingServer refuses the first call of every client.
type refusingServer struct {
	workflowservice.UnimplementedWorkflowServiceServer

	code codes.Code
}

func (f refusingServer) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return nil, status.Error(f.code, "Request unauthorized.")
}

// serveRefusal starts a server, and returns its address.
func serveRefusal(t *testing.T, code codes.Code, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(s, refusingServer{code: code})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestDial_SaysOnOneLineWhatIsWrongAndWhatToDo(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, of example.com
	t.Cleanup(web.Close)
	plainWeb := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainWeb.Close)
	serverTLS := &tls.Config{Certificates: web.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	asking := serverTLS.Clone()
	asking.ClientAuth = tls.RequireAnyClientCert
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	for name, c := range map[string]struct {
		address string
		tls     *tls.Config
		want    string
	}{
		"refused credentials": {serveRefusal(t, codes.PermissionDenied), nil, "it refuses the credentials; check TEMPORAL_API_KEY, or the client certificate"},
		"no credentials":      {serveRefusal(t, codes.Unauthenticated), nil, "it refuses the credentials; check TEMPORAL_API_KEY, or the client certificate"},
		"the server expects TLS": {
			serveRefusal(t, codes.OK, grpc.Creds(credentials.NewTLS(serverTLS))), nil, "as a server does that expects TLS, or a client certificate; set TEMPORAL_TLS=true",
		},
		"the server has no TLS": {serveRefusal(t, codes.OK), &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, "it does not speak TLS; unset TEMPORAL_TLS"},
		"another authority": {
			serveRefusal(t, codes.OK, grpc.Creds(credentials.NewTLS(serverTLS))), &tls.Config{ServerName: "example.com", MinVersion: tls.VersionTLS12},
			"its certificate is from an authority that is not trusted here; set TEMPORAL_TLS_SERVER_CA_CERT_PATH",
		},
		"another name": {
			serveRefusal(t, codes.OK, grpc.Creds(credentials.NewTLS(serverTLS))), &tls.Config{RootCAs: trusted, ServerName: "temporal.contoso.com", MinVersion: tls.VersionTLS12},
			"its certificate is for example.com, *.example.com, not temporal.contoso.com; set TEMPORAL_TLS_SERVER_NAME",
		},
		"a client certificate is asked for": {
			serveRefusal(t, codes.OK, grpc.Creds(credentials.NewTLS(asking))), &tls.Config{RootCAs: trusted, ServerName: "example.com", MinVersion: tls.VersionTLS12},
			"TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH",
		},
		"a web server": {plainWeb.Listener.Addr().String(), nil, "what answers there is not Temporal; set TEMPORAL_ADDRESS"},
		"nobody":       {"127.0.0.1:1", nil, "nothing listens there; start it there (docker compose up -d; to try things out, farmtrust-standalone -server-only -open), or set TEMPORAL_ADDRESS"},
		"no such host": {"temporal.invalid:7233", nil, "the name is not found; set TEMPORAL_ADDRESS to HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := connect.Dial(t.Context(), client.Options{
				HostPort: c.address, Logger: connect.NewLogger(zap.NewNop()), ConnectionOptions: client.ConnectionOptions{TLS: c.tls},
			})
			if err == nil || !strings.HasPrefix(err.Error(), "reach Temporal at "+c.address+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v\nwant one line with %q", err, c.want)
			}
		})
	}
}
