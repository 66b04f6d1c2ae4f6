package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/version"
)

func TestUsage_Help(t *testing.T) {
	var said bytes.Buffer
	if code := run(t.Context(), "ft-worker", []string{"-h"}, io.Discard, &said); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, part := range []string{"TEMPORAL_ADDRESS", "Examples:\n  ft-worker\n  ft-worker -config", "-log-level", "-version", "Exit codes:\n"} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("the help lacks %q:\n%s", part, &said)
		}
	}
}

func TestVersion(t *testing.T) {
	var out, said bytes.Buffer
	if code := run(t.Context(), program, []string{"-version"}, &out, &said); code != exitOK || said.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &said)
	}
	if want := program + " " + version.Read().String() + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestFingerprints(t *testing.T) {
	var out, said bytes.Buffer
	if code := run(t.Context(), program, []string{"-fingerprints"}, &out, &said); code != exitOK || said.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &said)
	}
	for _, f := range powershell.Fingerprints() {
		if !strings.Contains(out.String(), f.SHA256+"  "+f.Of+"\n") {
			t.Errorf("%s is not shown", f.Of)
		}
	}
}

func TestUsage_WrongFlagsAndConfiguration(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "farmtrust.yaml")
	if err := os.WriteFile(broken, []byte("farms: []\nconnections: {}\nfarm: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":         {[]string{"-confg", "x"}, "farmtrust-worker: flag provided but not defined: -confg; see farmtrust-worker -h\n"},
		"argument":             {[]string{"x"}, "farmtrust-worker: unexpected argument \"x\"; see farmtrust-worker -h\n"},
		"level":                {[]string{"-log-level", "loud"}, "farmtrust-worker: invalid value \"loud\" for flag -log-level: "},
		"no such file":         {[]string{"-config", broken + ".no"}, "farmtrust-worker: read configuration: open " + broken + ".no: "},
		"health, no such file": {[]string{"health", "-config", broken + ".no"}, "farmtrust-worker: read configuration: open " + broken + ".no: "},
		"unknown field":        {[]string{"-config", broken}, broken + ":3: farm: unknown field: did you mean farms?"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			if code := run(t.Context(), program, c.args, io.Discard, &said); code != exitUsage || !strings.Contains(said.String(), c.want) {
				t.Errorf("exit code %d: %s\nwant %q", code, &said, c.want)
			}
		})
	}
}
