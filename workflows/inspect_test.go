package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	before := f.sim.Trust()
	var steps []farm.Step
	for _, d := range f.inspect(t).Plan {
		if !slices.Contains(steps, d.Step) {
			steps = append(steps, d.Step)
		}
	}
	want := []farm.Step{
		farm.StepImport, farm.StepGrant, farm.StepRootAuthority, farm.StepS2SName, farm.StepReplication, farm.StepIssuer, farm.StepRestart,
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("the plan of a first set-up (-want +got):\n%s", diff)
	}
	f.assertTrustUnchanged(t, before)
}

func TestInspect_FarmInOrder(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.rotate(t).requireOutcome(farm.Verified)
	n := f.inspect(t)
	if len(n.Plan) > 0 || !cmp.Equal(n.Observed, farm.Observed{}) {
		t.Errorf("a farm in order has the plan %+v and carries what %d office servers showed, want neither", n.Plan, len(n.Observed.Office))
	}
}

// TestInspect_ServerAway is about servers that do not answer.
func TestInspect_ServerAway(t *testing.T) {
	answered := func(n farm.Inspection) map[string]bool {
		all := map[string]bool{}
		for _, s := range n.Servers {
			all[s.Host] = s.Problem == "" && s.Machine.Host == s.Host
		}
		return all
	}
	t.Run("one that answers the second time is no problem", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		once := brokenScript(office2, "Get-OfficeServer")
		once.Times = 1
		f.addFaults(t, once)
		n := f.inspect(t)
		if diff := cmp.Diff(map[string]bool{office1: true, office2: true, frontEnd: true}, answered(n)); diff != "" || len(n.Plan) == 0 {
			t.Errorf("servers that answered (-want +got), and %d differences:\n%s", len(n.Plan), diff)
		}
	})
	t.Run("one of several office farms keeps no other from being observed", func(t *testing.T) {
		t.Parallel()
		f := newOfficesFarm(t, farmsim.Options{Trusting: true})
		f.addFaults(t, brokenScript(other2, "Get-OfficeServer"))
		n := f.inspect(t)
		want := map[string]bool{office1: true, office2: true, other1: true, other2: false, frontEnd: true}
		if diff := cmp.Diff(want, answered(n)); diff != "" {
			t.Errorf("servers that answered (-want +got):\n%s", diff)
		}
		assertMentions(t, n.Unobserved(), other2, "the disk is full")
		if len(n.Plan) > 0 || n.Current.Thumbprint != "" || n.At.IsZero() {
			t.Errorf("at %s a farm that was not observed whole is compared: %+v, in use %q", n.At, n.Plan, n.Current.Thumbprint)
		}
	})
	t.Run("a front end leaves out its farm, not its members", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{SharePointServers: 2})
		f.addFaults(t, brokenScript(frontEnd, "Get-SharePointFarm"))
		want := map[string]bool{office1: true, office2: true, frontEnd: false, appServer: true}
		if diff := cmp.Diff(want, answered(f.inspect(t))); diff != "" {
			t.Errorf("servers that answered (-want +got):\n%s", diff)
		}
	})
}

// TestInspect_Ends is about inspections that find nothing.
func TestInspect_Ends(t *testing.T) {
	for name, c := range map[string]struct {
		farm    string
		prepare func(*testRun)
		want    string
	}{
		"its farm is mistyped": {farm: "cont0so", want: "UnknownFarm"},
		"it is cancelled": {
			farm:    farmsim.FarmName,
			prepare: func(r *testRun) { r.onActivity("InspectFarm", r.env.CancelWorkflow) },
			want:    "canceled",
		},
		"its activity is paused or never taken": {
			farm: farmsim.FarmName,
			prepare: func(r *testRun) {
				r.env.RegisterActivityWithOptions(func(context.Context, string) (farm.Inspection, error) {
					return farm.Inspection{}, activity.ErrResultPending // and nobody ever brings it
				}, activity.RegisterOptions{Name: "InspectFarm", DisableAlreadyRegisteredCheck: true})
			},
			want: "did not end within an hour",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTestFarm(t, farmsim.Options{}).newRun(t)
			began := r.env.Now()
			if c.prepare != nil {
				c.prepare(r)
			}
			r.env.ExecuteWorkflow(workflows.InspectTrust, workflows.InspectInput{Farm: c.farm})
			if err := r.env.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the inspection ended with %v, want %q", err, c.want)
			}
			if took := r.env.Now().Sub(began); took > time.Hour+time.Minute {
				t.Errorf("the inspection took %s, want an hour at most", took)
			}
		})
	}
}

// problemsOf is all that an inspection finds wrong, one a line.
func problemsOf(n farm.Inspection) string {
	var lines []string
	for _, s := range n.Servers {
		if s.Problem != "" {
			lines = append(lines, s.Host+": "+s.Problem)
		} else if !s.Machine.Elevated {
			lines = append(lines, s.Host+": not elevated")
		}
	}
	for _, f := range n.Findings {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", f.Server, f.Text, f.Remedy))
	}
	return strings.Join(lines, "\n")
}

func TestInspect_RemoteShell(t *testing.T) {
	for name, c := range map[string]struct {
		host  string
		shell farmsim.Shell
		want  []string
	}{
		"constrained language mode": {
			office2,
			farmsim.Shell{LanguageMode: "ConstrainedLanguage"},
			[]string{`PowerShell runs in language mode "ConstrainedLanguage"`, "let the connection's account run PowerShell in full language mode"},
		},
		"32-bit PowerShell": {
			frontEnd,
			farmsim.Shell{Bits32: true},
			[]string{"PowerShell runs as a 32-bit process", "remove the 32-bit configuration of the remote shell"},
		},
		"filtered token of an office server": {
			office2,
			farmsim.Shell{Filtered: true},
			[]string{office2 + ": not elevated", "LocalAccountTokenFilterPolicy"},
		},
		"filtered token of a SharePoint server": {
			appServer,
			farmsim.Shell{Filtered: true},
			[]string{appServer + ": not elevated", "LocalAccountTokenFilterPolicy"},
		},
		"filtered token of a front end": {
			frontEnd,
			farmsim.Shell{Filtered: true},
			[]string{"without administrator rights", "LocalAccountTokenFilterPolicy"},
		},
		"FIPS policy of an office server": {
			office1,
			farmsim.Shell{FIPS: true},
			[]string{"FIPS policy", "is not documented", "take the server out of the policy"},
		},
		"FIPS policy of a SharePoint server": {
			appServer,
			farmsim.Shell{FIPS: true},
			[]string{"which SharePoint Server does not support", "take the server out of the policy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{SharePointServers: 2, Shells: map[string]farmsim.Shell{c.host: c.shell}})
			assertMentions(t, problemsOf(f.inspect(t)), append(c.want, c.host)...)
		})
	}
	t.Run("one that is as it should be is not mentioned", func(t *testing.T) {
		t.Parallel()
		found := problemsOf(newTestFarm(t, farmsim.Options{}).inspect(t))
		for _, word := range []string{"FIPS", "elevated", "32-bit", "language mode"} {
			if strings.Contains(found, word) {
				t.Errorf("the inspection mentions %q without reason:\n%s", word, found)
			}
		}
	})
}
