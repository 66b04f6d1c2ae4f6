package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// inputs are the inputs of what was started, but for keepers.
func (f *frontend) inputs(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, a := range f.asked(t) {
		if a.Type != "KeepTrust" {
			all = append(all, a.ID+" "+a.Input)
		}
	}
	return all
}

func TestAnEventReachesTheKeeperOfTheFarmItConcerns(t *testing.T) {
	config := file(t, "farmtrust.yaml", twoFarms)
	for claim, c := range map[string]struct {
		args []string
		body string
		want []string
	}{
		"by the configuration": {
			[]string{"--config", config},
			near("e1", "contoso-kv-001", "mycert10"),
			[]string{`rotate/contoso {"farm":"contoso","reason":"near expiry of mycert10 in contoso-kv-001 (event e1): because"}`},
		},
		"by the configuration, spelled as for the worker": {
			[]string{"-config=" + config},
			near("e1", "Fabrikam-KV", "any"),
			[]string{`rotate/fabrikam {"farm":"fabrikam","reason":"near expiry of any in Fabrikam-KV (event e1): because"}`},
		},
		"by its own word, without a configuration": {
			nil, named,
			[]string{`rotate/contoso {"farm":"contoso","reason":"near expiry of s2s in //scanner (event e1): because"}`},
		},
		"by the operator's word": {
			[]string{"--farm", "northwind"},
			near("e1", "kv", "c"),
			[]string{`rotate/northwind {"farm":"northwind","reason":"near expiry of c in kv (event e1): because"}`},
		},
		"all events of a batch": {
			[]string{"--config", config},
			"[" + near("e1", "contoso-kv-001", "mycert10") + "," + near("e2", "fabrikam-kv", "a") + "," + near("e3", "fabrikam-kv", "b") + "]",
			[]string{
				`rotate/contoso {"farm":"contoso","reason":"near expiry of mycert10 in contoso-kv-001 (event e1): because"}`,
				`rotate/fabrikam {"farm":"fabrikam","reason":"near expiry of a in fabrikam-kv (event e2): because"}`,
				`rotate/fabrikam {"farm":"fabrikam","reason":"near expiry of b in fabrikam-kv (event e3): because"}`,
			},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
			startWith(t, t.Context(), c.body, append([]string{"event", "-"}, c.args...)...).says(t, exitOK, "out:verified")
			if diff := cmp.Diff(c.want, f.inputs(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheSameEventTwiceIsOneRotation(t *testing.T) {
	f := serve(t, &frontend{})
	path := file(t, "event.json", named)
	start(t, "event", path, "--detach").says(t, exitOK, "out:contoso: accepted by workflow farm/contoso; see what it does: starter status contoso")
	start(t, "event", path, "--detach").says(t, exitOK, "out:contoso: accepted")
	if got := f.inputs(t); len(got) != 1 {
		t.Errorf("started %v", got)
	}
}

func TestAnEventThatLeadsToNothingSaysWhy(t *testing.T) {
	for claim, c := range map[string]struct {
		next farm.Next
		code int
	}{
		"all is well":           {farm.Next{Reason: "trusted until 2027-01-05"}, exitOK},
		"a person is needed":    {farm.Next{Reason: "held: the rotation was undone", NeedsOperator: true}, exitDiffers},
		"a newer one is needed": {farm.Next{Action: farm.ActionAwaitCertificate, Reason: "waits for a newer certificate", NeedsOperator: true}, exitDiffers},
	} {
		t.Run(claim, func(t *testing.T) {
			f := serve(t, &frontend{judge: func(string, controller.Event) farm.Next { return c.next }})
			f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
			startWith(t, t.Context(), named, "event", "-").says(t, c.code, "out:contoso: nothing is done: "+c.next.Reason+"\n")
			got := startWith(t, t.Context(), named, "event", "-", "-o", "json")
			got.says(t, c.code)
			var told judged
			if got.json(t, &told); told != (judged{Farm: "contoso", Next: c.next}) {
				t.Errorf("got %+v", told)
			}
		})
	}
}

func TestAnEventForAPausedFarmIsKeptAndNeedsAPerson(t *testing.T) {
	f := serve(t, &frontend{})
	f.keeping(controller.State{Farm: "contoso", Unmanaged: "no longer configured on worker w-1"})
	startWith(t, t.Context(), named, "event", "-").says(t, exitDiffers, "out:nothing is done: the farm is paused, and the event kept: no longer configured on worker w-1")
}

func TestAnEventDuringARotationIsJudgedAfterIt(t *testing.T) {
	f := serve(t, &frontend{})
	start(t, "rotate", "contoso", "--detach").says(t, exitOK)
	told := make(chan outcome, 1)
	go func() { told <- startWith(t, t.Context(), named, "event", "-") }()
	for kept := false; !kept; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		kept = len(f.keepers["contoso"].PendingEvents) == 1
		f.mu.Unlock()
	}
	f.end(f.find("rotate/contoso", ""), report("contoso", farm.Verified), nil)
	f.idle("contoso")
	(<-told).says(t, exitOK, "out:contoso: nothing is done: trusted until 2027\n")
}

func TestAnEventIsNotAnsweredWithWhatLedToTheRotationBefore(t *testing.T) {
	f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
	startWith(t, t.Context(), named, "event", "-").says(t, exitOK, "out:contoso: verified")
	f.mu.Lock()
	f.keepers["contoso"].Next = farm.Next{Action: farm.ActionRotate, Reason: "from old to new"}
	f.mu.Unlock()
	time.AfterFunc(100*time.Millisecond, func() { f.idle("contoso") })
	startWith(t, t.Context(), named, "event", "-").says(t, exitOK, "out:contoso: nothing is done: trusted until 2027\n")
}

func TestAnEventWhoseKeeperWasTerminatedIsNotWaitedFor(t *testing.T) {
	f := serve(t, &frontend{})
	f.keeping(controller.State{Farm: "contoso", ActiveRun: &controller.ActiveRun{WorkflowID: "rotate/contoso"}})
	time.AfterFunc(100*time.Millisecond, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.keepers, "contoso")
	})
	startWith(t, t.Context(), named, "event", "-").says(t, exitFailed, "contoso: farm/contoso ended before it judged the event: look at its history")
}

func TestAnEventWithoutAWorkerIsSafeAndSaysWhatItWaitsFor(t *testing.T) {
	serve(t, &frontend{noWorker: true})
	startWith(t, t.Context(), named, "event", "-", "--detach").says(t, exitOK, "out:contoso: accepted",
		"no worker polls task queue farmtrust: start one: worker -config FILE; what was accepted waits for it")
	ctx, interrupt := context.WithTimeout(t.Context(), time.Second)
	defer interrupt()
	startWith(t, ctx, named, "event", "-").says(t, exitFailed, "stopped watching; the keeper has the event: starter status contoso")
}

func TestAnEventThatCannotBeUsedStartsNothing(t *testing.T) {
	config := file(t, "farmtrust.yaml", twoFarms)
	broken := file(t, "broken.yaml", strings.Replace(twoFarms, "office:", "offices:", 1))
	ambiguous := file(t, "ambiguous.yaml", strings.Replace(twoFarms, "vault: fabrikam-kv", "vault: contoso-kv-001", 1))
	for claim, c := range map[string]struct {
		body string
		args []string
		want []string
	}{
		"too large":            {strings.Repeat(" ", event.MaxBody+1), nil, []string{"standard input: decode event: body: is 1048577 bytes", "send fewer events at once"}},
		"repeated name":        {strings.Replace(named, `"id"`, `"id":"x","id"`, 1), nil, []string{"decode event: id: occurs twice"}},
		"trailing data":        {named + "x", nil, []string{"more data follows the JSON document"}},
		"another type":         {strings.Replace(named, ".near-expiry.", ".near-expire.", 1), nil, []string{"is not about the expiry of a certificate; subscribe only to"}},
		"no way to a farm":     {near("e1", "kv", "c"), nil, []string{"find the farm of near expiry of c in kv (event e1): give --config FILE", "or --farm FARM"}},
		"no farm listens":      {near("e1", "kv", "c"), []string{"--config", config}, []string{`unknown farm: no farm's certificate.events match near expiry of c in kv`, "farmtrust.yaml"}},
		"several farms listen": {near("e1", "contoso-kv-001", "mycert10"), []string{"--config", ambiguous}, []string{"concerns the farms contoso, fabrikam"}},
		"it names no farm of the configuration": {
			strings.Replace(named, `"contoso"`, `"west"`, 1),
			[]string{"--config", config},
			[]string{`names farm "west", which is not configured`},
		},
		"one of a batch":       {"[" + named + "," + near("e1", "kv", "c") + "]", []string{"--config", config}, []string{"unknown farm"}},
		"broken configuration": {near("e1", "kv", "c"), []string{"--config", broken}, []string{"broken.yaml:3: ", "did you mean office"}},
	} {
		t.Run(claim, func(t *testing.T) {
			f := serve(t, &frontend{work: ends(report("contoso", farm.Verified), nil)})
			startWith(t, t.Context(), c.body, append([]string{"event", "-"}, c.args...)...).says(t, exitUsage, c.want...)
			if len(f.runs) != 0 {
				t.Errorf("started %v", f.inputs(t))
			}
		})
	}
}

func TestABatchForSeveralFarmsExitsAsTheFirstThatDidNotEndWell(t *testing.T) {
	config := file(t, "farmtrust.yaml", twoFarms)
	serve(t, &frontend{work: func(_, id string) (any, error) {
		if id == "rotate/contoso" {
			return nil, refusal("contoso")
		}
		return report("fabrikam", farm.Verified), nil
	}})
	body := "[" + near("e1", "contoso-kv-001", "mycert10") + "," + near("e2", "fabrikam-kv", "a") + "]"
	got := startWith(t, t.Context(), body, "event", "-", "--config", config, "-o", "json")
	got.says(t, exitRefused, `out:{"farm":"contoso","outcome":"refused"`, `out:{"farm":"fabrikam","outcome":"verified"`)
}
