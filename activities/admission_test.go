package activities_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// testRuns is a controller that admits, or answers with an error.
type testRuns struct {
	activities.Runs

	err   error
	asked []string
}

// Admit implements activities.Runs.
func (r *testRuns) Admit(_ context.Context, farmName string, _ controller.Admission) (controller.Admitted, error) {
	r.asked = append(r.asked, farmName)
	return controller.Admitted{}, r.err
}

// OriginalRun implements activities.Runs.
func (r *testRuns) OriginalRun(_ context.Context, _, runID string) (string, error) {
	return runID, nil
}

// silentRuns is a controller that never answers.
type silentRuns struct{ activities.Runs }

// Admit implements activities.Runs.
func (*silentRuns) Admit(ctx context.Context, _ string, _ controller.Admission) (controller.Admitted, error) {
	<-ctx.Done()
	return controller.Admitted{}, ctx.Err()
}

// slowRuns is a controller that takes its time to admit.
type slowRuns struct {
	activities.Runs

	asked  atomic.Int32
	answer chan struct{}
}

// Admit implements activities.Runs.
func (r *slowRuns) Admit(context.Context, string, controller.Admission) (controller.Admitted, error) {
	r.asked.Add(1)
	<-r.answer
	return controller.Admitted{}, nil
}

// readingActivities change nothing on any server. An activity that is not one of
// them returns a step's result, by which it is known to need admission.
var readingActivities = []string{
	"AdmitRetirement", "CheckDecision", "ChooseReplacement", "ChooseTarget", "Compare", "Decide", "FindIssuers", "FindOpening", "FindUse", "InspectFarm", "KeepSnapshot", "LoadFarm",
	"LookAtRefresh", "LookForForeignTrust", "Notify", "ObserveEnd", "ObserveOffice", "ObserveSharePoint", "ObserveSharePointServer", "PermitCutover", "PermitDeletion", "PlanRollback",
	"PreviewRetirement", "PreviewWayBack", "ReadConfiguration", "ReadRun", "RecallFarm", "RetryLogon", "TakeSnapshot",
}

// TestInterceptors_AskForEveryStep runs every activity in a run that is not admitted.
// The farm is of no use to any of them: a step that does not ask first fails otherwise.
func TestInterceptors_AskForEveryStep(t *testing.T) {
	for method := range reflect.TypeFor[*activities.Activities]().Methods() {
		if slices.Contains(readingActivities, method.Name) {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			runs := &testRuns{err: temporal.NewNonRetryableApplicationError("cancel this one", activities.NotAdmitted, nil)}
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: testServer{}, Runs: runs}
			in := reflect.New(method.Type.In(2)).Elem()
			in.FieldByName("Farm").SetString("contoso")
			assertFails(t, a, method.Name, in.Interface(), failure{Type: activities.NotAdmitted, Final: true}, "cancel this one")
			if diff := cmp.Diff([]string{"contoso"}, runs.asked); diff != "" {
				t.Errorf("controllers that were asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInterceptors_Admission(t *testing.T) {
	in := onOffice
	in.Target.FriendlyName = "OOS S2S"
	t.Run("a controller that does not answer is asked again", func(t *testing.T) {
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}, Runs: &testRuns{err: errors.New("no route to host")}}
		assertFails(t, a, a.GrantKey, in, failure{Type: activities.NotAnswered}, "the controller of contoso", "no route to host")
	})
	t.Run("a worker that stops does not wait for the answer", func(t *testing.T) {
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}, Runs: &silentRuns{}}
		env := newActivities(a)
		stop := make(chan struct{})
		env.SetWorkerStopChannel(stop)
		close(stop)
		_, err := env.ExecuteActivity(a.GrantKey, withMandate(a, in))
		if application, ok := errors.AsType[*temporal.ApplicationError](err); !ok || application.Type() != activities.NotAnswered || application.NonRetryable() {
			t.Errorf("ended with %v, want it retried by another worker", err)
		}
	})
	t.Run("what changes nothing asks nobody", func(t *testing.T) {
		runs := &testRuns{err: errors.New("no route to host")}
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}, Runs: runs}
		if got := observeSharePointServer(t, a); got.Machine.Host != "sp-01" || len(runs.asked) > 0 {
			t.Errorf("observed %+v, and asked the controllers of %q", got, runs.asked)
		}
	})
	t.Run("a run that was admitted is not asked for again", func(t *testing.T) {
		runs := &testRuns{}
		a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}, Runs: runs}
		env := newActivities(a)
		for range 3 {
			if _, err := env.ExecuteActivity(a.GrantKey, withMandate(a, in)); err != nil {
				t.Fatal(err)
			}
		}
		other := in
		other.Farm = "fabrikam"
		if _, err := env.ExecuteActivity(a.GrantKey, withMandate(a, other)); err == nil {
			t.Error("a farm that is not configured was changed")
		}
		if diff := cmp.Diff([]string{"contoso", "fabrikam"}, runs.asked); diff != "" {
			t.Errorf("controllers that were asked (-want +got):\n%s", diff)
		}
	})
	t.Run("steps on many servers ask once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			runs := &slowRuns{answer: make(chan struct{})}
			a := &activities.Activities{Farms: testFarm{}, Now: time.Now, Remote: warningServer{}, Runs: runs, Seals: seal.New(keyring.Generated())}
			shared := activities.Interceptors(a)
			var steps sync.WaitGroup
			for range 20 {
				env := newEnvironment(a, shared)
				steps.Go(func() {
					if _, err := env.ExecuteActivity(a.GrantKey, withMandate(a, in)); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			close(runs.answer)
			steps.Wait()
			if n := runs.asked.Load(); n != 1 {
				t.Errorf("the controller was asked %d times", n)
			}
		})
	})
}
