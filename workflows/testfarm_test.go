package workflows_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/seal"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/source"
)

// The servers of a [testFarm]; office3 is there where a test asks for it.
const (
	office1   = "oos-01.contoso.com"
	office2   = "oos-02.contoso.com"
	office3   = "oos-03.contoso.com"
	frontEnd  = "sp-01.contoso.com"
	appServer = "sp-02.contoso.com"
)

const day = 24 * time.Hour

// The policy of a [testFarm]: a retention ends while no inspection is due.
const (
	inspectionInterval = 2 * day
	retention          = day
	watchInterval      = 12 * time.Hour
	// These are real time, as servers are to an activity.
	healthyWithin = 5 * time.Second
	healthyFor    = 30 * time.Millisecond
)

// testFarm is a simulated farm and the activities that work on it.
type testFarm struct {
	sim        *farmsim.Farm
	config     *config.Config
	activities *activities.Activities
	// runs is what Temporal knows of the farm's runs.
	runs *testRuns
	// clocks are those of everybody, where they go with Temporal's; nil for the machine's.
	clocks *clocks
	// own is a source that makes its certificates; nil for the folder of the simulation.
	own *source.SelfSigned
	// replaced are the seals of certificates that rotations have replaced.
	replaced map[farm.Thumbprint]string
	// configure changes the farm's configuration; nil leaves it.
	configure func(*farm.Farm)
}

// newTestFarm starts a farm. Where the options do not say otherwise it is small:
// two office servers and one SharePoint server.
func newTestFarm(t *testing.T, o farmsim.Options) *testFarm {
	t.Helper()
	if o.OfficeServers == 0 {
		o.OfficeServers = 2
	}
	if o.SharePointServers == 0 {
		o.SharePointServers = 1
	}
	o.Dir, o.WithoutWire = t.TempDir(), true
	sim, err := farmsim.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	f := &testFarm{sim: sim, config: c, runs: &testRuns{}, replaced: map[farm.Thumbprint]string{}}
	f.activities = &activities.Activities{
		Farms: f, Certificates: f, Runs: f.runs, Seals: seal.New(keyring.Generated()), Remote: sim.Runner(), Now: time.Now, Poll: 10 * time.Millisecond,
	}
	return f
}

// Farm implements activities.Farms.
func (f *testFarm) Farm(name string) (farm.Farm, bool) {
	found, err := f.config.Farm(name)
	found.Rotation.InspectionInterval, found.Rotation.KeepOldFor, found.Rotation.WatchInterval = inspectionInterval, retention, watchInterval
	found.Rotation.HealthyWithin, found.Rotation.HealthyFor = healthyWithin, healthyFor
	if f.configure != nil {
		f.configure(&found.Farm)
	}
	return found.Farm, err == nil
}

// Newest implements activities.Certificates.
func (f *testFarm) Newest(ctx context.Context, name string) (*cert.Bundle, error) {
	return f.source(name).Newest(ctx)
}

// Find implements activities.Certificates.
func (f *testFarm) Find(ctx context.Context, name string, thumbprint farm.Thumbprint) (*cert.Bundle, error) {
	return f.source(name).Find(ctx, thumbprint)
}

// Replacement implements activities.Certificates.
func (f *testFarm) Replacement(ctx context.Context, name string, compromised farm.Thumbprint) (*cert.Bundle, error) {
	return f.source(name).Replacement(ctx, compromised)
}

// Forget implements activities.Certificates.
func (f *testFarm) Forget(ctx context.Context, name string, old farm.Thumbprint) (bool, error) {
	return f.source(name).Forget(ctx, old)
}

func (f *testFarm) source(name string) source.Source {
	if f.own != nil {
		return *f.own
	}
	found, err := f.config.Farm(name)
	if err != nil {
		panic(err)
	}
	return source.Directory{Path: found.Source.Directory.Path, Password: found.Source.Directory.Password}
}

// makeOwnCertificates has the farm's certificates made by the worker, and returns the
// folder of their files.
func (f *testFarm) makeOwnCertificates(t *testing.T) string {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("open sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "pfx")
	f.own = &source.SelfSigned{
		Directory: source.Directory{Path: folder, Password: secret.Ref("file:" + password), Opened: &source.Opened{}},
		Subject:   "OOS S2S", ValidFor: 730 * day, LeadTime: 30 * day,
	}
	return folder
}

// setPolicy changes the farm's rotation policy.
func (f *testFarm) setPolicy(change func(*farm.RotationPolicy)) {
	f.configure = func(c *farm.Farm) { change(&c.Rotation) }
}

func requireApproval(p *farm.RotationPolicy) { p.Approval = true }

func rollBackOnFailure(p *farm.RotationPolicy) { p.OnFailure = farm.OnFailureRollBack }

// setWindow lets the cutover begin at night only.
func (f *testFarm) setWindow(t *testing.T) {
	t.Helper()
	w, err := farm.ParseWindow("daily 02:00-05:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	f.setPolicy(func(p *farm.RotationPolicy) { p.Window = w })
}

// issueCertificate puts the certificate of the next year into the source.
func (f *testFarm) issueCertificate(t *testing.T) {
	t.Helper()
	if _, err := f.sim.IssueCertificate(400 * day); err != nil {
		t.Error(err)
	}
}

// addFaults has scripts fail.
func (f *testFarm) addFaults(t *testing.T, faults ...fault.Fault) {
	t.Helper()
	if err := f.sim.AddFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// brokenScript is a fault that no retry gets past, until it is cleared. An
// empty server means all.
func brokenScript(server, script string) fault.Fault {
	return fault.Fault{Server: server, Step: script, Kind: fault.ScriptError, Times: -1, Error: &fault.Error{ID: "Test,Broken", Message: "the disk is full"}}
}

// untilBlocked is a fault that lasts until the step of its script is blocked.
func untilBlocked(f fault.Fault) fault.Fault {
	f.Times = 9
	return f
}

// logOn is another administrator on a server.
func (f *testFarm) logOn(t *testing.T, host string) *model.Session {
	t.Helper()
	session, err := f.sim.World.LogOn(host, model.Logon{User: "other administrator", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// removeIssuer removes a trusted token issuer as another administrator does.
func (f *testFarm) removeIssuer(t *testing.T) {
	t.Helper()
	shell := f.logOn(t, frontEnd).SharePoint()
	issuers, err := shell.GetTrustedSecurityTokenIssuer()
	if err != nil || len(issuers) == 0 {
		t.Fatalf("find an issuer to remove: %v, %d there", err, len(issuers))
	}
	if err := shell.RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: issuers[0].Name, Confirmed: true}); err != nil {
		t.Fatal(err)
	}
}

// installUpdates leaves a reboot pending on a server.
func (f *testFarm) installUpdates(t *testing.T, host string) {
	t.Helper()
	if err := f.sim.World.InstallUpdates(host); err != nil {
		t.Error(err)
	}
}

// bindTLS binds http.sys to a certificate as another administrator does.
func (f *testFarm) bindTLS(t *testing.T, host string, to farm.Thumbprint) {
	t.Helper()
	if err := f.logOn(t, host).BindTLS("0.0.0.0:8443", to); err != nil {
		t.Error(err)
	}
}

// assertRefreshes asserts that a data refresh works between every office server
// and every SharePoint server: it is about the farm, not about a report.
func (f *testFarm) assertRefreshes(t *testing.T) {
	t.Helper()
	obstacles, err := f.sim.RefreshObstacles()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obstacles {
		t.Error(o)
	}
}

// assertTrustUnchanged asserts that everything a rotation touches is as it was.
func (f *testFarm) assertTrustUnchanged(t *testing.T, before farmsim.Trust) {
	t.Helper()
	if diff := before.Diff(f.sim.Trust()); diff != "" {
		t.Errorf("the farm is not as it was (-before +now):\n%s", diff)
	}
}

// assertOnServers asserts how many servers hold a certificate in their Personal
// store.
func (f *testFarm) assertOnServers(t *testing.T, thumbprint farm.Thumbprint, want int) {
	t.Helper()
	var hosts []string
	for _, m := range f.sim.World.State().Machines {
		if slices.ContainsFunc(m.Stores[model.My], func(c model.CertificateState) bool { return c.Thumbprint == thumbprint }) {
			hosts = append(hosts, m.Host)
		}
	}
	if len(hosts) != want {
		t.Errorf("certificate %s is on %v, want %d servers", thumbprint.Short(), hosts, want)
	}
}

// assertArchived asserts whether some server's certificate is marked archived.
func (f *testFarm) assertArchived(t *testing.T, want bool) {
	t.Helper()
	got := slices.ContainsFunc(f.sim.World.State().Machines, func(m model.MachineState) bool {
		return slices.ContainsFunc(m.Stores[model.My], func(c model.CertificateState) bool { return c.Archived })
	})
	if got != want {
		t.Errorf("a certificate is archived: %t, want %t", got, want)
	}
}

// assertRootAuthority asserts whether a certificate is a root authority of
// SharePoint.
func (f *testFarm) assertRootAuthority(t *testing.T, thumbprint farm.Thumbprint, want bool) {
	t.Helper()
	got := slices.ContainsFunc(f.sim.World.State().SharePoint, func(sp model.SharePointState) bool {
		return slices.ContainsFunc(sp.Authorities, func(a model.AuthorityState) bool { return a.Thumbprint == thumbprint })
	})
	if got != want {
		t.Errorf("certificate %s is a root authority: %t, want %t", thumbprint.Short(), got, want)
	}
}
