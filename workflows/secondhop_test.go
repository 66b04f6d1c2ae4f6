package workflows_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestARotationGoesByTaskWhereSessionsDoNotReachSQLServer(t *testing.T) {
	p := newPlace(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Task, SharePointFarms: 2})
	report, err := p.rotate(t)
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("%s, %v", report.Outcome, err)
	}
	p.refreshes(t)
	again, err := p.rotate(t)
	if err != nil || again.Outcome != farm.NoChange {
		t.Errorf("once more: %s, %v; want already", again.Outcome, err)
	}
}

func TestWhatIsMissingForTheSecondHopIsSaidWithItsRemedyBeforeAnythingChanges(t *testing.T) {
	cases := []struct {
		claim   string
		runAs   farm.RunAs
		prepare func(t *testing.T, p *place)
		want    string
	}{
		{"no delegation", farm.Direct, nil, "Cannot access the local farm"},
		{"an old version of the task", farm.Task, func(t *testing.T, p *place) {
			old := strings.Replace(powershell.TaskScript(), "FullControl", "Write", 1)
			if err := p.sim.InstallSharePointTask("sp-01.contoso.com", old); err != nil {
				t.Fatal(err)
			}
		}, powershell.TaskVersion},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			p := newPlace(t, farmsim.Options{RemoteSQL: true, RunAs: c.runAs})
			if c.prepare != nil {
				c.prepare(t, p)
			}
			before := p.sim.World.State()
			report, err := p.rotate(t)
			if err == nil || report.Outcome != farm.Refused {
				t.Fatalf("%s, %v; want refused", report.Outcome, err)
			}
			explained(t, err.Error(), c.want)
			after := p.sim.World.State()
			if len(after.SharePoint[0].Issuers) != len(before.SharePoint[0].Issuers) || after.Office.Members[0].Settings != before.Office.Members[0].Settings {
				t.Errorf("the farm was changed: %+v", after)
			}

			env := p.environment(t)
			env.ExecuteWorkflow(workflows.InspectTrust, workflows.InspectInput{Farm: farmsim.FarmName})
			var seen farm.Inspection
			if err := env.GetWorkflowResult(&seen); err != nil {
				t.Fatal(err)
			}
			problems := 0
			for _, s := range seen.Servers {
				if s.Problem != "" {
					problems++
					explained(t, s.Problem, c.want)
				}
			}
			if problems != 1 {
				t.Errorf("%d servers with a problem, want the front end alone: %+v", problems, seen.Servers)
			}
		})
	}
}

func explained(t *testing.T, text, want string) {
	t.Helper()
	for _, part := range []string{"sp-01", want, "docs/second-hop.md"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func TestARotationGoesBackByTaskToo(t *testing.T) {
	p := newPlace(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Task, Trusting: true})
	p.policy = policy(func(r *farm.RotationPolicy) { r.OnFailure = farm.OnFailureRollBack })
	before := p.sim.World.State()
	// The way back restarts too, so this one passes after the first time.
	f := broken("oos-01.contoso.com", "Restart-OfficeServer")
	f.Times = 9
	if err := p.sim.AddFaults(f); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t)
	if err != nil || report.Outcome != farm.RolledBack {
		t.Fatalf("ended %q: %s, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
	p.refreshes(t)
}
