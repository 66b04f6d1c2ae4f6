package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pullFile is a file that takes events from a folder. It has no farms.
func pullFile(t *testing.T) (path, folder string) {
	t.Helper()
	path = writeFile(t, "queues.yaml", "pull: [{name: drop, format: cloudevents, directory: {path: events}}]\n")
	folder = filepath.Join(filepath.Dir(path), "events")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return path, folder
}

func TestPull_AnEventReachesItsFarm(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(inOrderState("contoso"))
	path, folder := pullFile(t)
	if err := os.WriteFile(filepath.Join(folder, "e1.json"), []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, programName, []string{"pull", "--config", path, "--clear-payloads"}, strings.NewReader(""), &bytes.Buffer{}, &log)
	}()
	const patience = 20 * time.Second
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(folder, "done", "e1.json")); err == nil || time.Since(began) > patience {
			break
		}
	}
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

func TestPull_WhatIsWrong(t *testing.T) {
	startTemporal(t, &fakeTemporal{})
	path, _ := pullFile(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no file":     {nil, "name the file that says where events wait: --config FILE"},
		"no queue":    {[]string{"--config", writeFile(t, "farmtrust.yaml", twoFarms)}, "has no section pull"},
		"no key ring": {[]string{"--config", path}, "workers that encrypt take nothing in clear"},
	} {
		t.Run(name, func(t *testing.T) {
			runProgram(t, append([]string{"pull"}, c.args...)...).assertExit(t, exitUsage, c.want)
		})
	}
}
