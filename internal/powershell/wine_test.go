package powershell_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// wine is a Windows machine of a test's own, as Wine has it: registry and
// certificate stores are real implementations of Windows' interfaces, by other
// people than Microsoft. Keys and access control are not, so they are left out.
type wine struct {
	launcher string
	env      []string
	prelude  string
	// cmd is the program that WinRM runs commands with, before the engine's
	// path; empty starts the engine itself.
	cmd []string
}

// wineLauncher finds the PowerShell for Wine, or skips the test.
func wineLauncher(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("FARMTRUST_PWSH_WINE"); path != "" {
		return path
	}
	t.Skip("no PowerShell for Wine: set FARMTRUST_PWSH_WINE")
	return ""
}

// wineProgram finds a program of Wine, which Debian keeps off the path.
func wineProgram(name string) string {
	for _, path := range []string{name, "/usr/lib/wine/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// newWine makes a machine, which takes some ten seconds and 700 MB.
func newWine(t *testing.T) *wine {
	t.Helper()
	launcher := wineLauncher(t)
	prefix := t.TempDir()
	w := &wine{launcher: launcher, prelude: winePrelude(t), env: append(os.Environ(),
		"FARMTRUST_WINE_PREFIX="+prefix, "WINEPREFIX="+prefix, "WINEDEBUG=-all", "DISPLAY=",
		// Under Wine the collector fails, so it must not run: there is room for all, as
		// the launcher makes it, and large objects do not call for a collection.
		"DOTNET_GCgen0size=0x20000000", "DOTNET_GCLOHThreshold=0x8000000")}
	// Wine's server writes the registry when it ends, some seconds after its
	// last program. From then on it stays, for the whole test.
	if _, stderr, exit, err := w.start(t.Context(), nil); err != nil || exit != powershell.ExitBadStdin {
		t.Fatalf("start Wine: exit code %d, %v: %s", exit, err, stderr)
	}
	w.server(t, "-w")
	w.server(t, "-p")
	t.Cleanup(func() {
		w.server(t, "-k")
		w.server(t, "-w")
	})
	return w
}

// server runs Wine's server with an option.
func (w *wine) server(t *testing.T, option string) {
	t.Helper()
	// Not the test's context: that is done when it cleans up.
	cmd := exec.CommandContext(context.Background(), wineProgram("wineserver"), option) //nolint:gosec,usetesting // see above
	cmd.Env = w.env
	// Its output is not read: the server would keep the pipe open.
	if err := cmd.Run(); err != nil {
		t.Logf("wineserver %s: %v", option, err)
	}
}

// winePrelude is what ships, but for what needs a key, and for how stores are
// closed.
func winePrelude(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("scripts/prelude/windows/*.ps1")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var machine strings.Builder
	for _, file := range append(files, "testdata/wine/wine.ps1") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if filepath.Base(file) == "store.ps1" {
			text = closeStoresOnWine(text)
		}
		machine.WriteString(text + "\n")
	}
	return powershell.PreludeOn(machine.String())
}

// closeStoresOnWine returns a script with its stores closed as Wine needs it.
func closeStoresOnWine(script string) string {
	return strings.ReplaceAll(script, "$opened.Close()", "Close-WineStore $opened")
}

func (w *wine) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	script, err := powershell.Source(call.Script)
	if err != nil {
		return err
	}
	return w.runText(ctx, target, call, script, result)
}

// runText runs a script of the test's own under call's name and parameters.
func (w *wine) runText(ctx context.Context, target powershell.Target, call powershell.Call, script string, result any) error {
	prelude := w.prelude
	if coverage != nil {
		var err error
		if prelude, err = coverage.Instrument("Z:", prelude, script); err != nil {
			return err
		}
	}
	return w.send(ctx, prelude, script, target, call, result)
}

// send seals a call and reads its result.
func (w *wine) send(ctx context.Context, prelude, script string, target powershell.Target, call powershell.Call, result any) error {
	params, err := json.Marshal(call.Params)
	if err != nil {
		return err
	}
	envelope := powershell.Envelope{
		Prelude: prelude, Name: call.Script, Script: script,
		Nonce: rand.Text(), Params: params, Secrets: call.Secrets,
	}
	stdin, err := envelope.Seal()
	if err != nil {
		return err
	}
	stdout, stderr, exit, err := w.start(ctx, stdin)
	if err != nil {
		return err
	}
	return powershell.ReadResult(target.Host, call, envelope.Nonce, stdout, stderr, exit, result)
}

func (w *wine) start(ctx context.Context, stdin []byte) (stdout, stderr []byte, exit int, err error) {
	dir, err := os.MkdirTemp("", "wine")
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command := append([]string{w.launcher}, w.cmd...)
	command = append(command, strings.Fields(powershell.CommandLine())[1:]...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the engine that tests are run with
	cmd.Stdin, cmd.Env = bytes.NewReader(stdin), w.env
	// Files, not pipes: the services that Wine starts keep those open.
	var out, errs *os.File
	if out, err = os.Create(filepath.Join(dir, "out")); err != nil {
		return nil, nil, 0, err
	}
	if errs, err = os.Create(filepath.Join(dir, "err")); err != nil {
		return nil, nil, 0, err
	}
	cmd.Stdout, cmd.Stderr = out, errs
	err = cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, nil, 0, err
	}
	stdout, err = read(out)
	if err == nil {
		stderr, err = read(errs)
	}
	return stdout, stderr, cmd.ProcessState.ExitCode(), err
}

// read returns all of a file, and closes it.
func read(f *os.File) ([]byte, error) {
	raw, err := os.ReadFile(f.Name())
	return raw, errors.Join(err, f.Close())
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}
