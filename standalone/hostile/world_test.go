package hostile

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// patience is how long something may take that takes seconds: the machine may be busy.
const patience = 3 * time.Minute

var operator = client.Author{By: "operator", Reason: "for the test"}

// world is two farms with a worker each, at two sites, as they are after years: contoso
// was renewed twice, fabrikam once, so that there are snapshots of both that were sealed
// by workers, and an older one of contoso. Nothing is left to do.
type world struct {
	server   *embedded.Server
	temporal temporal.Client
	farm     *testFarm
	other    *testFarm
	// keys are those that all workers seal with: what one farm has is bound to it alone.
	keys *keyring.Ring
	// older, newest and others are the snapshots; stranger is a certificate with its key
	// in the Personal store of an office server that is none of farmtrust's business.
	older, newest, others farm.Snapshot
	stranger              farm.Thumbprint
	// attacker is the certificate of the attacker.
	attacker testfarm.KeyPair
}

// testFarm is a simulated farm with a worker.
type testFarm struct {
	name   string
	sim    *farmsim.Farm
	config *config.Config
	client client.Farm
	// changes are the scripts that have changed something since before, which is what the
	// farm was like then.
	changes changeLog
	before  farmsim.Trust
}

// changeLog lists the scripts that may change something.
type changeLog struct {
	mu    sync.Mutex
	calls []string
}

func (l *changeLog) add(host string, call powershell.Envelope, _ any) {
	if powershell.IsChanging(call.Name) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls = append(l.calls, call.Name+" on "+host+" "+fmt.Sprintf("%.300s", call.Params))
	}
}

func (l *changeLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{keys: keyring.Generated(), attacker: testfarm.NewPair(t, "attacker", nil)}
	var err error
	w.server, err = embedded.Start(t.Context(), embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.temporal = w.dial(t)
	w.farm = w.newFarm(t, "contoso", "")
	w.other = w.newFarm(t, "fabrikam", "site: other")
	w.startWorker(t, w.farm)
	w.startWorker(t, w.other)
	w.stranger = addStranger(t, w.farm.sim)
	w.older = w.farm.renew(t)
	w.others = w.other.renew(t)
	if _, err := w.farm.sim.IssueCertificate(365 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	w.newest = w.farm.renew(t)
	w.farm.startOver()
	return w
}

func (w *world) dial(t *testing.T) temporal.Client {
	t.Helper()
	c, err := connect.Dial(context.Background(), temporal.Options{HostPort: w.server.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// newFarm starts a simulated farm under a name. Its configuration has these lines too.
func (w *world) newFarm(t *testing.T, name string, lines ...string) *testFarm {
	t.Helper()
	f := &testFarm{name: name}
	sim, err := farmsim.Start(t.Context(), farmsim.Options{
		Dir: t.TempDir(), OfficeServers: 2, SharePointServers: 1, Trusting: true, Approval: true, Hooks: farmsim.Hooks{ScriptEnded: f.changes.add},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Join(append(lines, strings.Replace(string(text), "name: "+farmsim.FarmName, "name: "+name, 1)), "\n")
	if err := os.WriteFile(sim.Config(), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	f.sim = sim
	if f.config, err = config.Load(sim.Config()); err != nil {
		t.Fatal(err)
	}
	f.client = client.New(w.temporal).At(f.config.Site).Farm(name)
	return f
}

// startWorker runs the worker of a farm until the test ends or stop is called.
func (w *world) startWorker(t *testing.T, f *testFarm) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{Config: f.config, Client: w.temporal, Namespace: embedded.Namespace, SealKeys: w.keys, Log: zap.NewNop()})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// addStranger puts a certificate with its key into the Personal store of an office server.
func addStranger(t *testing.T, sim *farmsim.Farm) farm.Thumbprint {
	t.Helper()
	pair := testfarm.NewPair(t, "stranger", nil)
	session, err := sim.World.LogOn(sim.Hosts()[0], testfarm.Admin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.ImportPFX(model.StoreAdd, pair.PFX(t), []byte(testfarm.Password), testfarm.MachineKey); err != nil {
		t.Fatal(err)
	}
	return pair.Thumbprint()
}

// await waits until a check finds nothing wrong, and fails the test with what it found
// last.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// renew has the farm renewed as an operator does, and returns the snapshot that an undo
// would restore.
func (f *testFarm) renew(t *testing.T) farm.Snapshot {
	t.Helper()
	var run *client.Run
	await(t, "the controller of "+f.name, func() (err error) {
		run, err = f.client.Rotate(t.Context(), operator)
		return err
	})
	await(t, "the approval of "+f.name, func() error {
		s, err := run.Status(t.Context())
		switch {
		case err != nil:
			return err
		case s.Wait == nil || s.Wait.For != farm.ForApproval:
			return fmt.Errorf("%s: %+v", s.Phase, s.Wait)
		}
		return run.Decide(t.Context(), farm.Decision{Choice: farm.Approve, Digest: s.Wait.Digest, By: operator.By, Reason: operator.Reason})
	})
	report, err := run.Report(t.Context())
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("the renewal of %s ended as %q (%s, %v)", f.name, report.Outcome, report.Statement, err)
	}
	return *f.awaitIdle(t).Retention.Snapshot
}

// awaitIdle waits until the controller has seen that the farm is in order, and returns
// what it knows.
func (f *testFarm) awaitIdle(t *testing.T) (state controller.State) {
	t.Helper()
	await(t, f.name+" is in order", func() (err error) {
		if state, err = f.client.State(t.Context()); err != nil {
			return err
		}
		if !state.IsTrusted(time.Now()) || state.Retention.Snapshot == nil {
			return fmt.Errorf("phase %s: %+v", state.Phase(), state.Next)
		}
		return nil
	})
	return state
}

// worker is a worker that tells the farm's controller of its configuration.
func (w *world) worker() client.Worker { return client.Worker{Host: "test"} }

// forgers are the attackers' ways to fill in what is believed.
func (w *world) forgers(f *testFarm) []forger {
	x := w.attacker
	foreign := farm.Certificate{
		Thumbprint: x.Thumbprint(), Subject: "CN=attacker", Issuer: "CN=attacker", NotBefore: x.Cert.NotBefore, NotAfter: x.Cert.NotAfter,
		SelfSigned: true, FriendlyName: w.newest.Target.FriendlyName, DER: x.Cert.Raw,
	}
	masked := foreign // the attacker's certificate under the thumbprint of the true one
	masked.Thumbprint = w.newest.Target.Thumbprint
	previous := w.newest.Target
	previous.Thumbprint, previous.NotAfter = w.newest.Previous.Thumbprint, w.newest.Previous.NotAfter
	stranger := w.newest.Target
	stranger.Thumbprint = w.stranger
	forged := w.newest
	forged.Before = plant(w.newest.Before, foreign)
	forged.Previous = farm.StoreCertificate{Thumbprint: foreign.Thumbprint, NotAfter: foreign.NotAfter, HasKey: true}
	clear := forged
	clear.Target = foreign
	config := f.config.Farms[0].Farm
	config.Rotation.Approval = false
	all := []forger{
		{name: "the attacker's certificate and a forged snapshot", certificate: foreign, snapshot: clear},
		{name: "the attacker's certificate by the true thumbprint, and an altered snapshot", certificate: masked, snapshot: forged},
		{name: "a certificate of others, and a snapshot of another farm", certificate: stranger, snapshot: w.others, sealedParts: true},
		{name: "the previous certificate, and an older snapshot", certificate: previous, snapshot: w.older, sealedParts: true},
	}
	for i := range all {
		all[i].farm, all[i].observed, all[i].host = config, plant(w.newest.Before, foreign), f.sim.Hosts()[0]
	}
	return all
}

// plant returns an observation whose issuers hold a certificate, as a snapshot has it
// that restores that.
func plant(o farm.Observed, c farm.Certificate) farm.Observed {
	planted := farm.Observed{Office: o.Office}
	for _, sp := range o.SharePoint {
		issuers := append([]farm.TokenIssuer{}, sp.Issuers...)
		for i := range issuers {
			issuers[i].Thumbprint, issuers[i].Certificate = c.Thumbprint, c.DER
		}
		sp.Issuers = issuers
		planted.SharePoint = append(planted.SharePoint, sp)
	}
	return planted
}

// startOver takes the farm as it is for what it is to stay.
func (f *testFarm) startOver() {
	f.changes.take()
	f.before = f.sim.Trust()
}

// requireUnchanged fails the test where a script has run that changes something, or the
// farm is not as it was.
func (f *testFarm) requireUnchanged(t *testing.T) {
	t.Helper()
	for _, call := range f.changes.take() {
		t.Errorf("a script has run that changes the farm: %s", call)
	}
	now := f.sim.Trust()
	if diff := f.before.Diff(now); diff != "" {
		t.Errorf("the farm is not as it was (-before +now):\n%s", diff)
	}
	f.before = now
}

// hosts are the servers that attacks name: one of each kind.
func (f *testFarm) hosts() []string {
	return []string{f.config.Farms[0].OfficeHosts()[0], f.config.Farms[0].FrontEnds()[0]}
}
