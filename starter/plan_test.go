package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

func refusal(farmName string) error {
	return temporal.NewNonRetryableApplicationError("refused", workflows.RefusedError, nil, report(farmName, farm.Refused))
}

// looks is what a worker finds.
func looks(change func(*farm.Inspection)) func(string, string) (any, error) {
	return func(_, id string) (any, error) {
		n := farm.Inspection{
			Farm: strings.TrimPrefix(id, "inspect/"),
			Servers: []farm.InspectedServer{{
				Host: "oos-01", Role: farm.OfficeRole, Machine: farm.Machine{Elevated: true, WindowsBuild: 17763, PowerShell: "5.1.17763.1"},
				Detail: "Office Online Server, Healthy",
			}},
		}
		change(&n)
		return n, nil
	}
}

func inOrder(*farm.Inspection) {}

func differs(n *farm.Inspection) {
	n.Plan = []farm.Difference{{Step: farm.StepImport, Server: "oos-01", Text: "import it: the Personal store does not hold it"}}
}

func stopped(n *farm.Inspection) {
	n.Findings = []farm.Finding{{Severity: farm.Stop, Server: "oos-01", Text: "is in no Office Online Server farm", Remedy: "join it"}}
}

func unseen(n *farm.Inspection) { n.Servers[0].Problem = "connection refused: start WinRM there" }

func TestPlanExitsWithWhatARotationWouldComeTo(t *testing.T) {
	for claim, c := range map[string]struct {
		found func(*farm.Inspection)
		code  int
		want  string
	}{
		"nothing to do":           {inOrder, exitOK, "out:contoso: nothing to do, configured as desired"},
		"something to do":         {differs, exitDiffers, "out:oos-01  import it: the Personal store does not hold it"},
		"a precondition fails":    {stopped, exitRefused, "out:is in no Office Online Server farm - join it"},
		"a server is not reached": {unseen, exitFailed, "out:connection refused: start WinRM there"},
	} {
		t.Run(claim, func(t *testing.T) {
			f := serve(t, &frontend{work: looks(c.found)})
			start(t, "plan", "contoso").says(t, c.code, c.want)
			want := []asked{{ID: "inspect/contoso", Type: "InspectTrust", Queue: "farmtrust", Input: `{"farm":"contoso"}`, Summary: "inspect contoso", Farm: "contoso"}}
			if diff := cmp.Diff(want, f.asked(t)); diff != "" {
				t.Error(diff)
			}
			got := start(t, "plan", "contoso", "-o", "json")
			got.says(t, c.code)
			var told farm.Inspection
			if got.json(t, &told); told.Farm != "contoso" {
				t.Errorf("got %+v", told)
			}
		})
	}
}

func TestAPlanOfAnUnknownFarmIsToldInTheWorkersWords(t *testing.T) {
	serve(t, &frontend{work: ends(nil, temporal.NewNonRetryableApplicationError(`farm "west" is not in the worker's configuration`, workflows.UnknownFarmError, nil))})
	start(t, "plan", "west").says(t, exitUsage, `farm "west" is not in the worker's configuration`)
}

func TestWithoutAWorkerNothingIsInspected(t *testing.T) {
	f := serve(t, &frontend{noWorker: true})
	for _, command := range []string{"plan contoso", "check contoso"} {
		start(t, strings.Fields(command)...).says(t, exitFailed, "no worker polls task queue farmtrust: start one: worker -config FILE")
	}
	if len(f.runs) != 0 {
		t.Errorf("started %v", f.inputs(t))
	}
}

func TestCheckLooksAtEveryFarmOfTheFileOrThoseNamed(t *testing.T) {
	config := file(t, "farmtrust.yaml", twoFarms)
	f := serve(t, &frontend{work: looks(differs)})
	start(t, "check", "--config", config).says(t, exitOK, "out:farmtrust.yaml: the configuration is valid\n",
		"out:contoso: 1 of 1 server answered", "out:fabrikam: 1 of 1 server answered", "out:administrator  2019")
	start(t, "check", "--config", config, "fabrikam").says(t, exitOK)
	start(t, "check", "elsewhere").says(t, exitOK, "out:elsewhere: 1 of 1 server answered")
	if len(f.runs) != 4 {
		t.Errorf("got %v, want 2, 1 and 1 inspections", f.inputs(t))
	}
}

func TestCheckOfABrokenFileSaysEverythingWithLinesAndLooksAtNothing(t *testing.T) {
	f := serve(t, &frontend{work: looks(inOrder)})
	config := file(t, "broken.yaml", strings.NewReplacer("office:", "offices:", "auth: ntlm", "auth: magic").Replace(twoFarms))
	start(t, "check", "--config", config).says(t, exitUsage, "broken.yaml:3: ", "broken.yaml:10: ", "broken.yaml:17: ")
	start(t, "check", "--config", file(t, "good.yaml", twoFarms), "west").says(t, exitUsage, `unknown farm "west"`)
	if len(f.runs) != 0 {
		t.Errorf("started %v", f.inputs(t))
	}
}

func TestCheckOfTheFileAloneNeedsNoTemporal(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	start(t, "check", "--file-only", "--config", file(t, "farmtrust.yaml", twoFarms)).says(t, exitOK, "out:the configuration is valid")
}

func TestCheckExitsWithTheWorstThatWasFound(t *testing.T) {
	unknown := temporal.NewNonRetryableApplicationError("no such farm", workflows.UnknownFarmError, nil)
	for claim, c := range map[string]struct {
		contoso, fabrikam func(string, string) (any, error)
		code              int
		want              []string
	}{
		"unknown to the worker": {looks(inOrder), ends(nil, unknown), exitUsage, []string{"out:contoso: 1 of 1", "out:fabrikam: no such farm"}},
		"not reached":           {looks(unseen), looks(stopped), exitFailed, []string{"out:contoso: 0 of 1", "out:start WinRM there"}},
		"a precondition fails":  {looks(stopped), looks(inOrder), exitRefused, []string{"out:contoso: 1 of 1 server answered, 1 precondition to mend"}},
	} {
		t.Run(claim, func(t *testing.T) {
			serve(t, &frontend{work: func(kind, id string) (any, error) {
				if id == "inspect/contoso" {
					return c.contoso(kind, id)
				}
				return c.fabrikam(kind, id)
			}})
			start(t, "check", "contoso", "fabrikam").says(t, c.code, c.want...)
			got := start(t, "check", "contoso", "fabrikam", "-o", "json")
			got.says(t, c.code)
			var told checkup
			if got.json(t, &told); len(told.Farms) != 2 || told.Farms[0].Farm != "contoso" || told.Farms[1].Farm != "fabrikam" {
				t.Errorf("got %+v", told)
			}
		})
	}
}
