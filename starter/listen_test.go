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

func TestCheck_OfADoorAloneNeedsNeitherFarmsNorTemporal(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	path, _, _ := doorFile(t)
	runProgram(t, "check", "--config", path).assertExit(t, exitOK, "out:the configuration is valid")
	if err := os.Remove(filepath.Join(filepath.Dir(path), "secret")); err != nil {
		t.Fatal(err)
	}
	runProgram(t, "check", "--config", path).assertExit(t, exitUsage, "out:listen.sources[pki]: read secret file:")
	misspelled := writeFile(t, "queues.yaml", "pull: [{nam: drop, format: cloudevents, directory: {path: events}}]\n")
	got := runProgram(t, "check", "--file-only", "--config", misspelled)
	got.assertExit(t, exitUsage, "pull[0].nam: unknown field: did you mean name?")
	if strings.Contains(got.err, "farms") {
		t.Errorf("farms are asked for: %s", got.err)
	}
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
