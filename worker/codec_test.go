package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
)

// codecFiles makes a key ring and a file of tokens.
func codecFiles(t *testing.T) (keys, tokens string) {
	t.Helper()
	dir := t.TempDir()
	keys, tokens = filepath.Join(dir, "payloads.keys"), filepath.Join(dir, "tokens")
	if err := keyring.Create(keys); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tokens, []byte("ada "+strings.Repeat("a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return keys, tokens
}

func TestCodec_WrongFlags(t *testing.T) {
	keys, tokens := codecFiles(t)
	for args, want := range map[string]string{
		"": "name the key ring for payloads: -payload-keys FILE",
		"-payload-keys /no/such -tokens " + tokens:                                        "/no/such",
		"-payload-keys " + keys:                                                           "say who may read",
		"-payload-keys " + keys + " -tokens /no/such":                                     "read tokens: ",
		"-payload-keys " + keys + " -issuer https://login.contoso.com":                    "-issuer and -audience need each other",
		"-payload-keys " + keys + " -tokens " + tokens + " -listen :8235":                 "open to other machines: give -certificate and -key",
		"-payload-keys " + keys + " -tokens " + tokens + " -certificate x":                "-certificate and -key need each other",
		"-payload-keys " + keys + " -tokens " + tokens + " -certificate x -key y":         "open x",
		"-payload-keys " + keys + " -tokens " + tokens + " -origin *":                     "an origin is written like",
		"-payload-keys " + keys + " -tokens " + tokens + " -origin https://a.example/x":   "without a path",
		"-payload-keys " + keys + " -tokens " + tokens + " -listen 127.0.0.1:http-no":     "listen tcp",
		"-payload-keys " + keys + " -tokens " + tokens + " -origin http://127.0.0.1:1 -x": "not defined: -x",
	} {
		var said bytes.Buffer
		if code := run(t.Context(), program, append([]string{"codec"}, strings.Fields(args)...), io.Discard, &said); code != exitUsage || !strings.Contains(said.String(), want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", args, code, want, &said)
		}
	}
}

func TestCodec_ServesUntilItIsStopped(t *testing.T) {
	keys, tokens := codecFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, program, []string{"codec", "-payload-keys", keys, "-tokens", tokens, "-listen", "127.0.0.1:0"}, writer, io.Discard)
	}()
	line := make([]byte, 200)
	n, err := reader.Read(line)
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(line[:n]))
	if err != nil || address == "" {
		t.Fatalf("%q, %v", line[:n], err)
	}
	check := func() int {
		return run(t.Context(), program, []string{"codec", "-check", "-listen", address}, io.Discard, io.Discard)
	}
	if code := check(); code != exitOK {
		t.Errorf("while it serves, -check ends with %d", code)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if code := check(); code != exitFailed {
		t.Errorf("once it has ended, -check ends with %d", code)
	}
}

func TestWorker_StoresNothingInClearUnlessItIsTold(t *testing.T) {
	keys, _ := codecFiles(t)
	config := testConfig(t)
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for name, c := range map[string]struct {
		variable string
		args     []string
		want     string
	}{
		"no keys":           {"", []string{"-config", config}, "farmtrust keys new payloads.keys"},
		"no keys to replay": {"", []string{"replay"}, "farmtrust keys new payloads.keys"},
		"both":              {keys, []string{"-config", config, "-clear-payloads"}, "-clear-payloads contradicts the key ring"},
		"lost keys":         {"/no/such", []string{"-config", config}, "/no/such"},
	} {
		t.Setenv(payload.KeysVariable, c.variable)
		var said bytes.Buffer
		if code := run(t.Context(), program, c.args, io.Discard, &said); code != exitUsage || !strings.Contains(said.String(), c.want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", name, code, c.want, &said)
		}
	}
}
