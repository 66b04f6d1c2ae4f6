package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/source"
	"github.com/farmtrust/farmtrust/workflows"
)

// place is a simulated farm and the activities that work on it.
type place struct {
	sim        *farmsim.Farm
	config     *config.Config
	activities *activities.Activities
	// policy changes the farm's configuration; nil leaves it.
	policy func(*farm.Farm)
}

func newPlace(t *testing.T, o farmsim.Options) *place {
	t.Helper()
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
	p := &place{sim: sim, config: c}
	p.activities = &activities.Activities{Farms: p, Certificates: p, Rotations: p, Remote: sim.Runner(), Now: time.Now, Poll: 10 * time.Millisecond}
	return p
}

// Farm implements activities.Farms.
func (p *place) Farm(name string) (farm.Farm, bool) {
	f, err := p.config.Farm(name)
	if p.policy != nil {
		p.policy(&f.Farm)
	}
	return f.Farm, err == nil
}

func (p *place) source(name string) source.Source {
	f, err := p.config.Farm(name)
	if err != nil {
		panic(err)
	}
	return source.Directory{Path: f.Source.Directory.Path, Password: f.Source.Directory.Password}
}

// Newest implements activities.Certificates.
func (p *place) Newest(ctx context.Context, name string) (*cert.Bundle, error) {
	return p.source(name).Newest(ctx)
}

// Find implements activities.Certificates.
func (p *place) Find(ctx context.Context, name string, t farm.Thumbprint) (*cert.Bundle, error) {
	return p.source(name).Find(ctx, t)
}

// Running implements activities.Rotations: nothing runs outside of the test
// environment.
func (p *place) Running(context.Context, string) (bool, error) { return false, nil }

// environment is a test environment in which the rotation runs for real, but
// for Temporal's time, which skips.
func (p *place) environment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{})
	env.RegisterWorkflow(workflows.RotateTrust)
	env.RegisterWorkflow(workflows.InspectTrust)
	env.RegisterWorkflow(workflows.KeepTrust)
	env.RegisterWorkflow(workflows.RetireCertificate)
	env.RegisterActivity(p.activities)
	env.SetTestTimeout(time.Minute)
	return env
}

// rotate runs a rotation to its end and returns its report, whatever the
// outcome, and the error that ended it.
func (p *place) rotate(t *testing.T, prepare ...func(*testsuite.TestWorkflowEnvironment)) (farm.Report, error) {
	t.Helper()
	env := p.environment(t)
	for _, f := range prepare {
		f(env)
	}
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test"})
	return ended(t, env)
}

// ended returns the report of a rotation that has ended, whatever the outcome,
// and the error that ended it.
func ended(t *testing.T, env *testsuite.TestWorkflowEnvironment) (farm.Report, error) {
	t.Helper()
	if !env.IsWorkflowCompleted() {
		t.Fatal("the rotation did not end")
	}
	var report farm.Report
	err := env.GetWorkflowError()
	if err == nil {
		if err := env.GetWorkflowResult(&report); err != nil {
			t.Fatal(err)
		}
		return report, nil
	}
	var application *temporal.ApplicationError
	if errors.As(err, &application) && application.HasDetails() {
		if err := application.Details(&report); err != nil {
			t.Fatal(err)
		}
	}
	var canceled *temporal.CanceledError
	if errors.As(err, &canceled) && canceled.HasDetails() {
		if err := canceled.Details(&report); err != nil {
			t.Fatal(err)
		}
	}
	return report, err
}

// refreshes demands that a data refresh works between every office server and
// every SharePoint server: the trust in the world, not in a report.
func (p *place) refreshes(t *testing.T) {
	t.Helper()
	obstacles, err := p.sim.RefreshObstacles()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obstacles {
		t.Error(o)
	}
}

// step returns a step of a server's report.
func step(t *testing.T, r farm.Report, host string, name farm.Step) farm.StepReport {
	t.Helper()
	for _, s := range r.Servers {
		for _, row := range s.Steps {
			if s.Host == host && row.Step == name {
				return row
			}
		}
	}
	t.Fatalf("the report has no step %q on %s", name, host)
	return farm.StepReport{}
}

// sameTrust demands that everything a rotation touches is as it was.
func (p *place) sameTrust(t *testing.T, before model.State) {
	t.Helper()
	if diff := farmsim.TrustOf(before).Diff(p.sim.Trust()); diff != "" {
		t.Errorf("the farm is not as it was (-before +now):\n%s", diff)
	}
}

// removeIssuer is somebody else who removes a trusted token issuer.
func (p *place) removeIssuer(t *testing.T) {
	t.Helper()
	session, err := p.sim.World.LogOn("sp-01.contoso.com", model.Logon{User: "somebody else", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	issuers, err := session.SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil || len(issuers) == 0 {
		t.Fatalf("find an issuer to remove: %v, %d there", err, len(issuers))
	}
	if err := session.SharePoint().RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: issuers[0].Name, Confirmed: true}); err != nil {
		t.Fatal(err)
	}
}
