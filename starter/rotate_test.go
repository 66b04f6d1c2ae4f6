package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// ends is a worker whose workflows end at once.
func ends(result any, err error) func(string, string) (any, error) {
	return func(string, string) (any, error) { return result, err }
}

// asked says what a workflow was started with.
type asked struct{ ID, Type, Queue, Input, Summary, Farm string }

func (f *frontend) asked(t *testing.T) []asked {
	t.Helper()
	text := func(err error, s string) string {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var all []asked
	for _, e := range f.runs {
		a := asked{ID: e.request.WorkflowId, Type: e.request.WorkflowType.Name, Queue: e.request.TaskQueue.GetName()}
		if p := e.request.Input.GetPayloads(); len(p) == 1 {
			a.Input = string(p[0].Data)
		}
		data := converter.GetDefaultDataConverter()
		if s := e.request.GetUserMetadata().GetSummary(); s != nil {
			a.Summary = text(data.FromPayload(s, &a.Summary), a.Summary)
		}
		if p := e.request.GetSearchAttributes().GetIndexedFields()["Farm"]; p != nil {
			a.Farm = text(data.FromPayload(p, &a.Farm), a.Farm)
		}
		all = append(all, a)
	}
	return all
}

func TestRotateStartsOneRotationAndShowsItsReport(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
	start(t, "rotate", "contoso", "--reason", "change 4711").says(t, exitOK,
		"out:contoso: verified\n  configured as desired, key usable on every server\n", "out:import certificate  changed  0.9s")
	want := []asked{{
		ID: "rotate/contoso", Type: "RotateTrust", Queue: "farmtrust", Input: `{"farm":"contoso","reason":"change 4711"}`,
		Summary: "rotate contoso: change 4711", Farm: "contoso",
	}}
	if diff := cmp.Diff(want, f.asked(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRotateSaysWhoAskedWhenNobodySaysWhy(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.Already), nil)})
	start(t, "rotate", "contoso").says(t, exitOK, "out:contoso: already")
	if got := f.asked(t)[0].Input; !strings.Contains(got, `"reason":"asked for by `) {
		t.Errorf("got %s", got)
	}
}

func TestHowARotationEndedDecidesTheExitCode(t *testing.T) {
	failed := func(kind string, details ...any) error {
		return temporal.NewNonRetryableApplicationError("in its own words", kind, nil, details...)
	}
	for claim, c := range map[string]struct {
		err  error
		code int
		want []string
	}{
		"refused":                 {failed(workflows.RefusedError, report("contoso", farm.Refused)), exitRefused, []string{"out:contoso: refused\n  refused for a reason"}},
		"incomplete":              {failed(workflows.IncompleteError, report("contoso", farm.Incomplete)), exitFailed, []string{"out:contoso: incomplete\n"}},
		"unknown farm":            {failed(workflows.UnknownFarmError), exitUsage, []string{"starter: in its own words"}},
		"anything else":           {failed("Surprise"), exitFailed, []string{"starter: contoso: in its own words"}},
		"cancelled with a report": {temporal.NewCanceledError(report("contoso", farm.Incomplete)), exitFailed, []string{"out:contoso: incomplete\n"}},
		"cancelled without":       {temporal.NewCanceledError(), exitFailed, []string{"contoso: cancelled before anything was changed"}},
		"terminated":              {errTerminated, exitFailed, []string{"contoso: terminated in Temporal", "starter plan contoso says what is left"}},
	} {
		t.Run(claim, func(t *testing.T) {
			serve(t, &frontend{work: ends(nil, c.err)})
			start(t, "rotate", "contoso").says(t, c.code, c.want...)
			got := start(t, "rotate", "contoso", "-o", "json")
			got.says(t, c.code)
			var object map[string]any
			got.json(t, &object)
			if object["farm"] == nil && object["error"] == nil {
				t.Errorf("the JSON is neither report nor error: %v", object)
			}
		})
	}
}

func TestASecondRotationIsAttachedToTheFirst(t *testing.T) {
	var questions atomic.Int32
	f := &frontend{}
	serve(t, f)
	first := f.running("contoso")
	f.status = func(string) (workflows.Status, error) {
		if questions.Add(1) == 2 {
			f.end(first, report("contoso", farm.Verified), nil)
		}
		s := workflows.Status{Phase: workflows.Switching, Report: report("contoso", "")}
		return s, nil
	}
	got := start(t, "rotate", "contoso", "--reason", "again")
	got.says(t, exitOK, "a rotation of contoso is running already: attached to it, and started none for: again\n",
		"switching\n", "oos-01.contoso.com  import certificate  changed\n", "out:contoso: verified")
	if len(f.runs) != 1 {
		t.Errorf("%d rotations were started, want that of the other person only", len(f.runs)-1)
	}
}

func TestAnUnansweredQuestionDoesNotEndTheWatch(t *testing.T) {
	f := &frontend{}
	serve(t, f)
	only := f.running("contoso")
	var questions atomic.Int32
	f.status = func(string) (workflows.Status, error) {
		if questions.Add(1) == 2 {
			f.end(only, report("contoso", farm.Verified), nil)
		}
		return workflows.Status{}, &serviceerror.QueryFailed{Message: "unknown queryType status"}
	}
	start(t, "rotate", "contoso").says(t, exitOK, "out:contoso: verified")
}

func TestStoppingTheWatchLeavesTheRotation(t *testing.T) {
	f := &frontend{}
	serve(t, f)
	ctx, interrupt := context.WithCancel(t.Context())
	f.status = func(string) (workflows.Status, error) {
		interrupt()
		return workflows.Status{}, errors.New("too late")
	}
	startWith(t, ctx, "", "rotate", "contoso").says(t, exitFailed, "stopped watching; the rotation goes on: starter status contoso --watch")
	if f.runs[0].last != nil {
		t.Error("the rotation was ended")
	}
}

func TestDetachReturnsOnceTheRotationIsAccepted(t *testing.T) {
	serve(t, &frontend{})
	start(t, "rotate", "contoso", "--detach").says(t, exitOK, "out:contoso: accepted as workflow rotate/contoso, run run-1; watch it: starter status contoso --watch")
	got := start(t, "rotate", "contoso", "--detach", "-o", "json")
	got.says(t, exitOK)
	var told accepted
	got.json(t, &told)
	if want := (accepted{Farm: "contoso", WorkflowID: "rotate/contoso", RunID: "run-1", Attached: true}); told != want {
		t.Errorf("got %+v, want %+v", told, want)
	}
}

func TestARotationWithoutAWorkerIsAcceptedAndSaysWhatItWaitsFor(t *testing.T) {
	serve(t, &frontend{noWorker: true})
	start(t, "rotate", "contoso", "--detach").says(t, exitOK, "no worker polls task queue farmtrust: start one: worker -config FILE; the rotation waits for it")
}

func TestJSONIsTheReportAloneOnTheStandardOutput(t *testing.T) {
	want := report("contoso", farm.Verified)
	serve(t, &frontend{work: ends(want, nil)})
	got := start(t, "rotate", "contoso", "-o", "json")
	got.says(t, exitOK)
	var told farm.Report
	got.json(t, &told)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if strings.Count(got.out, "\n") != 1 {
		t.Errorf("more than one line: %s", got.out)
	}
}

func TestMissingSearchAttributesNameTheCommandThatAddsThem(t *testing.T) {
	serve(t, &frontend{noFarmAttribute: true})
	start(t, "rotate", "contoso").says(t, exitFailed, "start rotate/contoso: check search attributes",
		"temporal operator search-attribute create --namespace default --name Farm --type Keyword")
}

func TestATemporalThatIsNotThereIsNamed(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", file(t, "none.toml", ""))
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, command := range []string{"rotate x", "plan x", "status", "status x", "check x"} {
		got := start(t, append(strings.Fields(command), "-o", "json")...)
		got.says(t, exitFailed, "reach Temporal at 127.0.0.1:1: ", "set TEMPORAL_ADDRESS")
		var told failure
		if got.json(t, &told); told.ExitCode != exitFailed {
			t.Errorf("%s: got %+v", command, told)
		}
	}
}
