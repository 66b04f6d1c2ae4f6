// Package temporaltest serves fakes of Temporal's frontend to the tests of its clients.
//
// What a fake does not implement, it refuses; what a real server does, the tests of module
// standalone show.
package temporaltest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// Serve serves a frontend until the test ends, on l, which it closes. Errors of package
// serviceerror reach clients as such, also those of interceptors.
func Serve(t testing.TB, l net.Listener, frontend workflowservice.WorkflowServiceServer, interceptors ...grpc.UnaryServerInterceptor) {
	t.Helper()
	s := grpc.NewServer(
		grpc.ChainUnaryInterceptor(append([]grpc.UnaryServerInterceptor{convertErrors}, interceptors...)...),
		// Where the clock is synctest's, hours pass in a moment, with all the pings of a
		// connection that is idle.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	workflowservice.RegisterWorkflowServiceServer(s, frontend)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		// It may be stopped before it has begun to serve.
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
}

// Dial serves a frontend until the test ends, and returns a client of it. Their connection
// is in memory, so that the test's clock may be synctest's.
func Dial(t testing.TB, frontend workflowservice.WorkflowServiceServer, interceptors ...grpc.UnaryServerInterceptor) temporal.Client {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	Serve(t, l, frontend, interceptors...)
	c, err := temporal.DialContext(t.Context(), temporal.Options{
		HostPort: "passthrough:///fake", Logger: connect.NewLogger(zap.NewNop()),
		ConnectionOptions: temporal.ConnectionOptions{DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func convertErrors(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	response, err := next(ctx, request)
	if err != nil {
		return nil, serviceerror.ToStatus(err).Err()
	}
	return response, nil
}
