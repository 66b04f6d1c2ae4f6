package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// rows are the farms of a list, with what tells them apart.
func rows(list report.FarmList) []string {
	all := []string{}
	for _, f := range list.Farms {
		row := f.Farm + ": " + string(f.State) + ", worker " + string(f.Worker)
		if f.NeedsOperator {
			row += ", operator"
		}
		all = append(all, row)
	}
	return all
}

func TestFarms_None(t *testing.T) {
	startTemporal(t, &fakeTemporal{known: []string{}})
	for _, command := range []string{"farms", "status"} {
		runProgram(t, command).assertExit(t, exitCannotTell, "out:0 farms: no worker has run against this Temporal namespace yet")
	}
}

func TestFarms_WhatExpiresWhen(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	soon, suspended, waits := inOrderState("soon"), inOrderState("suspended"), inOrderState("waits")
	soon.Inspected.Current = inUse(9)
	suspended.Suspended = "the rotation was rolled back"
	waits.Next = farm.Next{Action: farm.ActionAwaitCertificate, Reason: "the source has no newer certificate"}
	waits.Inspected.Current = inUse(20)
	for _, s := range []controller.State{inOrderState("calm"), waits, suspended, soon, {Farm: "new"}} {
		f.addController(s)
	}
	got := runProgram(t, "farms")
	got.assertExit(t, exitOperator, "out:5 farms: 2 in trouble, an operator is needed\n",
		"out:9 days", "out:suspended", "out:the rotation was rolled back", "out:waiting for a certificate", "out:the source has no newer certificate", "out:unknown")
	got = runProgram(t, "farms", "-o", "json")
	got.assertExit(t, exitOperator)
	var list report.FarmList
	got.readJSON(t, &list)
	assertEqual(t, rows(list), []string{
		"soon: trusted, worker answers, operator", "suspended: suspended, worker answers, operator",
		"new: not inspected, worker answers", "waits: waiting for a certificate, worker answers", "calm: trusted, worker answers",
	})
	if c := list.Farms[0].Certificate; c == nil || *c.DaysLeft != 9 {
		t.Errorf("got certificate %+v, want 9 days left", c)
	}
	t.Run("the warning is the operator's choice", func(t *testing.T) {
		runProgram(t, "status", "soon", "--warn-days", "5").assertExit(t, exitOK)
		runProgram(t, "status", "waits", "--warn-days", "30").assertExit(t, exitOperator)
	})
}

func TestFarms_WithoutAWorkerShowsWhatWasKnownLast(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{noWorker: true})
	end := inUse(100).NotAfter
	setAttributes(t, f.addController(inOrderState("calm")), map[string]any{
		"Phase": "idle", "NeedsOperator": false, "Thumbprint": "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012", "CertificateNotAfter": end, "LastInspection": time.Now(),
	})
	got := runProgram(t, "farms")
	got.assertExit(t, exitCannotTell, "out:1 farm: no worker answers for 1\n", "out:DB0FEA9B", "out:"+farm.FormatTime(end), "out:100 days", "out:trusted", "out:NONE")
	setAttributes(t, f.addController(controller.State{Farm: "blocked"}), map[string]any{"Phase": "rotating", "NeedsOperator": true, "LastInspection": time.Now()})
	setAttributes(t, f.addRotation("blocked"), map[string]any{"Phase": "restarting", "NeedsOperator": true})
	setAttributes(t, f.addController(controller.State{Farm: "retiring"}), map[string]any{"Phase": "retiring", "NeedsOperator": false, "LastInspection": time.Now()})
	setAttributes(t, f.addRunOf("RetireCertificate", "retire/retiring"), map[string]any{"Phase": "retiring", "NeedsOperator": true})
	got = runProgram(t, "farms", "-o", "json")
	got.assertExit(t, exitOperator)
	var list report.FarmList
	got.readJSON(t, &list)
	assertEqual(t, rows(list), []string{
		"blocked: blocked, worker none, operator", "retiring: waiting for approval, worker none, operator", "calm: trusted, worker none",
	})
}

func TestFarms_AFarmWithoutAControllerIsLoudAndAForgottenOneIsNotThere(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.endRun(f.addController(controller.State{Farm: "terminated"}), ending{err: errTerminated})
	f.endRun(f.addController(controller.State{Farm: "forgotten"}), ending{})
	f.endRun(f.addRotation("forgotten"), verified)
	f.endRun(f.addController(controller.State{Farm: "mistyped"}), failsWith(errUnknown)(""))
	var list report.FarmList
	got := runProgram(t, "farms", "-o", "json")
	got.assertExit(t, exitOperator)
	got.readJSON(t, &list)
	assertEqual(t, rows(list), []string{"terminated: no controller, worker answers, operator"})
}

// commandsOfAFarm are all commands that take a farm.
var commandsOfAFarm = []string{
	"rotate cotoso", "plan cotoso", "check cotoso", "status cotoso", "status cotoso --watch", "report cotoso", "approve cotoso", "approve cotoso 1a2b3c4d5e6f --reason r",
	"retry cotoso --reason r", "skip cotoso --server oos-02 --reason r", "abort cotoso --reason r", "rollback cotoso --reason r", "resume cotoso --reason r",
	"release cotoso --reason r", "observe cotoso --reason r", "postpone cotoso --until 18h --reason r", "cancel cotoso --reason r", "withdraw cotoso --reason r",
	"undo cotoso --reason r", "accept cotoso 0123456789ABCDEF0123456789ABCDEF01234567 --reason r", "forward cotoso --reason r", "forget cotoso --reason r", "event - --farm cotoso", "event - --farm cotoso --detach",
}

func TestUnknownFarm_IsAUsageErrorThatNamesTheNearestAndLeavesNothingBehind(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addController(inOrderState("contoso"))
	f.addController(inOrderState("fabrikam"))
	before := len(f.startedRuns(t))
	for _, command := range commandsOfAFarm {
		t.Run(command, func(t *testing.T) {
			got := runProgramWith(t, t.Context(), near("e1", "kv", "c"), strings.Fields(command)...)
			got.err += got.out
			got.assertExit(t, exitUsage, `no worker is configured for farm "cotoso"; did you mean contoso? known: contoso, fabrikam`)
		})
	}
	assertEqual(t, len(f.startedRuns(t)), before)
	assertEqual(t, f.events, nil)
}

func TestUnknownFarm_TheTestNamesEveryCommand(t *testing.T) {
	for _, c := range (&app{}).newRoot().Commands() {
		if c.Args == nil || slices.Contains([]string{"version", "farms", "keys", "audit", "listen", "pull"}, c.Name()) {
			continue
		}
		named := false
		for _, command := range commandsOfAFarm {
			named = named || strings.HasPrefix(command, c.Name()+" ")
		}
		if !named {
			t.Errorf("commandsOfAFarm lacks %s", c.Name())
		}
	}
}

func TestFarms_TheManualExplainsEveryState(t *testing.T) {
	manual, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range controller.Standings() {
		if !strings.Contains(string(manual), "`"+string(state)+"`") {
			t.Errorf("docs/operating.md does not explain %q", state)
		}
	}
}
