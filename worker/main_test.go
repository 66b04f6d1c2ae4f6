package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheHelpSaysWhatTheWorkerTakesAndHowItEnds(t *testing.T) {
	var said bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &said); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, part := range []string{"TEMPORAL_ADDRESS", "Examples:\n", "-config", "-log-level", "Exit codes:\n"} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("the help lacks %q:\n%s", part, &said)
		}
	}
}

func TestWhatTheWorkerCannotUseIsOneLineAndExitCodeTwo(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "farmtrust.yaml")
	if err := os.WriteFile(broken, []byte("farms: []\nconnections: {}\nfarm: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":  {[]string{"-confg", "x"}, "worker: flag provided but not defined: -confg: worker -h says what it takes\n"},
		"argument":      {[]string{"x"}, "worker: unexpected argument \"x\": worker -h says what it takes\n"},
		"level":         {[]string{"-log-level", "loud"}, "worker: invalid value \"loud\" for flag -log-level: "},
		"no such file":  {[]string{"-config", broken + ".no"}, "worker: read configuration: open " + broken + ".no: "},
		"unknown field": {[]string{"-config", broken}, broken + ":3: farm: unknown field: did you mean farms?"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			if code := run(t.Context(), c.args, &said); code != exitUsage || !strings.Contains(said.String(), c.want) {
				t.Errorf("exit code %d: %s\nwant %q", code, &said, c.want)
			}
		})
	}
}
