package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/connect"
)

// dialWith connects with the profile of a private server.
func dialWith(t *testing.T, profile string) temporal.Client {
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

func TestRun_ServerOnlyIsForItsUserAlone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shown, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, "standalone", append(slices.Clip(anyPorts), "-server-only"), io.Discard, stderr)
		_ = stderr.Close()
	}()
	said := readUntil(t, shown, "Ctrl-C to quit")
	go func() { _, _ = io.Copy(io.Discard, shown) }()
	profile := regexp.MustCompile(`export TEMPORAL_CONFIG_FILE=(\S+)`).FindStringSubmatch(said)
	address := regexp.MustCompile(`Temporal: (\S+)`).FindStringSubmatch(said)
	if profile == nil || address == nil || !strings.Contains(said, ".localhost:") {
		t.Fatalf("what is shown is no way in:\n%s", said)
	}
	if farms, err := client.New(dialWith(t, profile[1])).KnownFarms(ctx); err != nil || len(farms) != 0 {
		t.Errorf("got %d farms and %v, want none: there is no worker", len(farms), err)
	}
	if c, err := connect.Dial(ctx, temporal.Options{HostPort: address[1], Logger: connect.NewLogger(zap.NewNop())}); err == nil {
		c.Close()
		t.Error("without the profile, Temporal answers all the same")
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("got exit code %d", got)
	}
	if _, err := os.Stat(profile[1]); err == nil {
		t.Error("the profile is left behind")
	}
}
