package workflows_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
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
