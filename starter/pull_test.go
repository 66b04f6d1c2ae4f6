package main

import (
	"os"
	"path/filepath"
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
	path, folder := pullFile(t)
	if err := os.WriteFile(filepath.Join(folder, "e1.json"), []byte(named), 0o600); err != nil {
		t.Fatal(err)
	}
	assertTakesIn(t, "pull", path, func() {
		const patience = 20 * time.Second
		for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(folder, "done", "e1.json")); err == nil || time.Since(began) > patience {
				break
			}
		}
	})
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
