package reliability

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// site is a simulated farm with a Temporal server and a worker of its own.
//
// The farm trusts a certificate that ends soon. The certificate to come was
// imported on one server by hand already, without access to its key, so that
// every step has something to do, forth and back. Of its two SharePoint farms
// one is reached by a scheduled task.
type site struct {
	dir      string
	config   string
	sim      *farmsim.Sim
	relays   []*relay
	ledger   *ledger
	temporal *program
	worker   *program
	client   client.Client
	// target is the certificate to come.
	target farm.Thumbprint
}

const (
	// half is the server on which somebody has begun already.
	half = "oos-02.contoso.com"
	// byTask is the front end whose cmdlets a scheduled task runs.
	byTask = "sp-02.contoso.com"
)

func newSite(t *testing.T, onFailure farm.OnFailure) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), ledger: &ledger{}}
	for _, name := range []string{"farm", "tmp"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.sim, err = farmsim.Start(t.Context(), farmsim.Options{
		Dir: filepath.Join(s.dir, "farm"), OfficeServers: 2, SharePointFarms: 2, SharePointServers: 1, SelfSigned: true, Trusting: true,
		Witness: farmsim.Witness{CommandLine: s.ledger.line, Acted: s.ledger.act},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	s.importByHand(t)
	if err := s.sim.InstallSharePointTask(byTask, powershell.TaskScript()); err != nil {
		t.Fatal(err)
	}
	s.configure(t, onFailure)
	s.temporal = startTemporal(t, s.dir)
	s.client, err = client.Dial(client.Options{HostPort: s.temporal.heard, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.hold(t)
	s.worker = startWorker(t, s.dir, s.config, s.temporal.heard)
	return s
}

// hold keeps the farm's keeper from looking: its looks would meet the trouble
// that is meant for the rotation.
func (s *site) hold(t *testing.T) {
	t.Helper()
	const long = 24 * time.Hour
	_, err := s.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.KeepID(farmsim.FarmName), TaskQueue: workflows.TaskQueue,
	}, workflows.KeepTrust, workflows.Keeping{
		Farm: farmsim.FarmName, Hold: "a test", LookedAt: time.Now(), LookEvery: long, Soak: long,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// silent keeps the SDK's words about a server that was killed on purpose.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

var _ log.Logger = silent{}

// pfx is the file of the newest certificate and its password.
func (s *site) pfx(t *testing.T) (content []byte, password string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "farm", "certificates", "*.pfx"))
	if err != nil || len(files) != 1 {
		t.Fatalf("find the certificate: %v, %q", err, files)
	}
	return read(t, files[0]), string(read(t, s.sim.PFXPassword()))
}

// importByHand is somebody who has begun the procedure on one server.
func (s *site) importByHand(t *testing.T) {
	t.Helper()
	content, password := s.pfx(t)
	bundle, err := cert.Load(content, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	s.target = bundle.Certificate.Thumbprint
	const server2016 = 14393
	readable, err := bundle.Encode(server2016, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.sim.World.LogOn(half, model.Logon{User: "somebody", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.ImportPFX(model.StoreAdd, readable, []byte(password), model.ImportFlags{MachineKeySet: true, PersistKeySet: true}); err != nil {
		t.Fatal(err)
	}
	if err := session.SetFriendlyName(model.My, s.target, "OOS S2S new"); err != nil {
		t.Fatal(err)
	}
}

// configure writes the farm's own configuration anew: through the relays, with
// an HTTP switch to set, and with the policy.
func (s *site) configure(t *testing.T, onFailure farm.OnFailure) {
	t.Helper()
	relays := map[string]string{}
	for _, c := range s.sim.Connections() {
		r := newRelay(t, c.Address)
		s.relays = append(s.relays, r)
		relays[c.Host] = r.address()
	}
	var c map[string]any
	if err := yaml.Unmarshal(read(t, s.sim.Config()), &c); err != nil {
		t.Fatal(err)
	}
	redirect(c, relays)
	f := c["farms"].([]any)[0].(map[string]any)
	f["office"].(map[string]any)["allowOutboundHttp"] = true
	f["sharePoint"].([]any)[1].(map[string]any)["runAs"] = string(farm.Task)
	f["rotation"].(map[string]any)["onFailure"] = string(onFailure)
	content, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(s.dir, "farmtrust.yaml")
	if err := os.WriteFile(s.config, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// redirect replaces the address of every server in a configuration.
func redirect(value any, relays map[string]string) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			redirect(item, relays)
		}
	case map[string]any:
		if host, ok := v["host"].(string); ok {
			v["address"] = relays[host]
		}
		for _, item := range v {
			redirect(item, relays)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// ledger writes down what reaches the servers.
type ledger struct {
	mu    sync.Mutex
	lines []string
	acts  []act
	// secrets are what calls carried that is meant to be secret.
	secrets [][]byte
}

// act is one script that ran to its end on a server.
type act struct {
	host, script, text, params, result string

	changed bool
	at      time.Time
}

func (l *ledger) line(host, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, host+": "+text)
}

func (l *ledger) act(host string, call powershell.Envelope, result any) {
	a := act{host: host, script: call.Name, text: call.Prelude + call.Script, params: asked(call), at: time.Now()}
	if raw, err := json.Marshal(result); err == nil {
		a.result, a.changed = string(raw), changed(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acts = append(l.acts, a)
	l.secrets = append(l.secrets, call.Secrets...)
}

// asked is what a script was asked for. How long a task may take differs from
// attempt to attempt, and is no part of it.
func asked(call powershell.Envelope) string {
	var task powershell.InvokeSharePointTask
	if call.Name != task.Script() || json.Unmarshal(call.Params, &task) != nil {
		return string(call.Params)
	}
	return task.Verb + " " + string(task.Parameters)
}

// changed says whether a script's result tells of a change. That of a task is
// inside of what it answered.
func changed(raw []byte) bool {
	var r struct {
		Changed bool
		Answer  []byte
		Result  json.RawMessage
	}
	if json.Unmarshal(raw, &r) != nil {
		return false
	}
	return r.Changed || len(r.Answer) > 0 && changed(r.Answer) || len(r.Result) > 0 && changed(r.Result)
}

// since returns what ran from an index on, and the next index.
func (l *ledger) since(i int) ([]act, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acts[i:len(l.acts):len(l.acts)], len(l.acts)
}

// key says what a script was to do where.
func (a act) key() string { return fmt.Sprintf("%s on %s with %s", a.script, a.host, a.params) }
