package reliability

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// testFarm is a simulated farm with its own Temporal server and worker.
//
// The farm trusts a certificate that expires soon. An administrator has already
// imported the next certificate on one server, archived and without access to its key,
// so that every step of a rotation and of a rollback has something to do. Office Online
// Server does not start while two visible certificates share the subject of its own. Of its two
// SharePoint farms one is managed through a scheduled task.
type testFarm struct {
	dir      string
	config   string
	sim      *farmsim.Farm
	relays   map[string]*relay
	callLog  *callLog
	temporal *program
	worker   *program
	client   client.Client
	policy   farm.OnFailure
	// target is the certificate that a rotation installs.
	target farm.Thumbprint
	// snapshot is that of the rotation that installed the target; nil before it.
	snapshot *farm.Snapshot
	// retirable reports whether the retention of the certificate before the target has
	// ended. The retention begins again after a retirement that did not retire it.
	retirable bool
	// installed has the certificates that rotations installed.
	installed []farm.Thumbprint
	// before is the farm's state before its last rotation.
	before model.State
	// onPoll is called each time that awaitEnd polls a run; it may be nil.
	onPoll func()
	// edits complete the worker's configuration.
	edits []func(config map[string]any)
}

const (
	// importedServer already has the next certificate.
	importedServer = "oos-02.contoso.com"
	// taskFrontEnd is the front end whose cmdlets run in a scheduled task.
	taskFrontEnd = "sp-02.contoso.com"
	// oldRootAuthority is the root authority that was added when the farm was set
	// up.
	oldRootAuthority = "Old OOS"
)

func newTestFarm(t *testing.T, edits ...func(config map[string]any)) *testFarm {
	t.Helper()
	s := &testFarm{dir: t.TempDir(), callLog: &callLog{}, policy: farm.OnFailurePause, edits: edits}
	for _, name := range []string{"farm", "tmp"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.sim, err = farmsim.Start(t.Context(), farmsim.Options{
		Dir: filepath.Join(s.dir, "farm"), OfficeServers: 2, SharePointFarms: 2, SharePointServers: 1, SelfSigned: true, Trusting: true,
		Policy: model.Policy{SameSubjectStopsService: true},
		Hooks:  farmsim.Hooks{CommandLine: s.callLog.addCommandLine, ScriptEnded: s.callLog.addCall},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	s.importManually(t)
	if err := s.sim.InstallSharePointTask(taskFrontEnd, powershell.TaskScript()); err != nil {
		t.Fatal(err)
	}
	s.connectRelays(t)
	if err := keyring.Create(filepath.Join(s.dir, "seal.keys")); err != nil {
		t.Fatal(err)
	}
	s.writeConfig(t)
	s.temporal = startTemporal(t, s.dir)
	s.client, err = client.Dial(client.Options{HostPort: s.temporal.address, Logger: quietLogger{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.startSuspended(t)
	s.worker = startWorker(t, s.dir, s.config, s.temporal.address)
	if err := s.farm().Release(t.Context(), author); err != nil {
		t.Fatal(err)
	}
	return s
}

// stop ends the programs, which would otherwise run until the whole test ends.
func (s *testFarm) stop(t *testing.T) {
	t.Helper()
	s.worker.kill(t)
	s.temporal.kill(t)
}

// setPolicy changes the farm's onFailure policy, and restarts the worker, which
// reads it only when it starts. A worker that is killed during an inspection is missed
// only a minute later.
func (s *testFarm) setPolicy(ctx context.Context, t *testing.T, policy farm.OnFailure) {
	t.Helper()
	if s.policy == policy {
		return
	}
	s.awaitIdle(ctx, t)
	s.policy = policy
	s.writeConfig(t)
	s.worker.restart(t) // has the controller inspect the farm: its configuration has changed
}

// issueNext issues the next certificate, which replaces the current one in the
// source.
func (s *testFarm) issueNext(t *testing.T) {
	t.Helper()
	old, _ := s.certificateFile(t)
	const year = 365 * 24 * time.Hour
	if _, err := s.sim.IssueCertificate(year); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	s.importManually(t)
}

// quietLogger discards what the SDK logs about a server that was killed on purpose.
type quietLogger struct{}

func (quietLogger) Debug(string, ...any) {}
func (quietLogger) Info(string, ...any)  {}
func (quietLogger) Warn(string, ...any)  {}
func (quietLogger) Error(string, ...any) {}

var _ log.Logger = quietLogger{}

// certificateFile returns the path of the source's only PFX file, and its password.
func (s *testFarm) certificateFile(t *testing.T) (path, password string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "farm", "certificates", "*.pfx"))
	if err != nil || len(files) != 1 {
		t.Fatalf("find the certificate: %v, %q", err, files)
	}
	return files[0], string(readFile(t, s.sim.PFXPassword()))
}

// importManually imports the next certificate on one server, as an administrator
// who has started the manual procedure.
func (s *testFarm) importManually(t *testing.T) {
	t.Helper()
	path, password := s.certificateFile(t)
	bundle, err := cert.Load(t.Context(), readFile(t, path), []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	s.target = bundle.Certificate.Thumbprint
	const server2016 = 14393
	readable, err := bundle.Encode(server2016, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.sim.World.LogOn(importedServer, model.Logon{User: "administrator", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.ImportPFX(model.StoreAdd, readable, []byte(password), model.ImportFlags{MachineKeySet: true, PersistKeySet: true}); err != nil {
		t.Fatal(err)
	}
	if err := session.SetFriendlyName(model.My, s.target, "OOS S2S "+s.target.Short()); err != nil {
		t.Fatal(err)
	}
	// It has the subject of the one in use.
	if err := session.Archive(s.target, true); err != nil {
		t.Fatal(err)
	}
}

// stopService stops the service of a server, as a crash does.
func (s *testFarm) stopService(t *testing.T, host string) {
	t.Helper()
	stopForGood(t, s, host)
	s.sim.World.LiftConditions()
}

// startService starts the service of a server, as an operator does.
func (s *testFarm) startService(t *testing.T, host string) {
	t.Helper()
	session, err := s.sim.World.LogOn(host, model.Logon{User: "administrator", Auth: model.NTLM})
	if err == nil {
		err = session.StartService(serviceOf(host))
	}
	if err != nil {
		t.Error(err)
	}
}

// connectRelays puts a relay in front of every server.
func (s *testFarm) connectRelays(t *testing.T) {
	t.Helper()
	s.relays = map[string]*relay{}
	for _, c := range s.sim.Connections() {
		s.relays[c.Host] = newRelay(t, c.Address)
	}
}

// writeConfig writes the worker's configuration: that of the simulated farm, but
// through the relays, with an HTTP setting to change, and with the policy.
func (s *testFarm) writeConfig(t *testing.T) {
	t.Helper()
	var c map[string]any
	if err := yaml.Unmarshal(readFile(t, s.sim.Config()), &c); err != nil {
		t.Fatal(err)
	}
	s.routeThroughRelays(c)
	f := c["farms"].([]any)[0].(map[string]any)
	f["office"].(map[string]any)["allowOutboundHttp"] = true
	f["sharePoint"].([]any)[1].(map[string]any)["runAs"] = string(farm.Task)
	rotation := f["rotation"].(map[string]any)
	rotation["onFailure"], rotation["healthyWithin"], rotation["healthyFor"] = string(s.policy), "5s", "100ms"
	rotation["inspectionInterval"], rotation["keepOldFor"] = "7d", "0"
	c["keys"] = map[string]any{"seal": "file:" + filepath.Join(s.dir, "seal.keys")}
	for _, edit := range s.edits {
		edit(c)
	}
	content, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "farmtrust.yaml")
	if err := os.WriteFile(s.config, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// routeThroughRelays replaces the address of every server in a configuration.
func (s *testFarm) routeThroughRelays(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			s.routeThroughRelays(item)
		}
	case map[string]any:
		if host, ok := v["host"].(string); ok {
			v["address"] = s.relays[host].address()
		}
		for _, item := range v {
			s.routeThroughRelays(item)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
