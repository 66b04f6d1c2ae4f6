package winrm_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/masterzen/winrm"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// BenchmarkCall compares a call of ours with one of masterzen's own NTLM
// client, with the same input: see requests/op, conns/op, and bodies/op, the
// messages that travelled before authentication.
func BenchmarkCall(b *testing.B) {
	stdin, err := powershell.Seal(newCall(8<<10), "benchmark1")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("farmtrust", func(b *testing.B) {
		s := startServer(b, echoHost, wsman.Options{})
		r := newRunner(b, s.connection(b), zap.NewNop())
		measureCalls(b, s, func() error { return r.Run(b.Context(), s.target(), newCall(8<<10), &echo{}) })
	})
	b.Run("masterzen", func(b *testing.B) {
		s := startServer(b, echoHost, wsman.Options{})
		measureCalls(b, s, func() error { return callByMasterzen(b.Context(), s, stdin) })
	})
}

func measureCalls(b *testing.B, s *testServer, call func() error) {
	b.Helper()
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	got, n := s.Stats(), float64(b.N)
	b.ReportMetric(float64(got.Requests)/n, "requests/op")
	b.ReportMetric(float64(got.Opened)/n, "conns/op")
	b.ReportMetric(float64(got.BodiesBeforeAuthentication)/n, "bodies/op")
	b.ReportMetric(float64(got.Open)/n, "left-open/op")
}

// callByMasterzen makes one call with the library's own transport.
func callByMasterzen(ctx context.Context, s *testServer, stdin []byte) error {
	host, digits, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(digits)
	if err != nil {
		return err
	}
	endpoint := winrm.NewEndpoint(host, port, true, false, s.ca, nil, nil, 0)
	endpoint.TLSServerName = serverName
	parameters := winrm.NewParameters("PT20S", "en-US", 150<<10)
	parameters.TransportDecorator = func() winrm.Transporter { return &winrm.ClientNTLM{} }
	client, err := winrm.NewClientWithParameters(endpoint, user, password, parameters)
	if err != nil {
		return err
	}
	var stdout, stderr bytes.Buffer
	exit, err := client.RunWithContextWithInput(ctx, powershell.CommandLine(), &stdout, &stderr, bytes.NewReader(stdin))
	if err == nil && exit != 0 {
		err = errors.New(stdout.String())
	}
	return err
}
