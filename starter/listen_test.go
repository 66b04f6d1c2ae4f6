package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// doorFile is the file of a door at a free port, and a client that trusts it. It has no
// farms.
func doorFile(t *testing.T) (path, url string, sender *http.Client) {
	t.Helper()
	set, err := mtls.New([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range map[string]string{"door.pem": string(set.Server.Certificate), "door.key": string(set.Server.Key), "secret": "a secret that is long enough\n"} {
		if err := secret.Replace(filepath.Join(folder, name), []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, "door.yaml")
	content := fmt.Sprintf(`listen:
  address: %q
  certificate: door.pem
  key: file:door.key
  sources: [{name: pki, format: cloudevents, bearer: [file:secret]}]
`, address)
	if err := secret.Replace(path, []byte(content)); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(set.Authority)
	sender = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(sender.CloseIdleConnections)
	return path, "https://" + address, sender
}

// post sends a CloudEvent to the door, once it is open.
func post(t *testing.T, sender *http.Client, url, body string) int {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/events/pki", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/cloudevents+json")
		r.Header.Set("Authorization", "Bearer a secret that is long enough")
		answer, err := sender.Do(r)
		if err == nil {
			answer.Body.Close()
			return answer.StatusCode
		}
		if time.Since(began) > 15*time.Second {
			t.Fatal(err)
		}
	}
}

// assertTakesIn runs a command until an event has been brought to it, and asserts that the
// event's farm, and no other, has heard it.
func assertTakesIn(t *testing.T, command, path string, bring func()) {
	t.Helper()
	f := startTemporal(t, &fakeTemporal{})
	f.addController(inOrderState("contoso"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, programName, []string{command, "--config", path, "--clear-payloads"}, strings.NewReader(""), &bytes.Buffer{}, &log)
	}()
	bring()
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d\n%s", code, log.String())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []string{"contoso: near expiry of s2s in //scanner (event e1)"}; !slices.Equal(f.events, want) {
		t.Errorf("farms heard %q, want %q\n%s", f.events, want, log.String())
	}
}

func TestListen_AnEventReachesItsFarm(t *testing.T) {
	path, url, sender := doorFile(t)
	assertTakesIn(t, "listen", path, func() {
		if got := post(t, sender, url, named); got != http.StatusAccepted {
			t.Errorf("answered %d, want 202", got)
		}
	})
}

func TestListen_WhatIsWrong(t *testing.T) {
	startTemporal(t, &fakeTemporal{})
	path, _, _ := doorFile(t)
	guessed, _, _ := doorFile(t)
	if err := secret.Replace(filepath.Join(filepath.Dir(guessed), "secret"), []byte("hunter2")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":                      {nil, "name the file that says who may send: --config FILE"},
		"no door":                      {[]string{"--config", writeFile(t, "farmtrust.yaml", twoFarms)}, "has no section listen"},
		"no key ring":                  {[]string{"--config", path}, "workers that encrypt take nothing in clear"},
		"a secret that can be guessed": {[]string{"--config", guessed}, "make one with openssl rand -hex 32"},
	} {
		t.Run(name, func(t *testing.T) {
			runProgram(t, append([]string{"listen"}, c.args...)...).assertExit(t, exitUsage, c.want)
		})
	}
}

// A file that only takes events in is checked without Temporal, and what it names is opened.
func TestCheck_AFileThatOnlyTakesEventsIn(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // nobody is there
	path, _, _ := doorFile(t)
	valid := "out:" + path + ": the configuration is valid\n"
	runProgram(t, "check", "--config", path).assertExit(t, exitOK, valid)
	queues, folder := pullFile(t)
	runProgram(t, "check", "--config", queues).assertExit(t, exitOK, "out:the configuration is valid")
	runProgram(t, "check", "--config", path, "contoso").assertExit(t, exitUsage, `unknown farm "contoso": there are no farms of `+path)

	for name, c := range map[string]struct {
		spoil func() error
		path  string
		want  string
	}{
		"a secret that can be guessed": {func() error { return secret.Replace(filepath.Join(filepath.Dir(path), "secret"), []byte("hunter2")) }, path, "listen.sources[pki]: "},
		"a key of another":             {func() error { return secret.Replace(filepath.Join(filepath.Dir(path), "door.key"), []byte("none")) }, path, "listen.certificate: "},
		"a folder that is gone":        {func() error { return os.Remove(folder) }, queues, "pull[drop].directory: "},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.spoil(); err != nil {
				t.Fatal(err)
			}
			got := runProgram(t, "check", "--config", c.path)
			got.assertExit(t, exitUsage, "out:"+c.path+": "+c.want)
			if strings.Contains(got.out, "farmtrust-worker check") {
				t.Errorf("it names a command that does not take the file:\n%s", got.out)
			}
			runProgram(t, "check", "--config", c.path, "--file-only").assertExit(t, exitOK)
		})
	}
	runProgram(t, "check", "--config", writeFile(t, "door.yaml", "listen: {address: \":8443\"}\n")).assertExit(t, exitUsage, "door.yaml:1: listen: lacks a certificate", "door.yaml:1: listen.sources: missing")
	misspelled := writeFile(t, "queues.yaml", "pull: [{nam: drop, format: cloudevents, directory: {path: events}}]\n")
	runProgram(t, "check", "--config", misspelled).assertExit(t, exitUsage, "pull[0].nam: unknown field: did you mean name?")
	runProgram(t, "check", "--config", writeFile(t, "worker.yaml", "connections: {}\npull: []\n")).assertExit(t, exitUsage, "worker.yaml:1: farms: missing")
}
