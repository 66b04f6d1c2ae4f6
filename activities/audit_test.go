package activities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// testRecorder is an audit log. It fails with fails, once left lines are written.
type testRecorder struct {
	records []audit.Record
	fails   error
	left    int
}

// Record implements activities.Recorder.
func (r *testRecorder) Record(record audit.Record) error {
	if r.fails != nil && len(r.records) >= r.left {
		return r.fails
	}
	r.records = append(r.records, record)
	return nil
}

// auditedFarm grants a key on oos-01, and tells changed when it has.
func auditedFarm(recorder *testRecorder, fails error, changed *bool) *activities.Activities {
	return &activities.Activities{
		Farms: testFarm{}, Now: time.Now, Audit: recorder,
		Remote: testServer{"Grant-S2SKey": func(result any) error {
			*changed = fails == nil
			*result.(*powershell.GrantResult) = powershell.GrantResult{Changed: true, SignedAs: farm.NetworkService, SignedBy: "legacy"}
			return fails
		}},
	}
}

// onTarget is a step with its certificate.
var onTarget = activities.ServerInput{Farm: "contoso", Host: "oos-01", Target: farm.Certificate{Thumbprint: "AE38"}}

func TestAudit_EachStepIsRecordedBeforeAndAfter(t *testing.T) {
	var changed bool
	recorder := &testRecorder{}
	a := auditedFarm(recorder, nil, &changed)
	var result activities.StepResult
	if err := execute(a, a.GrantKey, onTarget, &result); err != nil {
		t.Fatal(err)
	}
	step := audit.Record{
		Event: audit.Begin, Farm: "contoso", Workflow: "default-test-workflow-id", Run: "default-test-run-id",
		Step: "GrantKey", Server: "oos-01", Attempt: 1, Target: "AE38",
	}
	done := step
	done.Event, done.Outcome = audit.End, audit.Changed
	done.Detail, done.Changes = result.Detail, []farm.Change{{Name: "key access of NETWORK SERVICE", Before: "none", After: "read"}}
	if diff := cmp.Diff([]audit.Record{step, done}, recorder.records); diff != "" || done.Detail == "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestAudit_AFailureIsRecorded(t *testing.T) {
	var changed bool
	recorder := &testRecorder{}
	a := auditedFarm(recorder, &powershell.TransportError{Server: "oos-01", Kind: powershell.Denied, Err: errors.New("no")}, &changed)
	if err := execute(a, a.GrantKey, onTarget, nil); err == nil {
		t.Fatal("it succeeds")
	}
	if n := len(recorder.records); n != 2 || recorder.records[1].Outcome != audit.Failed || !strings.Contains(recorder.records[1].Detail, "oos-01") {
		t.Errorf("recorded %+v", recorder.records)
	}
}

func TestAudit_NothingIsChangedThatCannotBeRecorded(t *testing.T) {
	var changed bool
	recorder := &testRecorder{fails: errors.New("no space left on device")}
	a := auditedFarm(recorder, nil, &changed)
	assertFails(t, a, a.GrantKey, onTarget, failure{Type: activities.NotRecorded}, "nothing is done", "no space left")
	if changed {
		t.Error("the key was granted all the same")
	}

	t.Log("a step whose end cannot be recorded is done, and is not done once more")
	recorder.left = 1
	if err := execute(a, a.GrantKey, onTarget, new(activities.StepResult)); err != nil || !changed {
		t.Errorf("changed %t: %v", changed, err)
	}
}

func TestAudit_ARefusalIsRecorded(t *testing.T) {
	var changed bool
	recorder := &testRecorder{}
	a := auditedFarm(recorder, nil, &changed)
	a.Runs = &testRuns{err: temporal.NewNonRetryableApplicationError("another run is under way", activities.NotAdmitted, nil)}
	env := newActivities(a)
	for range 200 {
		if _, err := env.ExecuteActivity(a.GrantKey, withMandate(a, onTarget)); err == nil {
			t.Fatal("it is admitted")
		}
	}
	if n := len(recorder.records); n != 100 {
		t.Fatalf("%d of 200 refusals are recorded, want 100", n)
	}
	first, last := recorder.records[0], recorder.records[99]
	if first.Event != audit.Refusal || first.Outcome != activities.NotAdmitted || first.Step != "GrantKey" || first.Server != "oos-01" {
		t.Errorf("recorded %+v", first)
	}
	if !strings.Contains(last.Detail, "further refusals of this hour are not listed") {
		t.Errorf("the last one says %q", last.Detail)
	}
}

func TestAudit_ReadingIsNotRecorded(t *testing.T) {
	var changed bool
	recorder := &testRecorder{}
	a := auditedFarm(recorder, nil, &changed)
	if err := execute(a, a.LoadFarm, "contoso", new(farm.Farm)); err != nil || len(recorder.records) > 0 {
		t.Errorf("recorded %+v (%v)", recorder.records, err)
	}
}

// testAuthority knows nobody, or somebody.
type testAuthority struct {
	activities.Authority

	given farm.Authorization
	err   error
}

// Authorize implements activities.Authority.
func (a testAuthority) Authorize(context.Context, farm.Statement, *farm.Proof, *farm.Authorization, string, string) (farm.Authorization, error) {
	return a.given, a.err
}

func TestAudit_EachDecisionIsRecorded(t *testing.T) {
	decision := activities.CheckDecisionInput{Farm: "contoso", Decision: &farm.Decision{Choice: farm.Skip, Server: "oos-01", By: "somebody", Reason: "why"}}
	want := audit.Record{
		Event: audit.Decision, Farm: "contoso", Workflow: "default-test-workflow-id", Run: "default-test-run-id", Attempt: 1,
		Action: string(farm.Skip), Server: "oos-01", By: "somebody", Verified: "not verified", Reason: "why", Outcome: audit.Accepted,
	}
	proven, refused := want, want
	proven.By, proven.Verified = "Ada", "SSH key SHA256:abc"
	refused.Event, refused.Outcome, refused.Detail = audit.Refusal, activities.NotAuthorized, "nobody signed it"
	for _, c := range []struct {
		name      string
		authority activities.Authority
		want      audit.Record
	}{
		{"no approvers", nil, want},
		{"proven", testAuthority{given: farm.Authorization{By: "Ada", How: "SSH key SHA256:abc"}}, proven},
		{"refused", testAuthority{err: fmt.Errorf("%w: nobody signed it", farm.ErrNotAuthorized)}, refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			recorder := &testRecorder{}
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Audit: recorder, Authority: c.authority}
			err := execute(a, a.CheckDecision, decision, new(farm.Authorization))
			if (err != nil) != (c.want.Event == audit.Refusal) {
				t.Errorf("it ends with %v", err)
			}
			if diff := cmp.Diff([]audit.Record{c.want}, recorder.records); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("what cannot be recorded does not count", func(t *testing.T) {
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Audit: &testRecorder{fails: errors.New("no space left on device")}}
		assertFails(t, a, a.CheckDecision, decision, failure{Type: activities.NotRecorded}, "no space left")
	})
}

// twoServers is the farm with a second office server.
type twoServers struct{ testFarm }

// Farm implements activities.Farms.
func (t twoServers) Farm(name string) (farm.Farm, bool) {
	f, ok := t.testFarm.Farm(name)
	f.Office.Servers = append(slices.Clone(f.Office.Servers), farm.Server{Host: "oos-02", Connection: "c"})
	return f, ok
}

func TestAudit_SaysWhatARequestLeavesOut(t *testing.T) {
	ask := func(except string) ([]audit.Record, error) {
		recorder := &testRecorder{}
		a := &activities.Activities{Farms: twoServers{}, Now: time.Now, Audit: recorder}
		request := controller.Request{Kind: controller.RequestRotate, Compromised: true, Except: []string{except}, By: "ada", Reason: "why"}
		err := execute(a, a.CheckDecision, activities.CheckDecisionInput{Farm: "contoso", Request: &request}, new(farm.Authorization))
		return recorder.records, err
	}
	if got, err := ask("oos-02"); err != nil || len(got) != 1 || got[0].Event != audit.Decision || got[0].Detail != "leaves out oos-02" {
		t.Errorf("recorded %+v (%v)", got, err)
	}
	got, err := ask("oos-03")
	assertFailure(t, err, failure{Type: activities.NotPlanned, Final: true}, `"oos-03" is no office server of contoso: did you mean oos-01?`)
	if len(got) != 1 || got[0].Event != audit.Refusal || got[0].Outcome != activities.NotPlanned || got[0].By != "ada" || !strings.Contains(got[0].Detail, "oos-03") {
		t.Errorf("what is refused is recorded as %+v", got)
	}
}
