package farmsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// hold takes the mutex of a server, as another script does that does not end.
func hold(t testing.TB, testFarm *farmsim.Farm, host string) *model.Session {
	t.Helper()
	session, err := testFarm.World.LogOn(host, model.Logon{User: "other", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	session.BeginScript("Probe")
	if held, err := session.WaitMutex(time.Minute); !held || err != nil {
		t.Fatalf("the mutex of %s: %t, %v", host, held, err)
	}
	return session
}

// assertBusy asserts that a script was refused because another one runs.
func assertBusy(t *testing.T, err error) {
	t.Helper()
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) || refused.ID != powershell.ServerBusy {
		t.Errorf("got %v, want %s", err, powershell.ServerBusy)
	}
}

// busy has scripts find others on their server, at work or dead.
func busy(o, _ *operator) {
	other := hold(o.t, o.testFarm, master)
	attempt(o, master, o.importCall(14393))
	o.look(master) // An observation waits for nobody.
	must(o, member, o.importCall(14393))
	other.EndProcess() // It was killed.
	must(o, master, o.importCall(14393))
	must(o, master, o.grantCall())
	other = hold(o.t, o.testFarm, front)
	attempt(o, front, o.rootsCall())
	other.EndProcess()
	must(o, front, o.rootsCall())
}

// TestModels_MatchBusyScripts checks that the models wait for another script as the
// scripts do, and what they say when it does not end.
func TestModels_MatchBusyScripts(t *testing.T) {
	t.Parallel()
	path := powerShell(t)
	for name, runAs := range map[string]farm.RunAs{"direct": farm.Direct, "by the task": farm.Task} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := farmsim.Options{
				OfficeServers: 2, SharePointServers: 1, WithoutWire: true, SharedPowerShell: true, Trusting: true,
				RunAs: runAs, RemoteSQL: runAs == farm.Task,
			}
			options.Policy.WarmUp, options.Policy.MutexWait = time.Hour, 10*time.Millisecond
			tell := func(o, next *operator) { busy(next, o) }
			modelled, world := told(t, options, tell)
			options.PowerShell = path
			ran, after := told(t, options, tell)
			if diff := cmp.Diff(modelled, ran); diff != "" {
				t.Errorf("answers (-model +PowerShell):\n%s", diff)
			}
			if diff := cmp.Diff(world, after); diff != "" {
				t.Errorf("farms afterwards (-model +PowerShell):\n%s", diff)
			}
			if all := strings.Join(modelled, "\n"); strings.Count(all, powershell.ServerBusy) != 2 {
				t.Errorf("want two calls refused as busy:\n%s", all)
			}
		})
	}
}

// TestDetached checks that a script that goes on without its caller keeps the next one
// waiting, until that finds the work done.
func TestDetached(t *testing.T) {
	t.Parallel()
	for _, when := range []fault.When{fault.Before, fault.After} {
		t.Run(string(when)+" it acts", func(t *testing.T) {
			t.Parallel()
			testFarm := start(t, farmsim.Options{
				OfficeServers: 1, SharePointServers: 1, WithoutWire: true, Policy: model.Policy{MutexWait: 100 * time.Millisecond},
			})
			o := operate(t, testFarm, first(t, testFarm))
			plan(t, testFarm, fault.Fault{
				Kind: fault.Detached, Server: oos1, Step: "Import-S2SCertificate", When: when, Delay: fault.Duration(time.Hour),
			})
			_, err := run(o, oos1, o.importCall(14393))
			var transport *powershell.TransportError
			if !errors.As(err, &transport) || transport.Kind != powershell.Interrupted {
				t.Errorf("the caller of a script that goes on alone got %v", err)
			}
			awaitMutex(t, testFarm, oos1)
			_, err = run(o, oos1, o.importCall(14393))
			assertBusy(t, err)
			testFarm.World.Hurry(oos1)
			for errors.As(err, new(*powershell.ScriptError)) {
				var done powershell.ImportResult
				if done, err = run(o, oos1, o.importCall(14393)); err == nil && done.Changed {
					t.Errorf("the second attempt did it again: %+v", done)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("over the wire, in a farm that closes before it ends", func(t *testing.T) {
		t.Parallel()
		testFarm := start(t, farmsim.Options{OfficeServers: 1, SharePointServers: 1, Policy: model.Policy{MutexWait: time.Millisecond}})
		o := operate(t, testFarm, first(t, testFarm))
		o.runner = overWire(t, testFarm)
		plan(t, testFarm, fault.Fault{Kind: fault.Detached, Server: oos1, Step: "Import-S2SCertificate", Delay: fault.Duration(time.Hour)})
		if _, err := run(o, oos1, o.importCall(14393)); err == nil {
			t.Error("the caller got a result")
		}
		awaitMutex(t, testFarm, oos1)
		_, err := run(o, oos1, o.importCall(14393))
		assertBusy(t, err)
	})
}

// awaitMutex waits until a script holds the mutex of a server.
func awaitMutex(t *testing.T, testFarm *farmsim.Farm, host string) {
	t.Helper()
	session, err := testFarm.World.LogOn(host, model.Logon{User: "other", Auth: model.NTLM})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		if _, _, found, err := session.OtherRun(); found || err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("no script holds the mutex of %s", host)
}

// TestClose_Unguarded checks that a farm says which scripts changed something without
// the mutex, or took it too late.
func TestClose_Unguarded(t *testing.T) {
	t.Parallel()
	testFarm, err := farmsim.Start(t.Context(), farmsim.Options{Dir: t.TempDir(), OfficeServers: 1, SharePointServers: 1, WithoutWire: true})
	if err != nil {
		t.Fatal(err)
	}
	change := func(script string, before func(s *model.Session)) {
		session, err := testFarm.World.LogOn(oos1, model.Logon{User: "other", Auth: model.NTLM})
		if err != nil {
			t.Fatal(err)
		}
		if script != "" {
			session.BeginScript(script)
		}
		before(session)
		if err := session.SetRegistryText("a", script); err != nil {
			t.Error(err)
		}
		session.EndProcess()
	}
	take := func(s *model.Session) { _, _ = s.WaitMutex(time.Minute) } // It may be told of the last one.
	change("", func(*model.Session) {})
	change("Right", take)
	change("Without", func(*model.Session) {})
	change("Late", func(s *model.Session) {
		_, _ = s.Certificates(model.My)
		take(s)
	})
	err = testFarm.Close()
	want := oos1 + ": Without changed something without the mutex\n" + oos1 + ": Late observed before it held the mutex"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want\n%s", err, want)
	}
}
