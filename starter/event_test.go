package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// near is a near-expiry event of Key Vault.
func near(id, vault, certificate string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/vaults/%s","type":"Microsoft.KeyVault.CertificateNearExpiry",
		"data":{"VaultName":%q,"ObjectName":%q,"Version":"1","EXP":1749679127}}`, id, vault, vault, certificate)
}

// named is an event that names its farm itself.
const named = `{"specversion":"1.0","id":"e1","source":"//scanner","type":"com.example.certificate.near-expiry.v1","subject":"s2s","data":{"farm":"contoso"}}`

// leadsTo answers events with a rotation that ends so.
func (f *fakeTemporal) leadsTo(endings map[string]ending) *fakeTemporal {
	f.onEvent = func(farmName string) controller.EventResult {
		end := endings[farmName]
		started := f.startRotation(farmName, &end)
		return controller.EventResult{WorkflowID: started.WorkflowID, RunID: started.RunID, Reason: "because"}
	}
	return f
}

func TestEvent_ReachesTheFarmThatItConcerns(t *testing.T) {
	config := writeFile(t, "farmtrust.yaml", twoFarms)
	shared := writeFile(t, "shared.yaml", strings.Replace(twoFarms, "vault: fabrikam-kv", "vault: contoso-kv-001", 1))
	for name, c := range map[string]struct {
		args []string
		body string
		want []string
	}{
		"by the configuration": {
			[]string{"--config", config},
			near("e1", "contoso-kv-001", "mycert10"),
			[]string{"contoso: near expiry of mycert10 in contoso-kv-001 (event e1)"},
		},
		"by the configuration, spelled as for the worker": {
			[]string{"-config=" + config},
			near("e1", "Fabrikam-KV", "any"),
			[]string{"fabrikam: near expiry of any in Fabrikam-KV (event e1)"},
		},
		"named by the event, without a configuration": {
			nil, named,
			[]string{"contoso: near expiry of s2s in //scanner (event e1)"},
		},
		"named by the operator": {
			[]string{"--farm", "northwind"},
			near("e1", "kv", "c"),
			[]string{"northwind: near expiry of c in kv (event e1)"},
		},
		"two farms of the configuration": {
			[]string{"--config", shared},
			near("e1", "contoso-kv-001", "mycert10"),
			[]string{
				"contoso: near expiry of mycert10 in contoso-kv-001 (event e1)",
				"fabrikam: near expiry of mycert10 in contoso-kv-001 (event e1)",
			},
		},
		"by the certificate that it was seen to use, without a configuration": {
			nil,
			strings.Replace(named, `{"farm":"contoso"}`, `{"thumbprintSha1":"a9:99:3e:36:47:06:81:6a:ba:3e:25:71:78:50:c2:6c:9c:d0:d8:9d"}`, 1),
			[]string{"northwind: near expiry of s2s in //scanner (event e1)"},
		},
		"all events of a batch": {
			[]string{"--config", config},
			"[" + near("e1", "contoso-kv-001", "mycert10") + "," + near("e2", "fabrikam-kv", "a") + "," + near("e3", "fabrikam-kv", "b") + "]",
			[]string{
				"contoso: near expiry of mycert10 in contoso-kv-001 (event e1)",
				"fabrikam: near expiry of a in fabrikam-kv (event e2)",
				"fabrikam: near expiry of b in fabrikam-kv (event e3)",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{}).leadsTo(map[string]ending{"contoso": verified, "fabrikam": verified, "northwind": verified})
			f.addController(controller.State{Farm: "northwind", Interest: controller.Interest{
				Certificates: []farm.CertificateIdentity{{Thumbprint: "A9993E364706816ABA3E25717850C26C9CD0D89D"}},
			}})
			runProgramWith(t, t.Context(), c.body, append([]string{"event", "-"}, c.args...)...).assertExit(t, exitOK, "out:verified")
			assertEqual(t, f.events, c.want)
		})
	}
}

func TestEvent_Detach(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	path := writeFile(t, "event.json", named)
	for range 2 {
		runProgram(t, "event", path, "--detach").assertExit(t, exitOK, "out:contoso: accepted by workflow farm/contoso; to see what it does: farmtrust status contoso")
	}
	t.Run("an event that is delivered twice has one ID", func(t *testing.T) {
		assertEqual(t, f.eventIDs[0], f.eventIDs[1])
	})
}

func TestEvent_ThatLeadsToNothingSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		result controller.EventResult
		code   int
	}{
		"all is well":           {controller.EventResult{Reason: "trusted until 2027-01-05"}, exitOK},
		"an operator is needed": {controller.EventResult{Reason: "suspended: the rotation was rolled back", NeedsOperator: true}, exitOperator},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{onEvent: func(string) controller.EventResult { return c.result }})
			f.endRun(f.addRotation("contoso"), verified)
			runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, c.code, "out:contoso: nothing is done: "+c.result.Reason+"\n")
			got := runProgramWith(t, t.Context(), named, "event", "-", "-o", "json")
			got.assertExit(t, c.code)
			var shown nothingDone
			got.readJSON(t, &shown)
			assertEqual(t, shown, nothingDone{Farm: "contoso", Reason: c.result.Reason, NeedsOperator: c.result.NeedsOperator})
		})
	}
}

func TestEvent_OfAnUnmanagedFarmStaysPending(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(controller.State{Farm: "contoso", Unmanaged: "no longer configured on worker w-1"})
	runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitOperator,
		"out:nothing is done: the farm is unmanaged, and the event stays pending: no longer configured on worker w-1")
}

func TestEvent_DuringARotationWaitsForItsEnd(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(runsRotation("contoso"))
	f.onState = func(n int) {
		if state := f.controllers["contoso"]; n == 3 {
			state.Active = nil
			state.AnswerEvents(controller.EventResult{Reason: "trusted until 2027"})
		}
	}
	runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitOK,
		"contoso: rotate/contoso is running; the event waits until it has ended\n", "out:contoso: nothing is done: trusted until 2027\n")
}

func TestEvent_IsNotAnsweredWithWhatLedToTheRotationBefore(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{}).leadsTo(map[string]ending{"contoso": verified})
	runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitOK, "out:contoso: verified")
	f.editController("contoso", func(s *controller.State) { s.Next = farm.Next{Action: farm.ActionRotate, Reason: "from old to new"} })
	asked := f.stateQueries
	f.onEvent, f.onState = nil, func(n int) {
		if n == asked+2 {
			f.controllers["contoso"].AnswerEvents(controller.EventResult{Reason: "trusted until 2027"})
		}
	}
	another := strings.Replace(named, `"id":"e1"`, `"id":"e2"`, 1)
	runProgramWith(t, t.Context(), another, "event", "-").assertExit(t, exitOK, "out:contoso: nothing is done: trusted until 2027\n")
}

func TestEvent_DeliveredAgainDoesNotHideWhatComesOfANewOne(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	f := startTemporal(t, &fakeTemporal{onEvent: func(string) controller.EventResult {
		return controller.EventResult{At: now, Reason: "trusted until 2027"}
	}})
	again := controller.EventResult{At: now.AddDate(0, -1, 0), Reason: "trusted until 2026"}
	runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitOK)
	again.EventID = f.eventIDs[0]
	f.editController("contoso", func(s *controller.State) { s.Mailbox.Results = []controller.EventResult{again} })
	another := strings.Replace(named, `"id":"e1"`, `"id":"e2"`, 1)
	runProgramWith(t, t.Context(), "["+another+","+named+"]", "event", "-").assertExit(t, exitOK, "out:contoso: nothing is done: trusted until 2027\n")
}

func TestEvent_WhoseControllerWasTerminatedIsNotWaitedFor(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(runsRotation("contoso"))
	f.onState = func(n int) {
		if n == 3 {
			delete(f.controllers, "contoso")
		}
	}
	runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitFailed, "contoso: farm/contoso ended before it answered the event; see its history")
}

func TestEvent_WithoutAWorkerIsStored(t *testing.T) {
	startTemporal(t, &fakeTemporal{noWorker: true}).addController(inOrderState("contoso"))
	t.Run("and says what it waits for", func(t *testing.T) {
		runProgramWith(t, t.Context(), named, "event", "-", "--detach").assertExit(t, exitOK, "out:contoso: accepted",
			"contoso: no worker answers on task queue farmtrust; start one: farmtrust-worker -config FILE; what was accepted waits for it")
	})
	t.Run("and is not waited for", func(t *testing.T) {
		runProgramWith(t, t.Context(), named, "event", "-").assertExit(t, exitCannotTell, "start one: farmtrust-worker -config FILE; the event is kept, and acted on when a worker runs")
	})
}

func TestEvent_ThatCannotBeUsedIsNotSent(t *testing.T) {
	config := writeFile(t, "farmtrust.yaml", twoFarms)
	broken := writeFile(t, "broken.yaml", strings.Replace(twoFarms, "office:", "offices:", 1))
	for name, c := range map[string]struct {
		body string
		args []string
		want []string
	}{
		"too large":        {strings.Repeat(" ", event.MaxBody+1), nil, []string{"standard input: decode event: body: is 1048577 bytes", "send fewer events at once"}},
		"repeated name":    {strings.Replace(named, `"id"`, `"id":"x","id"`, 1), nil, []string{"decode event: id: occurs twice"}},
		"trailing data":    {named + "x", nil, []string{"more data follows the JSON document"}},
		"another type":     {strings.Replace(named, ".near-expiry.", ".near-expire.", 1), nil, []string{"is not about the expiry of a certificate; send a type that ends in .certificate.near-expiry.v1, .certificate.expired.v1, .certificate.new-version.v1"}},
		"no way to a farm": {near("e1", "kv", "c"), nil, []string{"near expiry of c in kv (event e1) concerns no farm", `add {vault: "kv", certificate: "c"} to its certificate.events; or name the farm here: --farm FARM`}},
		"no farm listens":  {near("e1", "kv", "c"), []string{"--config", config}, []string{"near expiry of c in kv (event e1) concerns no farm"}},
		"it names no farm of the configuration": {
			strings.Replace(named, `"contoso"`, `"west"`, 1),
			[]string{"--config", config},
			[]string{`no worker is configured for farm "west"`},
		},
		"one of a batch":       {"[" + named + "," + near("e1", "kv", "c") + "]", []string{"--config", config}, []string{"concerns no farm"}},
		"broken configuration": {near("e1", "kv", "c"), []string{"--config", broken}, []string{"broken.yaml:3: ", "did you mean office"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			runProgramWith(t, t.Context(), c.body, append([]string{"event", "-"}, c.args...)...).assertExit(t, exitUsage, c.want...)
			assertEqual(t, f.events, nil)
		})
	}
}

func TestEvent_BatchExitsAsTheFirstFarmThatDidNotEndWell(t *testing.T) {
	config := writeFile(t, "farmtrust.yaml", twoFarms)
	startTemporal(t, &fakeTemporal{}).leadsTo(map[string]ending{
		"contoso": refused("contoso"), "fabrikam": {result: testReport("fabrikam", farm.Verified)},
	})
	body := "[" + near("e1", "contoso-kv-001", "mycert10") + "," + near("e2", "fabrikam-kv", "a") + "]"
	got := runProgramWith(t, t.Context(), body, "event", "-", "--config", config, "-o", "json")
	got.assertExit(t, exitRefused, `out:{"farm":"contoso","outcome":"refused"`, `out:{"farm":"fabrikam","outcome":"verified"`)
}
