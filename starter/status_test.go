package main

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestStatusShowsARunningRotation(t *testing.T) {
	f := &frontend{status: func(string) (farm.Status, error) {
		return farm.Status{Phase: farm.PhaseCutover, Report: report("contoso", "")}, nil
	}}
	serve(t, f).running("contoso")
	start(t, "status", "contoso").says(t, exitOK, "out:contoso: switching, for ", "out:import certificate  changed")
	got := start(t, "status", "contoso", "-o", "json")
	got.says(t, exitOK)
	var told farm.Status
	if got.json(t, &told); told.Phase != farm.PhaseCutover || told.Report.Farm != "contoso" {
		t.Errorf("got %+v", told)
	}
}

func TestStatusShowsHowTheLastRotationEndedAndThatIsNoFailure(t *testing.T) {
	f := serve(t, &frontend{})
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	f.end(f.running("contoso"), nil, refusal("contoso"))
	start(t, "status", "contoso").says(t, exitOK, "out:contoso: refused\n  refused for a reason")
	got := start(t, "status", "contoso", "-o", "json")
	got.says(t, exitOK)
	var told farm.Status
	if got.json(t, &told); told.Phase != farm.PhaseDone || told.Report.Outcome != farm.Refused {
		t.Errorf("got %+v", told)
	}
}

func TestStatusSaysWhyItCannotTell(t *testing.T) {
	f := &frontend{status: func(id string) (farm.Status, error) {
		if id == workflows.RotateID("young") {
			return farm.Status{}, &serviceerror.QueryFailed{Message: "unknown queryType status"}
		}
		return farm.Status{}, serviceerror.NewFailedPrecondition("no poller seen for task queue recently")
	}}
	serve(t, f)
	f.running("young")
	f.running("orphan")
	f.end(f.running("gone"), nil, errTerminated)
	start(t, "status", "nobody").says(t, exitFailed, "nobody: no keeper runs for the farm: start a worker that is configured for it")
	start(t, "status", "young").says(t, exitFailed, "young: rotate/young has only just begun; ask again")
	start(t, "status", "orphan").says(t, exitFailed, "orphan: rotate/orphan is running, but no worker answers for it: ", "no poller seen", "start one: worker -config FILE")
	start(t, "status", "gone").says(t, exitFailed, "gone: terminated in Temporal")
	start(t, "status", "nobody", "--watch").says(t, exitFailed, "nobody: no rotation, or none within Temporal's retention; start one: starter rotate nobody")
}

func TestStatusShowsTheFarmsPageAndWhatIsAtWork(t *testing.T) {
	f := &frontend{status: func(id string) (farm.Status, error) {
		return farm.Status{Phase: farm.PhaseRetiring, Report: report("contoso", "")}, nil
	}}
	serve(t, f)
	f.keeping(controller.State{
		Farm: "contoso", Suspended: "the rotation was undone", InspectedAt: time.Now(), SeenEventIDs: []string{"e1"},
		Snapshot: &farm.Snapshot{Previous: farm.StoreCertificate{Thumbprint: "99887766554433221100FFEEDDCCBBAA99887766"}},
	})
	start(t, "status", "contoso").says(t, exitOK, "out:contoso: held, a person is needed\n", "out:starter release contoso --reason WHY",
		"out:back to 99887766\n", "out:starter undo contoso --reason WHY\n")
	f.add(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: "retire/contoso", WorkflowType: &commonpb.WorkflowType{Name: "RetireCertificate"}})
	start(t, "status", "contoso").says(t, exitOK, "out:contoso: held, a person is needed\n", "out:\ncontoso: retiring, for ")
	got := start(t, "status", "contoso", "-o", "json")
	got.says(t, exitOK)
	var told state
	got.json(t, &told)
	if told.Keeper == nil || told.Keeper.State != "held" || !told.Keeper.CanBeUndone || told.Keeper.SeenEventIDs != nil || told.Phase != farm.PhaseRetiring {
		t.Errorf("got %s", got.out)
	}
}

func TestStatusShowsWhatItCanWithoutTheKeeper(t *testing.T) {
	f := serve(t, &frontend{noWorker: true})
	f.keeping(controller.State{Farm: "contoso"})
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	start(t, "status", "contoso").says(t, exitOK, "out:contoso: verified", "contoso: no worker answers for the keeper: ", "start one: worker -config FILE")
}

func TestWatchingShowsChangesAndExitsAsTheRotationEnded(t *testing.T) {
	f := &frontend{}
	serve(t, f)
	only := f.running("contoso")
	var questions atomic.Int32
	f.status = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.end(only, nil, refusal("contoso"))
		}
		return farm.Status{Phase: farm.PhaseObserving, Report: report("contoso", "")}, nil
	}
	start(t, "status", "contoso", "--watch").says(t, exitRefused, "out:  observing\n", "out:oos-01.contoso.com  import certificate  changed\n", "out:contoso: refused")
	start(t, "status", "contoso", "--watch").says(t, exitRefused, "out:contoso: refused")
}

// mark sets search attributes.
func mark(t *testing.T, e *execution, all map[string]any) {
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

func TestStatusOfAllListsKeeperAndLastRotationOfEachFarm(t *testing.T) {
	f := serve(t, &frontend{})
	empty := start(t, "status")
	empty.says(t, exitOK, "out:no farm has been rotated yet")
	f.end(f.running("contoso"), nil, refusal("contoso"))
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	running := f.running("fabrikam")
	mark(t, running, map[string]any{"Phase": "staging", "Thumbprint": "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"})
	f.keeping(controller.State{Farm: "northwind"})
	mark(t, f.find("farm/northwind", ""), map[string]any{"Phase": "held", "NeedsOperator": true})
	start(t, "status").says(t, exitOK, "out:contoso    -                     completed  -            2026-01-05 06:00 UTC  8.4s",
		"out:fabrikam   -                     staging    DB0FEA9B     2026-01-05 06:00 UTC", "out:northwind  held, NEEDS A PERSON  -          -            -                     -")
	got := start(t, "status", "-o", "json")
	got.says(t, exitOK)
	var told rotations
	got.json(t, &told)
	second := time.Date(2026, 1, 5, 6, 0, 1, 0, time.UTC)
	want := rotations{Rotations: []console.Rotation{
		{Farm: "contoso", State: "completed", StartedAt: second, EndedAt: second.Add(8412 * time.Millisecond)},
		{Farm: "fabrikam", State: "staging", Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", StartedAt: second.Add(time.Second)},
		{Farm: "northwind", Keeper: "held", NeedsPerson: true},
	}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

func TestStatusOfAllNamesTheFarmWhoseRetirementWaitsForAPerson(t *testing.T) {
	f := serve(t, &frontend{})
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	f.keeping(controller.State{Farm: "contoso"})
	mark(t, f.find("farm/contoso", ""), map[string]any{"Phase": "at work", "NeedsOperator": false})
	retires := f.add(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: "retire/contoso", WorkflowType: &commonpb.WorkflowType{Name: "RetireCertificate"}})
	mark(t, retires, map[string]any{"Phase": "retiring", "NeedsOperator": true})
	start(t, "status").says(t, exitOK, "out:contoso  retiring, NEEDS A PERSON  completed")
	f.end(retires, report("contoso", farm.Verified), nil)
	start(t, "status").says(t, exitOK, "out:contoso  at work  completed")
}
