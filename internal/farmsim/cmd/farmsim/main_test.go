package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
)

// TestRun_ReadyLine checks that one line says where everything is and that the
// admin address serves it.
func TestRun_ReadyLine(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, in := io.Pipe()
	dir := filepath.Join(t.TempDir(), "farm")
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-office", "2", "-approval", "-sharepoint", "2", "-servers", "1", "-auth", "basic", "-selfsigned", "-dir", dir}, in, &stderr)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("no ready line; standard error: %s", &stderr)
	}
	var where ready
	if err := json.Unmarshal(lines.Bytes(), &where); err != nil {
		t.Fatalf("ready line %q: %v", lines.Text(), err)
	}
	if len(where.Servers) != 4 || !strings.HasPrefix(where.Servers[0].URL, "https://127.0.0.1:") || where.User != "svc-farmtrust" {
		t.Errorf("ready line: %+v", where)
	}
	if _, err := os.Stat(strings.TrimPrefix(where.Password, "file:")); err != nil {
		t.Error(err)
	}
	if c, err := config.Load(where.Config); err != nil || len(c.Farms) != 1 || len(c.Farms[0].SharePoint) != 2 || !c.Farms[0].Rotation.Approval {
		t.Errorf("configuration: %v", err)
	}
	if got := get(t, where.Admin+"/state"); !strings.Contains(got, "oos-02.contoso.com") {
		t.Errorf("state: %.200s", got)
	}
	cancel()
	if lines.Scan() {
		t.Errorf("a second line: %q", lines.Text())
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, response.StatusCode, err)
	}
	return string(body)
}

// TestRun_BadFlags checks that bad flags are one clear line and exit code 2.
func TestRun_BadFlags(t *testing.T) {
	t.Parallel()
	for flags, says := range map[string]string{
		"-bogus":            "flag provided but not defined: -bogus",
		"-office many":      `invalid value "many" for flag -office`,
		"-office 0":         "-office, -sharepoint and -servers must be at least 1",
		"-office 101":       "office servers: 101 is not between 1 and 100",
		"-version 2013":     `SharePoint "2013" is not one of 2016, 2019 and SE`,
		"-auth kerberos":    `authentication "kerberos" is neither basic nor ntlm`,
		"-latency -1s":      "-latency must not be negative",
		"more":              `unexpected argument "more"`,
		"-servers 0 -dir x": "must be at least 1",
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(flags), &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), says) || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, standard error %q, standard output %q", flags, code, &stderr, &stdout)
		}
	}
}

func TestRun_HelpListsFlags(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, io.Discard, &stderr); code != 0 || !strings.Contains(stderr.String(), "-selfsigned") {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
}

// TestRun_BadFolder checks that a folder that cannot be made is one clear line.
func TestRun_BadFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-dir", filepath.Join(file, "farm")}, io.Discard, &stderr); code != exitFailure || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
}
