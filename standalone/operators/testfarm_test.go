package operators

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// testServer is an embedded Temporal server. Farms come and go on it one after the
// other, each under a name of its own: a controller recalls what ran under its name.
type testServer struct {
	server *embedded.Server
	client temporal.Client
}

func startServer(t *testing.T) *testServer {
	t.Helper()
	server, err := embedded.Start(context.Background(), embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(context.Background(), temporal.Options{
		HostPort: server.Address(), Namespace: embedded.Namespace, Identity: "operators", Logger: connect.NewLogger(zap.NewNop()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &testServer{server, c}
}

func (s *testServer) stop(t *testing.T) {
	t.Helper()
	s.client.Close()
	if err := s.server.Stop(); err != nil {
		t.Error(err)
	}
}

// farmNumber makes the names of farms.
var farmNumber atomic.Int64

// testFarm is a simulated farm with a worker. It trusts a certificate that ends in
// ten days, and its source has the next one.
type testFarm struct {
	name     string
	sim      *farmsim.Farm
	temporal temporal.Client
	farm     client.Farm
	config   *config.Config
	gate     gate
	log      changeLog
	// before is the farm's trust before its first rotation, and old the certificate
	// that was in use then.
	before farmsim.Trust
	old    farm.Thumbprint
}

// policy is a farm's configuration where it differs from the simulated farm's.
type policy struct {
	// rotation are the lines that replace "approval: none".
	rotation []string
	leadTime string
}

func (s *testServer) newFarm(t *testing.T, p policy) *testFarm {
	t.Helper()
	w := &testFarm{name: fmt.Sprintf("farm%d", farmNumber.Add(1)), temporal: s.client}
	w.farm = client.New(s.client).Farm(w.name)
	sim, err := farmsim.Start(context.Background(), farmsim.Options{
		Dir: t.TempDir(), OfficeServers: 2, SharePointServers: 1, Trusting: true, Hooks: farmsim.Hooks{ScriptEnded: w.scriptEnded},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w.sim, w.before, w.config = sim, sim.Trust(), w.configure(t, sim, p)
	w.old = sim.State().SharePoint[0].Issuers[0].Thumbprint
	w.startWorker(t)
	configured, err := w.config.Farm(w.name)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.farm.Under(configured.Rotation).Release(context.Background(), operator); err != nil {
		t.Fatal(err)
	}
	return w
}

// configLines are the lines of a simulated farm's configuration that configure
// replaces.
var configLines = regexp.MustCompile(`(?m)^( *)(name: ` + farmsim.FarmName + `|approval: none|leadTime: 30d)$`)

// configure renames the farm in its configuration, gives it the policy and loads it.
func (w *testFarm) configure(t *testing.T, sim *farmsim.Farm, p policy) *config.Config {
	t.Helper()
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	text = configLines.ReplaceAllFunc(text, func(line []byte) []byte {
		replaced++
		key := bytes.TrimLeft(line, " ")
		indent := string(line[:len(line)-len(key)])
		switch {
		case bytes.HasPrefix(key, []byte("name:")):
			return []byte(indent + "name: " + w.name)
		case bytes.HasPrefix(key, []byte("leadTime:")):
			return []byte(indent + "leadTime: " + p.leadTime)
		}
		return []byte(indent + strings.Join(p.rotation, "\n"+indent))
	})
	if replaced != 3 {
		t.Fatalf("replaced %d lines of the configuration, want 3:\n%s", replaced, text)
	}
	if err := os.WriteFile(sim.Config(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// startWorker starts a worker that runs until the test ends. What runs then is
// terminated, so that the next worker on this server does not meet it.
func (w *testFarm) startWorker(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{Config: w.config, Client: w.temporal, Namespace: embedded.Namespace, SealKeys: keyring.Generated(), Log: zap.NewNop()})
	}()
	t.Cleanup(func() {
		w.gate.open()
		w.terminateAll(t)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// scriptEnded is called with each script that has run on a server, before its result
// is sent.
func (w *testFarm) scriptEnded(host string, call powershell.Envelope, result any) {
	w.log.add(host, call, result)
	w.gate.pass(call.Name)
}

// gate holds a script on its server: it has run, and its result is not sent yet.
type gate struct {
	mu     sync.Mutex
	script string
	held   chan struct{}
	opened chan struct{}
}

// hold has the next script of this name held, and returns a channel that is closed
// when it is.
func (g *gate) hold(script string) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.script, g.held, g.opened = script, make(chan struct{}), make(chan struct{})
	return g.held
}

func (g *gate) pass(script string) {
	g.mu.Lock()
	if g.script != script {
		g.mu.Unlock()
		return
	}
	g.script = ""
	close(g.held)
	opened := g.opened
	g.mu.Unlock()
	<-opened
}

// open lets a script go that is held, and holds none.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.script = ""
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// changeLog counts what was done on servers.
type changeLog struct {
	mu      sync.Mutex
	changes int
	// removed counts the deletions of a certificate with its key, by "HOST THUMBPRINT".
	removed map[string]int
}

func (l *changeLog) add(host string, call powershell.Envelope, result any) {
	if !powershell.IsChanging(call.Name) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	var removal powershell.RemoveResult
	var params powershell.RemoveS2SCertificate
	text, err := json.Marshal(result)
	if err != nil || json.Unmarshal(text, &removal) != nil || json.Unmarshal(call.Params, &params) != nil {
		return
	}
	if call.Name != powershell.ScriptOf(params) || !removal.Changed || !params.Personal {
		return
	}
	if l.removed == nil {
		l.removed = map[string]int{}
	}
	l.removed[host+" "+params.Thumbprint]++
}

// count returns how many changing scripts have run.
func (l *changeLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changes
}

// removals returns how often a certificate was deleted from a server.
func (l *changeLog) removals(host string, c farm.Thumbprint) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.removed[host+" "+string(c)]
}
