package workflows_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// testRun is a workflow that runs on a farm for real, but for Temporal's time,
// which skips.
type testRun struct {
	*testFarm

	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
	// id is the workflow ID of a rotation or a retirement.
	id string
	// started are the activities that were started on servers, in order.
	started []startedActivity
	hooks   []func(startedActivity)
	// onStart is told of each activity first; nil tells nobody.
	onStart func(*activity.Info)
	// hints are what the run sent to the controller.
	hints *hints
	marks *marks
	// unanswered counts updates that were neither done nor refused.
	unanswered int
}

// startedActivity is an activity and its server; one without a server is on "".
type startedActivity struct{ name, host string }

func (f *testFarm) newRun(t *testing.T) *testRun {
	t.Helper()
	return f.newRunWith(t, log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))))
}

// newLoggedRun is a run whose reminders are kept.
func (f *testFarm) newLoggedRun(t *testing.T) (*testRun, *reminders) {
	t.Helper()
	logged := &reminders{}
	return f.newRunWith(t, logged), logged
}

func (f *testFarm) newRunWith(t *testing.T, logger log.Logger) *testRun {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(logger)
	r := &testRun{testFarm: f, t: t, env: suite.NewTestWorkflowEnvironment(), hints: &hints{}, marks: &marks{needsOperator: map[string]bool{}}}
	// A busy machine is no deadlock.
	r.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: append(activities.Interceptors(f.activities), r.marks)})
	r.env.RegisterWorkflow(workflows.RotateTrust)
	r.env.RegisterWorkflow(workflows.InspectTrust)
	r.env.RegisterWorkflow(workflows.ManageFarm)
	r.env.RegisterWorkflow(workflows.RetireCertificate)
	r.env.RegisterActivity(f.activities)
	r.keepTime()
	// Steps of real PowerShell start processes, which takes long on a busy machine.
	r.env.SetTestTimeout(5 * time.Minute)
	r.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		a := startedActivity{name: info.ActivityType.Name}
		var in activities.ServerInput
		if args.HasValues() && args.Get(&in) == nil {
			a.host = in.Host
		}
		r.started = append(r.started, a)
		if r.onStart != nil {
			r.onStart(info)
		}
		for _, hook := range r.hooks {
			hook(a)
		}
	})
	return r
}

// keepTime has the worker's own clock go with Temporal's, where it opens a maintenance
// window. Elsewhere it is that of the servers, whose times it is compared with: Temporal's
// stands still while they are read.
func (r *testRun) keepTime() {
	own := r.activities
	now := func() time.Time {
		if f, _ := r.Farm(farmsim.FarmName); f.Rotation.Window.IsZero() {
			return time.Now()
		}
		return r.env.Now()
	}
	inTime := &activities.Activities{
		Farms: own.Farms, Certificates: own.Certificates, Runs: own.Runs, Seals: own.Seals, Authority: own.Authority, Remote: own.Remote, Now: now, Poll: own.Poll,
	}
	register := func(name string, do any) {
		r.env.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name, DisableAlreadyRegisteredCheck: true})
	}
	register("PermitCutover", inTime.PermitCutover)
	register("KeepSnapshot", func(ctx context.Context, in activities.KeepSnapshotInput) (activities.Kept, error) {
		if in.Intent == farm.Undo {
			return inTime.KeepSnapshot(ctx, in)
		}
		return own.KeepSnapshot(ctx, in)
	})
}

// after has something happen at a moment of Temporal's time.
func (r *testRun) after(d time.Duration, do func()) { r.env.RegisterDelayedCallback(do, d) }

// onActivity has something happen when an activity starts for the first time
// from now on.
func (r *testRun) onActivity(name string, do func()) {
	done := false
	r.hooks = append(r.hooks, func(a startedActivity) {
		if a.name == name && !done {
			done = true
			do()
		}
	})
}

// hostsOf returns the servers on which an activity was started, in order.
func (r *testRun) hostsOf(name string) []string {
	var hosts []string
	for _, a := range r.started {
		if a.name == name {
			hosts = append(hosts, a.host)
		}
	}
	return hosts
}

// assertObservations asserts how often every server was observed, by an activity of
// its own or by an inspection of the farm.
func (r *testRun) assertObservations(times int) {
	r.t.Helper()
	configured, _ := r.Farm(farmsim.FarmName)
	want, got := map[startedActivity]int{}, map[startedActivity]int{}
	for activity, hosts := range map[string][]string{
		"ObserveOffice": configured.OfficeHosts(), "ObserveSharePointServer": configured.SharePointHosts(), "ObserveSharePoint": configured.FrontEnds(),
	} {
		for _, host := range hosts {
			want[startedActivity{activity, host}] = times
		}
		for _, host := range r.hostsOf(activity) {
			got[startedActivity{activity, host}]++
		}
		for _, host := range hosts {
			got[startedActivity{activity, host}] += len(r.hostsOf("InspectFarm"))
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(startedActivity{})); diff != "" {
		r.t.Errorf("observations of servers (-want +got):\n%s", diff)
	}
}

// onCompare has comparisons made for real, and then tells which one it is, from
// 1; do may change what was found, or fail.
func (r *testRun) onCompare(do func(nth int, c *activities.Comparison) error) {
	nth := 0
	r.env.RegisterActivityWithOptions(func(ctx context.Context, in activities.CompareInput) (activities.Comparison, error) {
		c, err := r.activities.Compare(ctx, in)
		if nth++; err == nil {
			err = do(nth, &c)
		}
		return c, err
	}, activity.RegisterOptions{Name: "Compare", DisableAlreadyRegisteredCheck: true})
}

// sendUpdate sends an update; answered gets its result, or why it was refused.
func (r *testRun) sendUpdate(name string, arg any, answered func(result any, err error)) {
	r.sendUpdateAs("", name, arg, answered)
}

// sendUpdateAs sends an update under an ID.
func (r *testRun) sendUpdateAs(id, name string, arg any, answered func(result any, err error)) {
	r.unanswered++
	r.env.UpdateWorkflow(name, id, &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { r.unanswered--; answered(nil, err) },
		OnComplete: func(result any, err error) { r.unanswered--; answered(result, err) },
	}, arg)
}

// decide makes a decision, which must be accepted.
func (r *testRun) decide(d farm.Decision) {
	r.sendDecision(d, func(err error) {
		if err != nil {
			r.t.Errorf("decision %+v is refused: %v", d, err)
		}
	})
}

// assertDecisionRefused makes a decision, which must be refused with these
// words.
func (r *testRun) assertDecisionRefused(d farm.Decision, want string) {
	r.sendDecision(d, func(err error) {
		if err == nil || !strings.Contains(err.Error(), want) {
			r.t.Errorf("decision %+v is answered with %v, want it refused: %q", d, err, want)
		}
	})
}

func (r *testRun) sendDecision(d farm.Decision, answered func(error)) {
	if d.By == "" {
		d.By, d.Reason = "op", "a test"
	}
	r.sendUpdate(workflows.DecideUpdate, d, func(_ any, err error) { answered(err) })
}

// approve approves what the run waits for.
func (r *testRun) approve() {
	r.t.Helper()
	r.decide(farm.Decision{Choice: farm.Approve, Digest: r.requireWait(farm.ForApproval).Digest})
}

func (r *testRun) status() farm.Status {
	r.t.Helper()
	answer, err := r.env.QueryWorkflow(workflows.StatusQuery)
	if err != nil {
		r.t.Fatal(err)
	}
	var s farm.Status
	if err := answer.Get(&s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// requireWait asserts what the run waits for.
func (r *testRun) requireWait(want farm.WaitFor) farm.Wait {
	r.t.Helper()
	s := r.status()
	if s.Wait == nil || s.Wait.For != want {
		r.t.Fatalf("in phase %s it waits for %+v, want %s", s.Phase, s.Wait, want)
	}
	return *s.Wait
}

// requireBlocked asserts that one step is blocked, on that server, with these
// words.
func (r *testRun) requireBlocked(server, text string) farm.Blocked {
	r.t.Helper()
	blocked := r.requireWait(farm.ForDecision).Blocked
	if len(blocked) != 1 || blocked[0].Server != server || !strings.Contains(blocked[0].Text, text) {
		r.t.Fatalf("blocked are %+v, want %s alone: %s", blocked, server, text)
	}
	return blocked[0]
}

// rotate rotates the farm.
func (f *testFarm) rotate(t *testing.T) endedRun {
	t.Helper()
	return f.newRun(t).rotate()
}

func (r *testRun) rotate() endedRun {
	r.t.Helper()
	return r.rotateWith(workflows.RotateInput{})
}

func (r *testRun) rotateWith(in workflows.RotateInput) endedRun {
	r.t.Helper()
	if in.Farm = farmsim.FarmName; in.Reason == "" {
		in.Reason = "test"
	}
	r.runs.given = in.Snapshot
	return r.execute(workflows.RotateID(farmsim.FarmName), workflows.RotateTrust, in)
}

func (r *testRun) rollBack(s *farm.Snapshot) endedRun {
	r.t.Helper()
	return r.rotateWith(workflows.RotateInput{Intent: farm.Rollback, Snapshot: s})
}

// retire retires a certificate, which the farm's last rotation has replaced.
func (r *testRun) retire(old farm.StoreCertificate) endedRun {
	r.t.Helper()
	old.Seal = r.replaced[old.Thumbprint]
	return r.execute(workflows.RetireID(farmsim.FarmName), workflows.RetireCertificate, workflows.RetireInput{Farm: farmsim.FarmName, Reason: "test", Old: old})
}

// startAs gives the workflow an ID. It comes after all registrations.
func (r *testRun) startAs(id string) {
	r.id = id
	r.env.OnSignalExternalWorkflow(anything, workflows.ControllerID(farmsim.FarmName), "", workflows.RunSignal, anything).Return(r.receiveHint)
	r.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id})
}

// assertNeedsOperator asserts by which mark the run is found.
func (r *testRun) assertNeedsOperator(want bool) {
	r.t.Helper()
	if got := r.marks.needOperator()[r.id]; got != want {
		r.t.Errorf("%s is marked as in need of an operator: %t, want %t", r.id, got, want)
	}
}

// execute runs a rotation or a retirement to its end, which must leave a report.
func (r *testRun) execute(id string, workflow, in any) endedRun {
	r.t.Helper()
	r.startAs(id)
	r.env.ExecuteWorkflow(workflow, in)
	r.requireAnswered()
	var result farm.RotationResult
	err := r.env.GetWorkflowError()
	if err == nil {
		err = r.env.GetWorkflowResult(&result)
	}
	r.assertNeedsOperator(false)
	result, reported := workflows.RotationResultOf(result, err)
	if !reported {
		r.t.Fatalf("the run left no report: %v", err)
	}
	if s := result.Snapshot; s != nil {
		r.replaced[s.Previous.Thumbprint] = s.Previous.Seal
	}
	return endedRun{result, r.t, err}
}

// requireAnswered asserts that the workflow ended, and that every update was
// answered before.
func (r *testRun) requireAnswered() {
	r.t.Helper()
	if !r.env.IsWorkflowCompleted() {
		r.t.Fatal("the workflow did not end")
	}
	if r.unanswered > 0 {
		r.t.Fatalf("%d updates were not answered", r.unanswered)
	}
}

// inspect inspects the farm.
func (f *testFarm) inspect(t *testing.T) farm.Inspection {
	t.Helper()
	r := f.newRun(t)
	r.env.ExecuteWorkflow(workflows.InspectTrust, workflows.InspectInput{Farm: farmsim.FarmName})
	var found farm.Inspection
	if err := r.env.GetWorkflowResult(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

// requireRotated rotates a farm, which must end verified and work afterwards.
func (f *testFarm) requireRotated(t *testing.T) endedRun {
	t.Helper()
	rotated := f.rotate(t).requireOutcome(farm.Verified)
	f.assertRefreshes(t)
	return rotated
}
