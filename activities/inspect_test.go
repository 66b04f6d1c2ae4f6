package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// largeFarm is a farm of many office servers.
type largeFarm struct {
	testFarm

	servers, atOnce int
}

// Farm implements activities.Farms.
func (l largeFarm) Farm(name string) (farm.Farm, bool) {
	f, ok := l.testFarm.Farm(name)
	f.Office.Servers, f.Rotation.AtOnce = nil, l.atOnce
	for i := range l.servers {
		f.Office.Servers = append(f.Office.Servers, farm.Server{Host: fmt.Sprintf("oos-%02d", i), Connection: "c"})
	}
	return f, ok
}

// runnerFunc is a powershell.Runner.
type runnerFunc func(ctx context.Context, host string) error

// Run implements powershell.Runner.
func (f runnerFunc) Run(ctx context.Context, t powershell.Target, _ powershell.Call, _ any) error {
	return f(ctx, t.Host)
}

func TestInspectFarm_AtMostAtOnce(t *testing.T) {
	var now, most, calls atomic.Int32
	full := make(chan struct{})
	a := &activities.Activities{
		Farms: largeFarm{servers: 30, atOnce: 4}, Certificates: testFarm{}, Now: time.Now,
		Remote: runnerFunc(func(_ context.Context, host string) error {
			defer now.Add(-1)
			n := now.Add(1)
			most.Store(max(most.Load(), n))
			if calls.Add(1) == 4 {
				close(full)
			}
			<-full // the first four wait for each other
			return &powershell.TransportError{Server: host, Kind: powershell.Denied, Err: errors.New("no")}
		}),
	}
	var found farm.Inspection
	if err := execute(a, a.InspectFarm, "contoso", &found); err != nil {
		t.Fatal(err)
	}
	if most.Load() != 4 || len(found.Servers) != 31 {
		t.Errorf("at most %d servers were read at the same time, and %d are reported; want 4 and 31", most.Load(), len(found.Servers))
	}
	for _, s := range found.Servers {
		if !strings.Contains(s.Problem, s.Host) || !strings.Contains(s.Problem, "check the connection's user") {
			t.Errorf("the problem of %s is %q", s.Host, s.Problem)
		}
	}
}

func TestInspectFarm_Attempts(t *testing.T) {
	for name, c := range map[string]struct {
		kind powershell.Kind
		want int32
	}{
		"one that is away is asked twice":                {powershell.Unreachable, 2},
		"one that refuses the password is asked no more": {powershell.Denied, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			a := &activities.Activities{
				Farms: testFarm{}, Certificates: testFarm{}, Now: time.Now,
				Remote: runnerFunc(func(_ context.Context, host string) error {
					if host == "oos-01" {
						calls.Add(1)
					}
					return &powershell.TransportError{Server: host, Kind: c.kind, Err: errors.New("no")}
				}),
			}
			if err := execute(a, a.InspectFarm, "contoso", &farm.Inspection{}); err != nil {
				t.Fatal(err)
			}
			if calls.Load() != c.want {
				t.Errorf("oos-01 was asked %d times, want %d", calls.Load(), c.want)
			}
		})
	}
}

// TestInspectFarm_WorkerStops checks that what fails because the worker stops is not
// taken for the state of the farm.
func TestInspectFarm_WorkerStops(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	stop := make(chan struct{})
	env.SetWorkerStopChannel(stop)
	var once atomic.Bool
	a := &activities.Activities{
		Farms: testFarm{}, Certificates: testFarm{}, Now: time.Now, Poll: time.Hour,
		Remote: runnerFunc(func(_ context.Context, host string) error {
			if once.CompareAndSwap(false, true) {
				close(stop)
			}
			return &powershell.TransportError{Server: host, Kind: powershell.Interrupted, Err: errors.New("cut")}
		}),
	}
	env.RegisterActivity(a)
	if _, err := env.ExecuteActivity(a.InspectFarm, "contoso"); err == nil || !strings.Contains(err.Error(), "the worker is stopping") {
		t.Errorf("the inspection ended with %v, want it to be left to another worker", err)
	}
}

func TestInspectFarm_APanicIsOneServersProblem(t *testing.T) {
	a := &activities.Activities{
		Farms: testFarm{}, Certificates: testFarm{}, Now: time.Now,
		Remote: runnerFunc(func(context.Context, string) error { panic("no such field") }),
	}
	var found farm.Inspection
	if err := execute(a, a.InspectFarm, "contoso", &found); err != nil {
		t.Fatal(err)
	}
	if want := "panic: no such field"; found.Unobserved() != want {
		t.Errorf("the problem is %q, want %q", found.Unobserved(), want)
	}
}
