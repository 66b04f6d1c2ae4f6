package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
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

func TestRotateAsksTheKeeperAndShowsTheReport(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
	start(t, "rotate", "contoso", "--reason", "change 4711", "--by", "ada@desk-1").says(t, exitOK,
		"out:contoso: verified\n  configured as desired, key usable on every server\n", "out:import certificate  changed  0.9s")
	want := []asked{
		{
			ID: "farm/contoso", Type: "KeepTrust", Queue: "farmtrust", Summary: "keep the trust of contoso", Farm: "contoso",
			Input: `{"farm":"contoso","next":{"do":"","why":"","needsPerson":false},"lookEvery":21600000000000,"soak":1209600000000000}`,
		},
		{ID: "rotate/contoso", Type: "RotateTrust", Input: `{"farm":"contoso","reason":"change 4711 (ada@desk-1)"}`},
	}
	if diff := cmp.Diff(want, f.asked(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRotateSaysWhoAskedAndWhyAsFarAsItIsKnown(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.NoChange), nil)})
	f.keeping(controller.State{Farm: "fabrikam", Current: farm.StoreCertificate{
		Thumbprint: "99887766554433221100FFEEDDCCBBAA99887766", NotAfter: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
	}})
	start(t, "rotate", "contoso").says(t, exitOK, "out:contoso: already")
	start(t, "rotate", "fabrikam").says(t, exitOK)
	for i, want := range []string{
		"rotate/contoso " + fmt.Sprintf(`{"farm":"contoso","reason":"asked for (%s)"}`, whoami()),
		"rotate/fabrikam " + fmt.Sprintf(`{"farm":"fabrikam","reason":"expired: certificate 99887766 ended on 2020-01-02 (%s)"}`, whoami()),
	} {
		if got := f.inputs(t)[i]; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestACompromisedCertificateIsRotatedWithAReasonAndNeverJoins(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
	start(t, "rotate", "contoso", "--compromised").says(t, exitUsage, "say why, for those who read the report: --reason WHY")
	start(t, "rotate", "contoso", "--compromised", "--reason", "incident 12", "--by", "ada").says(t, exitOK)
	want := []string{`rotate/contoso {"farm":"contoso","reason":"incident 12 (ada)","intent":"replace compromised"}`}
	if diff := cmp.Diff(want, f.inputs(t)); diff != "" {
		t.Error(diff)
	}
	f.work = nil
	start(t, "rotate", "contoso", "--detach").says(t, exitOK)
	start(t, "rotate", "contoso", "--compromised", "--reason", "incident 12").says(t, exitFailed, "contoso: refused: rotate: rotate/contoso is at work")
}

func TestUndoAndReleaseReachTheKeeperAndItsRefusalIsTold(t *testing.T) {
	undone := report("contoso", farm.RolledBack)
	f := serve(t, &frontend{work: ends(undone, nil), wish: func(name string, w controller.Request) error {
		if name == "fabrikam" {
			return fmt.Errorf("%s: not now, because", w.Kind)
		}
		return nil
	}})
	f.keeping(controller.State{Farm: "contoso", Suspended: "undone"})
	start(t, "undo", "contoso").says(t, exitUsage, "--reason WHY")
	start(t, "undo", "contoso", "--reason", "refresh fails", "--by", "ada").says(t, exitOK, "out:contoso: undone")
	start(t, "release", "contoso", "--reason", "mended").says(t, exitOK, "out:contoso: accepted by workflow farm/contoso")
	if f.keepers["contoso"].Suspended != "" {
		t.Error("the hold is still there")
	}
	want := []string{`rotate/contoso {"farm":"contoso","reason":"refresh fails (ada)","intent":"undo"}`}
	if diff := cmp.Diff(want, f.inputs(t)); diff != "" {
		t.Error(diff)
	}
	for _, command := range []string{"undo", "release", "rotate"} {
		got := start(t, command, "fabrikam", "--reason", "why not", "-o", "json")
		got.says(t, exitFailed, "starter: fabrikam: refused: "+command+": not now, because")
	}
}

func TestARotationThatWasRolledBackIsNotWhatRotateWasAskedFor(t *testing.T) {
	serve(t, &frontend{work: ends(report("contoso", farm.RolledBack), nil)})
	start(t, "rotate", "contoso").says(t, exitFailed, "out:contoso: undone")
	start(t, "status", "contoso", "--watch").says(t, exitOK, "out:contoso: undone")
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
	f.status = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.end(first, report("contoso", farm.Verified), nil)
		}
		s := farm.Status{Phase: farm.PhaseCutover, Report: report("contoso", "")}
		return s, nil
	}
	got := start(t, "rotate", "contoso", "--reason", "again")
	got.says(t, exitOK, "a rotation of contoso is running already: attached to it, and started none for: again\n",
		"switching\n", "oos-01.contoso.com  import certificate  changed\n", "out:contoso: verified")
	if got := f.inputs(t); len(got) != 1 {
		t.Errorf("got %v, want the rotation of the other person only", got)
	}
}

func TestAnUnansweredQuestionDoesNotEndTheWatch(t *testing.T) {
	f := &frontend{}
	serve(t, f)
	only := f.running("contoso")
	var questions atomic.Int32
	f.status = func(string) (farm.Status, error) {
		if questions.Add(1) == 2 {
			f.end(only, report("contoso", farm.Verified), nil)
		}
		return farm.Status{}, &serviceerror.QueryFailed{Message: "unknown queryType status"}
	}
	start(t, "rotate", "contoso").says(t, exitOK, "out:contoso: verified")
}

func TestStoppingTheWatchLeavesTheRotation(t *testing.T) {
	f := &frontend{}
	serve(t, f)
	ctx, interrupt := context.WithCancel(t.Context())
	f.status = func(string) (farm.Status, error) {
		interrupt()
		return farm.Status{}, errors.New("too late")
	}
	startWith(t, ctx, "", "rotate", "contoso").says(t, exitFailed, "stopped watching; the rotation goes on: starter status contoso --watch")
	if f.find("rotate/contoso", "").last != nil {
		t.Error("the rotation was ended")
	}
}

func TestDetachReturnsOnceTheRotationIsAccepted(t *testing.T) {
	serve(t, &frontend{})
	start(t, "rotate", "contoso", "--detach").says(t, exitOK, "out:contoso: accepted by workflow rotate/contoso, run run-2; see what it does: starter status contoso")
	got := start(t, "rotate", "contoso", "--detach", "-o", "json")
	got.says(t, exitOK)
	var told accepted
	got.json(t, &told)
	if want := (accepted{Farm: "contoso", WorkflowID: "rotate/contoso", RunID: "run-2", Attached: true}); told != want {
		t.Errorf("got %+v, want %+v", told, want)
	}
}

func TestAWishWithoutAWorkerIsNotMade(t *testing.T) {
	f := serve(t, &frontend{noWorker: true})
	for _, command := range []string{"rotate", "undo", "release", "rollback"} {
		start(t, command, "contoso", "--reason", "r").says(t, exitFailed, "no worker polls task queue farmtrust: start one: worker -config FILE")
	}
	if len(f.runs) != 0 {
		t.Errorf("started %v", f.inputs(t))
	}
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
	start(t, "rotate", "contoso").says(t, exitFailed, "contoso: check search attributes",
		"temporal operator search-attribute create --namespace default --name Farm --type Keyword")
}

func TestATemporalThatIsNotThereIsNamed(t *testing.T) {
	t.Setenv("TEMPORAL_CONFIG_FILE", file(t, "none.toml", ""))
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	for _, command := range []string{"rotate x", "plan x", "status", "status x", "check x", "report x", "abort x --reason r", "approve x"} {
		got := start(t, append(strings.Fields(command), "-o", "json")...)
		got.says(t, exitFailed, "reach Temporal at 127.0.0.1:1: ", "set TEMPORAL_ADDRESS")
		var told failure
		if got.json(t, &told); told.ExitCode != exitFailed {
			t.Errorf("%s: got %+v", command, told)
		}
	}
}
