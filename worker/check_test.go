package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// startFarm starts a simulated farm, which ends with the test.
func startFarm(t *testing.T) *farmsim.Farm {
	t.Helper()
	sim, err := farmsim.Start(context.Background(), farmsim.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

// check runs the command, and returns its exit code and what it wrote.
func check(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1") // nothing listens there
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), program, append([]string{"check"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestCheck_LooksAtTheServersOfTheFile(t *testing.T) {
	sim := startFarm(t)
	code, out, said := check(t, "-config", sim.Config())
	if code != exitOK || !strings.Contains(out, "servers answered") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	if want := "contoso: configuration " + c.HashFarm(c.Farms[0]); !strings.Contains(out, want) {
		t.Errorf("the output lacks %q:\n%s", want, out)
	}
}

// editConfig writes an edited configuration beside that of a farm, and returns its path.
func editConfig(t *testing.T, sim *farmsim.Farm, edit func(text string) string) string {
	t.Helper()
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(sim.Config()), "edited.yaml")
	if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck_NamesAServerThatDoesNotAnswer(t *testing.T) {
	file := editConfig(t, startFarm(t), func(text string) string {
		address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(text)
		return strings.Replace(text, address, "127.0.0.1:1", 1)
	})
	code, out, said := check(t, "-config", file)
	if code != exitFailed || !strings.Contains(out, "4 of 5 servers answered") || !strings.Contains(out, "127.0.0.1:1") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}

func TestCheck_OpensWhatTheFileNamesBeforeAnyServer(t *testing.T) {
	file := editConfig(t, startFarm(t), func(text string) string {
		return strings.ReplaceAll(text, "file:", "file:not-")
	})
	code, out, said := check(t, "-config", file)
	if code != exitUsage || !strings.Contains(said, ".password: ") || strings.Contains(out, "answered") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}
