package main

import (
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// inOrderState is what the controller of a farm in order knows.
func inOrderState(farmName string) controller.State {
	return controller.State{
		Farm: farmName, Inspected: controller.Inspected{At: time.Now(), Current: inUse(200)}, Next: farm.Next{Code: farm.CodeTrusted, Reason: "trusted"},
	}
}

// inUse is a certificate that ends in so many days, and some hours.
func inUse(days int) farm.StoreCertificate {
	return farm.StoreCertificate{Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", NotAfter: time.Now().Add(time.Duration(days)*24*time.Hour + 6*time.Hour)}
}

func TestStatus_RunningRotation(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStatus: func(string) (farm.Status, error) {
		return farm.Status{Phase: farm.PhaseCutover, Report: testReport("contoso", "")}, nil
	}})
	f.addController(inOrderState("contoso"))
	f.addRotation("contoso")
	runProgram(t, "status", "contoso").assertExit(t, exitOK, "out:contoso: cutover\n", "out:1 changed\n", "out:farmtrust status contoso --all\n")
	runProgram(t, "status", "contoso", "--all").assertExit(t, exitOK, "out:contoso: cutover\n", "out:import certificate  changed")
	got := runProgram(t, "status", "contoso", "-o", "json")
	got.assertExit(t, exitOK)
	var shown farm.Status
	got.readJSON(t, &shown)
	assertEqual(t, shown, farm.Status{Phase: farm.PhaseCutover, Report: testReport("contoso", "")})
}

func TestStatus_HowTheLastRotationEndedIsNoFailure(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(inOrderState("contoso"))
	f.endRun(f.addRotation("contoso"), verified)
	f.endRun(f.addRotation("contoso"), refused("contoso"))
	runProgram(t, "status", "contoso").assertExit(t, exitOK, "out:contoso: refused\n", "out:refused for a reason")
	got := runProgram(t, "status", "contoso", "-o", "json")
	got.assertExit(t, exitOK)
	var shown farm.Status
	got.readJSON(t, &shown)
	assertEqual(t, shown, farm.Status{Phase: farm.PhaseDone, Report: testReport("contoso", farm.Refused)})
}

func TestStatus_SaysWhyItCannotTell(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{known: []string{"alone"}, onStatus: func(id string) (farm.Status, error) {
		if id == workflows.RotateID("young") {
			return farm.Status{}, &serviceerror.QueryFailed{Message: "unknown queryType status"}
		}
		return farm.Status{}, serviceerror.NewFailedPrecondition("no poller seen for task queue recently")
	}})
	for _, name := range []string{"young", "orphan", "gone", "new"} {
		f.addController(inOrderState(name))
	}
	f.addRotation("young")
	f.addRotation("orphan")
	f.endRun(f.addRotation("gone"), ending{err: errTerminated})
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"no controller":    {[]string{"alone"}, exitOperator, []string{"alone: no controller runs for the farm: start a worker that has it in its configuration"}},
		"only started":     {[]string{"young"}, exitFailed, []string{"young: rotate/young has only just started; ask again"}},
		"silent":           {[]string{"orphan"}, exitCannotTell, []string{"orphan: no worker of task queue farmtrust has answered: it was killed", "start one: farmtrust-worker -config FILE"}},
		"terminated":       {[]string{"gone"}, exitFailed, []string{"gone: terminated in Temporal"}},
		"nothing to watch": {[]string{"new", "--watch"}, exitFailed, []string{"new: no rotation, or none within Temporal's retention; to start one: farmtrust rotate new"}},
	} {
		t.Run(name, func(t *testing.T) {
			runProgram(t, append([]string{"status"}, c.args...)...).assertExit(t, c.code, c.want...)
		})
	}
}

func TestStatus_FarmAndWhatRuns(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{onStatus: func(string) (farm.Status, error) {
		return farm.Status{Phase: farm.PhaseRetiring, Report: testReport("contoso", "")}, nil
	}})
	f.addController(controller.State{
		Farm: "contoso", Suspended: "the rotation was rolled back", Inspected: controller.Inspected{At: time.Now()},
		Mailbox:   controller.Mailbox{Results: []controller.EventResult{{EventID: "e1"}}},
		Retention: controller.Retention{Snapshot: &farm.Snapshot{Previous: farm.StoreCertificate{Thumbprint: "99887766554433221100FFEEDDCCBBAA99887766"}}},
	})
	t.Run("the farm, with the commands for what an operator can do", func(t *testing.T) {
		runProgram(t, "status", "contoso").assertExit(t, exitOperator, "out:contoso: suspended, an operator is needed\n",
			"out:farmtrust resume contoso --reason WHY\n", "out:go back to 99887766", "out:farmtrust undo contoso --reason WHY\n")
	})
	f.addRunOf("RetireCertificate", "retire/contoso")
	t.Run("then what runs", func(t *testing.T) {
		runProgram(t, "status", "contoso").assertExit(t, exitOperator, "out:contoso: suspended, an operator is needed\n", "out:\ncontoso: retiring\n")
	})
	t.Run("json", func(t *testing.T) {
		got := runProgram(t, "status", "contoso", "-o", "json")
		got.assertExit(t, exitOperator)
		var shown report.FarmStatus
		got.readJSON(t, &shown)
		if shown.Controller == nil || shown.Report == nil {
			t.Fatalf("got %s", got.out)
		}
		type summary struct {
			State         controller.Standing
			Phase         controller.Phase
			CanUndo       bool
			RunsPhase     farm.Phase
			NeedsOperator bool
		}
		assertEqual(t, summary{
			shown.State, shown.Controller.Phase, shown.Controller.CanUndo, shown.Phase, shown.NeedsOperator,
		}, summary{State: controller.IsSuspended, Phase: controller.Suspended, CanUndo: true, RunsPhase: farm.PhaseRetiring, NeedsOperator: true})
	})
}

func TestStatus_WithoutTheControllerShowsWhatItCan(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{noWorker: true})
	f.addController(controller.State{Farm: "contoso"})
	f.endRun(f.addRotation("contoso"), verified)
	runProgram(t, "status", "contoso").assertExit(t, exitCannotTell, "out:contoso: verified",
		"contoso: no worker answers on task queue farmtrust; start one: farmtrust-worker -config FILE")
}

func TestStatus_NamesWorkersWithDifferentConfigurations(t *testing.T) {
	one := client.Worker{Host: "worker-1", PID: 7, Config: "0a1b2c3d4e5f"}
	two := client.Worker{Host: "worker-2", PID: 8, Config: "5f4e3d2c1b0a"}
	f := startTemporal(t, &fakeTemporal{site: "berlin", pollers: []string{one.Identity(), two.Identity()}})
	f.addController(inOrderState("contoso"))
	const want = "workers of task queue farmtrust/berlin have different configurations: " +
		"worker-1, process 7 (configuration 0a1b2c3d4e5f); worker-2, process 8 (configuration 5f4e3d2c1b0a)"
	for name, args := range map[string][]string{"of a farm": {"status", "contoso"}, "of all farms": {"status"}} {
		t.Run(name, func(t *testing.T) { runProgram(t, args...).assertExit(t, exitOK, want) })
	}
}

func TestStatus_Watch(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	only := f.addRotation("contoso")
	var questions atomic.Int32
	f.onStatus = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.endRun(only, refused("contoso"))
		}
		return farm.Status{Phase: farm.PhaseObserving, Report: testReport("contoso", "")}, nil
	}
	t.Run("shows changes and exits as the rotation ended", func(t *testing.T) {
		runProgram(t, "status", "contoso", "--watch").assertExit(t, exitRefused,
			"out:  observing\n", "out:oos-01.contoso.com  import certificate  changed\n", "out:contoso: refused")
	})
	t.Run("of a rotation that has ended", func(t *testing.T) {
		runProgram(t, "status", "contoso", "--watch").assertExit(t, exitRefused, "out:contoso: refused")
	})
}

// setAttributes sets search attributes.
func setAttributes(t *testing.T, e *fakeRun, all map[string]any) {
	t.Helper()
	e.info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{}}
	for name, value := range all {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		if err != nil {
			t.Fatal(err)
		}
		e.info.SearchAttributes.IndexedFields[name] = payload
	}
}
