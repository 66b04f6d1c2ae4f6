package powershell_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// engine is a [powershell.Runner] that runs scripts in a PowerShell on this
// machine, as a server would: the constant command line, the envelope on
// standard input. What needs Windows or a product is a stand-in that keeps
// its state in a file.
type engine struct {
	pwsh, standins, modules, world string
	// setEnv is added to the environment of what is started.
	setEnv []string
}

// findEngine finds a PowerShell; empty when there is none.
func findEngine() string {
	if path := os.Getenv("FARMTRUST_PWSH"); path != "" {
		return path
	}
	if path, err := exec.LookPath("pwsh"); err == nil {
		return path
	}
	path, err := filepath.Abs("../../../shared/tools/pwsh/pwsh")
	if err != nil {
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// enginePath finds a PowerShell, or skips the test.
func enginePath(t *testing.T) string {
	t.Helper()
	path := findEngine()
	if path == "" {
		t.Skip("no PowerShell found: set FARMTRUST_PWSH, or put pwsh on PATH")
	}
	return path
}

// newEngine starts from world, which is written as JSON.
func newEngine(t *testing.T, world map[string]any) *engine {
	t.Helper()
	standins, err := filepath.Abs("testdata/standins")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{pwsh: enginePath(t), standins: standins, modules: filepath.Join(standins, "modules"), world: filepath.Join(t.TempDir(), "world.json")}
	raw, err := json.Marshal(world)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.world, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *engine) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	script, err := powershell.Source(call.Script)
	if err != nil {
		return err
	}
	return e.runText(ctx, target, call, script, result)
}

// runText runs a script of the test's own under call's name and parameters.
func (e *engine) runText(ctx context.Context, target powershell.Target, call powershell.Call, script string, result any) error {
	standins, err := e.machine()
	if err != nil {
		return err
	}
	prelude, err := covered.prelude("", powershell.PreludeOn(standins), script)
	if err != nil {
		return err
	}
	return runOn(ctx, e.start, prelude, script, target, call, result)
}

// starter runs the command line that every server gets.
type starter func(ctx context.Context, stdin []byte) (stdout, stderr []byte, exit int, err error)

// runOn is a call to a server, but for the wire.
func runOn(ctx context.Context, start starter, prelude, script string, target powershell.Target, call powershell.Call, result any) error {
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
	stdout, stderr, exit, err := start(ctx, stdin)
	if err != nil {
		return err
	}
	return powershell.ReadResult(target.Host, call.Script, envelope.Nonce, stdout, stderr, exit, result)
}

// machine is what stands in for the functions that only Windows can run.
func (e *engine) machine() (string, error) {
	var standins strings.Builder
	for _, name := range []string{"world.ps1", "windows.ps1", "retire.ps1"} {
		raw, err := os.ReadFile(filepath.Join(e.standins, name))
		if err != nil {
			return "", err
		}
		standins.Write(raw)
	}
	return powershell.TaskFiles() + standins.String(), nil
}

// start runs the command line that every server gets.
func (e *engine) start(ctx context.Context, stdin []byte) (stdout, stderr []byte, exit int, err error) {
	return e.startWith(ctx, strings.Fields(powershell.CommandLine())[1:], stdin)
}

func (e *engine) startWith(ctx context.Context, args []string, stdin []byte) (stdout, stderr []byte, exit int, err error) {
	cmd := exec.CommandContext(ctx, e.pwsh, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(),
		"FARMTRUST_WORLD="+e.world,
		"PSModulePath="+e.modules,
		"ProgramData="+filepath.Dir(e.world),
		"ProgramFiles="+filepath.Dir(e.world))
	cmd.Env = append(cmd.Env, e.setEnv...)
	err = cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, nil, 0, err
	}
	return out.Bytes(), errs.Bytes(), cmd.ProcessState.ExitCode(), nil
}

// state reads the world as it is now.
func (e *engine) state(t *testing.T) worldState {
	t.Helper()
	raw, err := os.ReadFile(e.world)
	if err != nil {
		t.Fatal(err)
	}
	var w worldState
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// worldState is what tests look at of the stand-ins' world.
type worldState struct {
	Stores      map[string][]storeEntry `json:"stores"`
	RemovedKeys []string                `json:"removedKeys"`
	Tasks       map[string]any          `json:"tasks"`
	Services    map[string]struct {
		Status string `json:"status"`
	} `json:"services"`
	Office struct {
		Farm struct {
			S2SCertificateName              string `json:"s2sCertificateName"`
			AllowOutboundHTTP               bool   `json:"allowOutboundHttp"`
			AllowHTTPSecureStoreConnections bool   `json:"allowHttpSecureStoreConnections"`
		} `json:"farm"`
	} `json:"office"`
	SharePoint struct {
		Issuers     []issuerEntry     `json:"issuers"`
		Authorities []authorityEntry  `json:"authorities"`
		Permissions []permissionEntry `json:"permissions"`
	} `json:"sharePoint"`
}

type storeEntry struct {
	DER          []byte   `json:"der"`
	PFX          []byte   `json:"pfx"`
	FriendlyName string   `json:"friendlyName"`
	Provider     string   `json:"provider"`
	File         string   `json:"file"`
	Readers      []string `json:"readers"`
	Denied       []string `json:"denied"`
	// Inherited readers have an entry that is not of their own.
	Inherited []string `json:"inherited"`
	Archived  bool     `json:"archived"`
	// KeyGone is a key that was deleted: the certificate still tells of it.
	KeyGone bool `json:"keyGone"`
}

type issuerEntry struct {
	Name           string `json:"name"`
	RegisteredName string `json:"registeredName"`
	Certificate    []byte `json:"certificate"`
	Description    string `json:"description"`
	TrustBroker    bool   `json:"trustBroker"`
}

type authorityEntry struct {
	Name        string `json:"name"`
	Certificate []byte `json:"certificate"`
}

type permissionEntry struct {
	Site           string `json:"site"`
	RegisteredName string `json:"registeredName"`
	Right          string `json:"right"`
	AppOnly        bool   `json:"appOnly"`
}

// run runs a typed call on the engine and demands that it succeeds.
func run[R any](t *testing.T, e powershell.Runner, params powershell.Params[R]) R {
	t.Helper()
	result, err := powershell.Run(t.Context(), e, powershell.Target{Host: "oos-01"}, params)
	if err != nil {
		t.Fatalf("%s: %v", powershell.ScriptOf(params), err)
	}
	return result
}

// refused runs a typed call and demands that the script says no with id.
func refused[R any](t *testing.T, e powershell.Runner, params powershell.Params[R], id string) *powershell.ScriptError {
	t.Helper()
	_, err := powershell.Run(t.Context(), e, powershell.Target{Host: "oos-01"}, params)
	return saysNo(t, err, id)
}

// saysNo demands that err is a script's refusal with id.
func saysNo(t *testing.T, err error, id string) *powershell.ScriptError {
	t.Helper()
	var said *powershell.ScriptError
	if !errors.As(err, &said) {
		t.Fatalf("got %v, want the script to refuse with %s", err, id)
	}
	if said.ID != id {
		t.Fatalf("%s: refused with %s (%s), want %s", said.Script, said.ID, said.Message, id)
	}
	return said
}

// constrained runs the bootstrap in Constrained Language Mode, set the way a
// test can: by a statement of its own before the bootstrap's first.
func (e *engine) constrained(t *testing.T) (stdout, stderr []byte, exit int) {
	t.Helper()
	const mode = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'\n"
	fields := strings.Fields(powershell.CommandLine())
	raw, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	var prefix []byte
	for _, unit := range utf16.Encode([]rune(mode)) {
		prefix = binary.LittleEndian.AppendUint16(prefix, unit)
	}
	fields[len(fields)-1] = base64.StdEncoding.EncodeToString(append(prefix, raw...))
	stdout, stderr, exit, err = e.startWith(t.Context(), fields[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return stdout, stderr, exit
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}
