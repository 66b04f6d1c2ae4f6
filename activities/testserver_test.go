package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/seal"
)

// testServer answers each script as told, by its name.
type testServer map[string]func(result any) error

// Run implements powershell.Runner.
func (s testServer) Run(_ context.Context, target powershell.Target, call powershell.Call, result any) error {
	answer, ok := s[call.Script]
	if !ok {
		return &powershell.ScriptError{Server: target.Host, Script: call.Script, ID: "CommandNotFoundException"}
	}
	return answer(result)
}

// testFarm is a configuration and a source with one farm and one certificate; no
// bundle means that the source cannot be read.
type testFarm struct {
	bundle *cert.Bundle
	// healthyFor and sites are the farm's settings.
	healthyFor time.Duration
	sites      []string
}

// Farm implements activities.Farms.
func (f testFarm) Farm(name string) (farm.Farm, bool) {
	front := farm.Server{Host: "sp-01", Connection: "c"}
	return farm.Farm{
		Name:        "contoso",
		Office:      farm.Office{Servers: []farm.Server{{Host: "oos-01", Connection: "c"}}},
		SharePoint:  []farm.SharePoint{{FrontEnd: front, Servers: []farm.Server{front}, Sites: f.sites, IssuerName: "OOS"}},
		Certificate: farm.CertificatePolicy{Name: "OOS S2S", LeadTime: time.Hour},
		Rotation:    farm.RotationPolicy{HealthyWithin: 8 * time.Minute, HealthyFor: f.healthyFor},
	}, name == "contoso"
}

// Newest implements activities.Certificates.
func (f testFarm) Newest(context.Context, string) (*cert.Bundle, error) {
	if f.bundle == nil {
		return nil, errors.New("oos.pfx: wrong password")
	}
	return f.bundle, nil
}

// Find implements activities.Certificates.
func (f testFarm) Find(ctx context.Context, name string, _ farm.Thumbprint) (*cert.Bundle, error) {
	return f.Newest(ctx, name)
}

// Replacement implements activities.Certificates.
func (f testFarm) Replacement(ctx context.Context, name string, _ farm.Thumbprint) (*cert.Bundle, error) {
	return f.Newest(ctx, name)
}

// Forget implements activities.Certificates.
func (testFarm) Forget(context.Context, string, farm.Thumbprint) (bool, error) { return false, nil }

// onOffice and onFrontEnd name the servers of the [testFarm].
var (
	onOffice   = activities.ServerInput{Farm: "contoso", Host: "oos-01"}
	onFrontEnd = activities.ServerInput{Farm: "contoso", Host: "sp-01"}
)

func makeSelfSigned(t *testing.T, from time.Time, validFor time.Duration) *cert.Bundle {
	t.Helper()
	b, err := cert.SelfSigned("oos", from, validFor, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newActivities runs activities as a worker does. Without another controller theirs
// admits every run.
func newActivities(a *activities.Activities) *testsuite.TestActivityEnvironment {
	if a.Runs == nil {
		a.Runs = &testRuns{}
	}
	if a.Seals == nil {
		a.Seals = seal.New(keyring.Generated())
	}
	return newEnvironment(a, activities.Interceptors(a))
}

// newEnvironment has one activity at a time; those of several share their interceptors,
// as those of a worker do.
func newEnvironment(a *activities.Activities, shared []interceptor.WorkerInterceptor) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler))) // what is expected to fail is no news
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: shared})
	env.RegisterActivity(a)
	return env
}

// execute runs an activity as Temporal does.
func execute(a *activities.Activities, activity, in any, result any) error {
	env := newActivities(a)
	value, err := env.ExecuteActivity(activity, withMandate(a, in))
	if err != nil {
		return err
	}
	return value.Get(result)
}

// The run of a [testsuite.TestActivityEnvironment].
const testWorkflow, testRun = "default-test-workflow-id", "default-test-run-id"

// withMandate returns the input of a step with a mandate for everything, as the run of an
// environment has it, unless it has one; any other input as it is.
func withMandate(a *activities.Activities, in any) any {
	if mandate, ok := mandateOf(in); !ok || mandate.Seal != "" {
		return in
	}
	return changeMandate(a, in, func(*activities.Mandate) {})
}

func mandateOf(in any) (activities.Mandate, bool) {
	if !activities.IsMandated(in) {
		return activities.Mandate{}, false
	}
	m, ok := reflect.TypeAssert[activities.Mandate](reflect.ValueOf(in).FieldByName("Mandate"))
	return m, ok
}

// changeMandate gives the input of a step a mandate for everything, apart from a change.
func changeMandate(a *activities.Activities, in any, change func(*activities.Mandate)) any {
	m := activities.Mandate{Workflow: testWorkflow, Run: testRun, Snapshot: "S", May: []activities.Stage{
		activities.MayStage, activities.MayCutOver, activities.MayRestore, activities.MayArchive, activities.MayDelete,
	}}
	change(&m)
	sealed, err := activities.SealMandate(a, in, m)
	if err != nil {
		panic(err) // an input holds nothing that JSON cannot
	}
	changed := reflect.New(reflect.TypeOf(in)).Elem()
	changed.Set(reflect.ValueOf(in))
	changed.FieldByName("Mandate").Set(reflect.ValueOf(sealed))
	return changed.Interface()
}

// failure is what Temporal is told of an activity's error.
type failure struct {
	Type string
	// Final reports whether no attempt follows.
	Final bool
	// Delay is how long the next attempt waits at least; zero leaves that to the
	// retry policy.
	Delay time.Duration
}

// assertFails asserts how an activity fails, and that its message has these
// words.
func assertFails(t *testing.T, a *activities.Activities, activity, in any, want failure, message ...string) {
	t.Helper()
	assertFailure(t, execute(a, activity, in, nil), want, message...)
}

func assertFailure(t *testing.T, err error, want failure, message ...string) {
	t.Helper()
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		t.Fatalf("ended with %v, want an application error", err)
	}
	if diff := cmp.Diff(want, failureOf(err)); diff != "" {
		t.Errorf("failure (-want +got):\n%s", diff)
	}
	for _, part := range message {
		if !strings.Contains(application.Message(), part) {
			t.Errorf("the message %q does not say %q", application.Message(), part)
		}
	}
}

// failureOf is what Temporal is told of an error; zero of any that is not an
// activity's own.
func failureOf(err error) failure {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return failure{}
	}
	return failure{Type: application.Type(), Final: application.NonRetryable(), Delay: application.NextRetryDelay()}
}

// executeAs runs an activity with exactly this input.
func executeAs(a *activities.Activities, activity, in any) error {
	_, err := newActivities(a).ExecuteActivity(activity, in)
	return err
}

// observeSharePointServer observes the front end.
func observeSharePointServer(t *testing.T, a *activities.Activities) (seen farm.SharePointServer) {
	t.Helper()
	if err := execute(a, a.ObserveSharePointServer, onFrontEnd, &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}
