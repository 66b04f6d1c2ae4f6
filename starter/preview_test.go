package main

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// renewed is a farm whose last rotation can be undone.
func renewed() controller.State {
	return controller.State{
		Farm: "contoso",
		Retention: controller.Retention{Snapshot: &farm.Snapshot{
			Target: farm.Certificate{Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"}, Previous: farm.StoreCertificate{Thumbprint: "99887766554433221100FFEEDDCCBBAA99887766"},
		}},
	}
}

// undoes is what a worker finds that an undo would do.
func undoes(n *farm.Inspection) {
	n.Previewed = &farm.Preview{
		What:     "an undo",
		Steps:    []farm.Difference{{Step: farm.StepRestoreS2SName, Server: "oos-01", Text: `set S2SCertificateName back to "OOS S2S old"`}, {Step: farm.StepRestartAgain, Server: "oos-01"}},
		Restarts: []farm.PlannedRestart{{Server: "oos-01", Order: 1, Services: "WACSM and IIS", Why: "its settings change"}}, EstimateMS: 900_000,
	}
}

func TestPlan_OfAnUndo(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(undoes)})
	f.addController(renewed())
	runProgram(t, "plan", "contoso", "--undo").assertExit(t, exitDiffers,
		"out:contoso: an undo would make 1 change and restart 1 server, in about 15 minutes", `out:set S2SCertificateName back to "OOS S2S old"`,
		"out:restarts, in this order", "out:farmtrust undo contoso --reason WHY")
	assertEqual(t, f.requests, nil)
	started := f.startedRuns(t)
	if last := started[len(started)-1]; last.ID != "inspect/contoso/undo" || last.Type != "InspectTrust" {
		t.Errorf("it started %+v, want an inspection", last)
	}
	t.Run("json", func(t *testing.T) {
		got := runProgram(t, "plan", "contoso", "--undo", "-o", "json")
		got.assertExit(t, exitDiffers)
		var shown report.Inspection
		got.readJSON(t, &shown)
		assertEqual(t, shown.Preview.Restarts[0].Server, "oos-01")
	})
	t.Run("a server is not reached", func(t *testing.T) {
		f.onStart = inspectionOf(unreachable)
		runProgram(t, "plan", "contoso", "--undo").assertExit(t, exitFailed, "out:connection refused: start WinRM there")
	})
}

func TestPlan_OfWhatIsNotPossible(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(inOrder)})
	f.addController(controller.State{Farm: "contoso"})
	for flag, want := range map[string]string{
		"--undo":     "contoso: nothing to undo",
		"--rollback": "contoso: nothing to roll back",
		"--retire":   "contoso: there is no old certificate to retire",
	} {
		runProgram(t, "plan", "contoso", flag).assertExit(t, exitRefused, want)
	}
	runProgram(t, "plan", "contoso", "--skip", "oos-09").assertExit(t, exitUsage, "oos-09 is not a server of contoso")
	runProgram(t, "plan", "contoso", "--undo", "--retire").assertExit(t, exitUsage, "give one of --undo, --rollback, --retire, --skip and --accept")
}

func TestPlan_OfASkip(t *testing.T) {
	startTemporal(t, &fakeTemporal{onStart: inspectionOf(func(n *farm.Inspection) {
		differs(n)
		n.Plan = append(n.Plan, farm.Difference{Step: farm.StepImport, Server: "oos-03", Text: "import it there too"})
		n.Config.Office.Servers = []farm.Server{{Host: "oos-01"}, {Host: "oos-03"}}
	})})
	runProgram(t, "plan", "contoso", "--skip", "oos-03").assertExit(t, exitDiffers,
		"out:contoso: a rotation without oos-03 would make 1 change and restart no server", "out:stays to do: import it there too")
}

func TestUndo_AsksOnATerminal(t *testing.T) {
	undone := ending{result: testReport("contoso", farm.RolledBack)}
	f := startTemporal(t, &fakeTemporal{onStart: inspectionOf(undoes)})
	f.acceptRequests(&undone)
	f.addController(renewed())
	runOnTerminal(t, "n\n", "undo", "contoso", "--reason", "why").assertExit(t, exitRefused,
		"contoso: an undo would make 1 change and restart 1 server, in about 15 minutes\ngo on? [y/N] ", "nothing was changed")
	assertEqual(t, f.requests, nil)
	runOnTerminal(t, "y\n", "undo", "contoso", "--reason", "why").assertExit(t, exitOK)
	assertEqual(t, len(f.requests), 1)
}
