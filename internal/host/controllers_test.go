package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func configWith(farmNames ...string) *config.Config {
	c := &config.Config{Path: "farmtrust.yaml", Worker: config.Worker{ConcurrentCalls: 64}}
	for _, name := range farmNames {
		f := config.Farm{Source: config.Source{Directory: &config.Directory{}}}
		f.Name, f.Rotation.InspectionInterval, f.Rotation.KeepOldFor = name, 6*time.Hour, 14*24*time.Hour
		c.Farms = append(c.Farms, f)
	}
	return c
}

// testSupervisor supervises the controllers of a fake frontend, on synctest's clock.
type testSupervisor struct {
	*fakeFrontend

	self client.Worker
	logs *observer.ObservedLogs
}

// supervise runs a supervisor of these farms, and calls during while it runs.
func supervise(t *testing.T, f *fakeFrontend, c *config.Config, during func(*testing.T, testSupervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		self := client.Worker{Host: "worker-1", PID: 7, Config: c.Hash()}
		s := newSupervisor(client.New(f.dial(t)).At(c.Site), c, self, zap.New(core))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.runRounds(ctx) }()
		synctest.Wait()
		during(t, testSupervisor{f, self, logs})
		stop()
		<-done
	})
}

// pass lets time pass.
func (testSupervisor) pass(d time.Duration) {
	time.Sleep(d) // synctest's clock: nothing is waited for
	synctest.Wait()
}

// assertReceived compares what controllers were sent: "managed" or "unmanaged", by
// farm name, in order.
func (s testSupervisor) assertReceived(t *testing.T, want map[string][]string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string][]string{}
	for id, all := range s.received {
		for _, c := range all {
			word := "managed"
			if c.Unmanaged != "" {
				word = "unmanaged"
			}
			name := strings.TrimPrefix(id, "farm/")
			got[name] = append(got[name], word)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("controllers were told (-want +got):\n%s", diff)
	}
}

// assertLogged checks that there are so many entries of the level, and that the last
// one contains the texts.
func (s testSupervisor) assertLogged(t *testing.T, level zapcore.Level, count int, texts ...string) {
	t.Helper()
	entries := s.logs.Filter(func(e observer.LoggedEntry) bool { return e.Level == level }).All()
	if len(entries) != count {
		t.Fatalf("%d entries of level %s, want %d: %v", len(entries), level, count, entries)
	}
	if count == 0 {
		return
	}
	last := entries[count-1]
	got := last.Message + fmt.Sprint(last.ContextMap())
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("logged %q, which does not contain %q", got, text)
		}
	}
}

var queue = workflows.TaskQueue("")

func TestSupervisor_TellsControllers(t *testing.T) {
	f := &fakeFrontend{}
	f.runController("contoso", queue)
	f.runController("northwind", queue)
	c := configWith("contoso", "fabrikam")
	supervise(t, f, c, func(t *testing.T, s testSupervisor) {
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "fabrikam": {"managed"}, "northwind": {"unmanaged"}})
		policy := controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour}
		if diff := cmp.Diff(map[string]controller.State{"farm/fabrikam": {Farm: "fabrikam", Policy: policy}}, s.started); diff != "" {
			t.Errorf("started (-want +got):\n%s", diff)
		}
		want := controller.Configured{Worker: s.self.String(), Hash: c.HashFarm(c.Farms[0])}
		if diff := cmp.Diff(want, s.received["farm/contoso"][0].Configured); diff != "" {
			t.Errorf("configuration (-want +got):\n%s", diff)
		}
		for _, part := range []string{"no longer configured on worker worker-1 (farmtrust.yaml)", "add the farm to its configuration again", "farmtrust forget northwind"} {
			if got := s.received["farm/northwind"][0].Unmanaged; !strings.Contains(got, part) {
				t.Errorf("northwind is unmanaged because %q, which does not contain %q", got, part)
			}
		}
		s.pass(time.Hour)
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "fabrikam": {"managed"}, "northwind": {"unmanaged"}})
	})
}

func TestSupervisor_LooksAfterControllers(t *testing.T) {
	f := &fakeFrontend{}
	f.runController("contoso", queue)
	f.runController("northwind", queue)
	supervise(t, f, configWith("contoso", "fabrikam"), func(t *testing.T, s testSupervisor) {
		t.Log("contoso and northwind are reset, fabrikam is terminated")
		s.mu.Lock()
		s.runController("contoso", queue)
		s.runController("northwind", queue)
		delete(s.executions, "farm/fabrikam")
		s.mu.Unlock()
		s.pass(roundInterval)
		s.assertReceived(t, map[string][]string{
			"contoso": {"managed", "managed"}, "fabrikam": {"managed", "managed"}, "northwind": {"unmanaged", "unmanaged"},
		})
		if _, again := s.executions["farm/fabrikam"]; !again {
			t.Error("the controller of fabrikam does not run")
		}
	})
}

func TestSupervisor_LeavesOtherSitesAlone(t *testing.T) {
	f := &fakeFrontend{}
	f.runController("contoso", workflows.TaskQueue("berlin"))
	f.runController("northwind", workflows.TaskQueue("berlin"))
	supervise(t, f, configWith("contoso", "fabrikam"), func(t *testing.T, s testSupervisor) {
		s.assertReceived(t, map[string][]string{"fabrikam": {"managed"}})
		s.pass(time.Hour)
		s.assertReceived(t, map[string][]string{"fabrikam": {"managed"}})
		s.assertLogged(t, zap.ErrorLevel, 1, "contoso", "runs at site berlin", "another name", "farmtrust forget contoso")

		t.Log("the farm is forgotten at the other site")
		s.mu.Lock()
		delete(s.executions, "farm/contoso")
		s.mu.Unlock()
		s.pass(roundInterval)
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "fabrikam": {"managed"}})
	})
}

func TestSupervisor_WorksAtItsSite(t *testing.T) {
	f := &fakeFrontend{}
	f.runController("northwind", queue)
	f.runController("tailspin", workflows.TaskQueue("berlin"))
	c := configWith("contoso")
	c.Site = "berlin"
	supervise(t, f, c, func(t *testing.T, s testSupervisor) {
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "tailspin": {"unmanaged"}})
		if got := s.executions["farm/contoso"].TaskQueue; got != "farmtrust/berlin" {
			t.Errorf("the controller runs on task queue %s", got)
		}
	})
}

func TestSupervisor_WaitsForNothing(t *testing.T) {
	t.Run("a controller that cannot be signalled keeps no other from being told", func(t *testing.T) {
		f := &fakeFrontend{}
		f.runController("northwind", queue)
		supervise(t, f, configWith("stuck", "contoso"), func(t *testing.T, s testSupervisor) {
			s.pass(signalTimeout)
			s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "northwind": {"unmanaged"}})
			s.assertLogged(t, zap.WarnLevel, 1, "farm/stuck")
			s.pass(time.Hour)
			s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "northwind": {"unmanaged"}})
			if n := s.logs.Len(); n > 70 {
				t.Errorf("%d entries in an hour", n)
			}
		})
	})
	t.Run("a controller that ended is not told that it is unmanaged", func(t *testing.T) {
		f := &fakeFrontend{}
		f.runController("gone", queue)
		supervise(t, f, configWith("contoso"), func(t *testing.T, s testSupervisor) {
			s.assertReceived(t, map[string][]string{"contoso": {"managed"}})
			s.assertLogged(t, zap.WarnLevel, 0)
		})
	})
	t.Run("without the visibility store, configured farms are managed", func(t *testing.T) {
		f := &fakeFrontend{}
		f.runController("northwind", queue)
		f.fail("ListWorkflowExecutions", serviceerror.NewInvalidArgument("the store is unavailable"))
		supervise(t, f, configWith("contoso", "fabrikam"), func(t *testing.T, s testSupervisor) {
			s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "fabrikam": {"managed"}})
			s.assertLogged(t, zap.WarnLevel, 1, "the store is unavailable")
			s.fail("ListWorkflowExecutions", nil)
			s.pass(2 * firstRetry)
			s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "fabrikam": {"managed"}, "northwind": {"unmanaged"}})
		})
	})
}

func TestSupervisor_WorkersWithOtherConfigurations(t *testing.T) {
	f := &fakeFrontend{}
	f.runController("northwind", queue)
	c := configWith("contoso")
	self := client.Worker{Host: "worker-1", PID: 7, Config: c.Hash()}
	same := client.Worker{Host: "worker-2", PID: 8, Config: c.Hash()}
	other := client.Worker{Host: "worker-3", PID: 9, Config: "0123456789ab"}
	supervise(t, f, c, func(t *testing.T, s testSupervisor) {
		s.mu.Lock()
		s.poll(self.Identity(), 0)
		s.poll(same.Identity(), 0)
		s.poll(client.Worker{Host: "worker-4", PID: 1, Config: "fedcba987654"}.Identity(), time.Hour)
		s.mu.Unlock()
		s.pass(time.Minute)
		s.assertLogged(t, zap.WarnLevel, 0)

		t.Log("a worker with another configuration starts")
		s.mu.Lock()
		s.poll(other.Identity(), 0)
		s.runController("tailspin", queue)
		s.mu.Unlock()
		s.pass(time.Minute)
		s.assertLogged(t, zap.WarnLevel, 1, "different configurations", "worker-1, process 7 (configuration "+self.Config+")",
			"worker-3, process 9 (configuration 0123456789ab)", "give all of them the same file, or each its own site")
		s.pass(time.Minute)
		s.assertLogged(t, zap.WarnLevel, 1) // not every minute

		// The other worker may have the farm: only when it is gone, the farm is unmanaged.
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "northwind": {"unmanaged"}})
		s.pass(5 * time.Minute)
		s.assertReceived(t, map[string][]string{"contoso": {"managed"}, "northwind": {"unmanaged"}, "tailspin": {"unmanaged"}})
	})
}
