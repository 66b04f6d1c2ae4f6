package workflows_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// preview has a worker find what was asked, which must change nothing.
func (f *testFarm) preview(t *testing.T, in workflows.InspectInput) farm.Preview {
	t.Helper()
	before := f.sim.Trust()
	r := f.newRun(t)
	in.Farm = farmsim.FarmName
	r.env.ExecuteWorkflow(workflows.InspectTrust, in)
	var found farm.Inspection
	if err := r.env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	f.assertTrustUnchanged(t, before)
	if found.Previewed == nil {
		t.Fatalf("nothing was found: %s", found.Unobserved())
	}
	return *found.Previewed
}

// restartsOf lists the servers that a run restarted, in order.
func (e endedRun) restartsOf(r *testRun) []string {
	e.t.Helper()
	var hosts []string
	for _, a := range r.started {
		if strings.HasPrefix(a.name, "Restart") {
			hosts = append(hosts, a.host)
		}
	}
	return hosts
}

func namesOf(restarts []farm.PlannedRestart) []string {
	var hosts []string
	for _, r := range restarts {
		hosts = append(hosts, r.Server)
	}
	return hosts
}

func TestPreview_OfAnUndo(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true, OfficeServers: 3, SharePointServers: 2})
	before := f.sim.Trust()
	snapshot := *f.requireRotated(t).Snapshot
	p := f.preview(t, workflows.InspectInput{WayBack: &activities.PreviewWayBackInput{Farm: farmsim.FarmName, What: "an undo", Snapshot: snapshot}})
	if len(p.Findings) > 0 || p.EstimateMS == 0 {
		t.Errorf("the preview is %+v", p)
	}
	r := f.newRun(t)
	undone := r.rollBack(&snapshot).requireOutcome(farm.RolledBack)
	if got, want := undone.restartsOf(r), namesOf(p.Restarts); !slices.Equal(got, want) {
		t.Errorf("restarted were %v, as shown before %v", got, want)
	}
	f.assertTrustUnchanged(t, before)
}

func TestPreview_OfARetirement(t *testing.T) {
	t.Run("shows what is deleted where", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, SelfSigned: true})
		p := f.previewRetirement(t, f.requireRenewed(t))
		if len(farm.Stops(p.Findings)) > 0 || len(p.Restarts) > 0 {
			t.Errorf("the preview is %+v, want no obstacle and no restart", p)
		}
		for _, host := range []string{office1, office2} {
			if !slices.ContainsFunc(p.Steps, func(d farm.Difference) bool { return d.Step == farm.StepDelete && d.Server == host }) {
				t.Errorf("the deletion on %s is not in %+v", host, p.Steps)
			}
		}
	})
	t.Run("of a certificate in use is not possible", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		p := f.previewRetirement(t, farm.StoreCertificate{Thumbprint: f.inUse(t)})
		if len(farm.Stops(p.Findings)) == 0 {
			t.Errorf("the preview is %+v, want it stopped", p)
		}
	})
}

func (f *testFarm) previewRetirement(t *testing.T, old farm.StoreCertificate) farm.Preview {
	t.Helper()
	return f.preview(t, workflows.InspectInput{Retire: &activities.PreviewRetirementInput{Farm: farmsim.FarmName, Old: old}})
}
