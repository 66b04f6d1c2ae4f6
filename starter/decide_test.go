package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestDecide_ReachesTheRunWithAuthorAndReason(t *testing.T) {
	for command, want := range map[string]string{
		"approve contoso 1a2b3c4d5e6f":                 "rotate/contoso {Choice:approve Server: Digest:1a2b3c4d5e6f Accept:[] Force:false By:ada Reason:why}",
		"retry contoso":                                "rotate/contoso {Choice:retry Server: Digest: Accept:[] Force:false By:ada Reason:why}",
		"retry contoso --server oos-02":                "rotate/contoso {Choice:retry Server:oos-02 Digest: Accept:[] Force:false By:ada Reason:why}",
		"retry contoso --accept pending-reboot@oos-02": "rotate/contoso {Choice:retry Server: Digest: Accept:[pending-reboot@oos-02] Force:false By:ada Reason:why}",
		"skip contoso --server oos-02":                 "rotate/contoso {Choice:skip Server:oos-02 Digest: Accept:[] Force:false By:ada Reason:why}",
		"skip contoso --server oos-02 --force":         "rotate/contoso {Choice:skip Server:oos-02 Digest: Accept:[] Force:true By:ada Reason:why}",
		"abort contoso":                                "rotate/contoso {Choice:abort Server: Digest: Accept:[] Force:false By:ada Reason:why}",
	} {
		t.Run(command, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{})
			f.addRotation("contoso")
			choice, _, _ := strings.Cut(command, " ")
			runProgram(t, append(strings.Fields(command), "--by", "ada", "--reason", "why")...).assertExit(t, exitOK,
				"out:contoso: "+choice+" accepted; rotate/contoso continues: farmtrust status contoso --watch")
			assertEqual(t, f.decisions, []string{want})
		})
	}
}

func TestDecide_AboutARetirement(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addRunOf("RetireCertificate", "retire/contoso")
	f.endRun(f.addRotation("contoso"), verified)
	got := runProgram(t, "approve", "contoso", "0f0e0d0c0b0a", "--by", "ada", "--reason", "retention is over", "-o", "json")
	got.assertExit(t, exitOK)
	var shown decidedRun
	got.readJSON(t, &shown)
	assertEqual(t, shown, decidedRun{"contoso", "retire/contoso", farm.Decision{Choice: farm.Approve, Digest: "0f0e0d0c0b0a", By: "ada", Reason: "retention is over"}})
	assertEqual(t, len(f.decisions), 1)
}

func TestDecide_Refused(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{refuseDecision: errors.New("approve: the digest is now 222: look at the plan again")})
	f.addRotation("contoso")
	t.Run("in the run's own words", func(t *testing.T) {
		runProgram(t, "approve", "contoso", "111", "--reason", "why").assertExit(t, exitFailed,
			"farmtrust: contoso: refused: approve: the digest is now 222: look at the plan again\n")
	})
	t.Run("nothing runs", func(t *testing.T) {
		runProgram(t, "approve", "fabrikam", "111", "--reason", "why").assertExit(t, exitFailed,
			"fabrikam: nothing is running, so there is nothing to decide: farmtrust status fabrikam")
	})
}

func TestDecide_WithoutAllArguments(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addRotation("contoso")
	for command, want := range map[string]string{
		"abort contoso":           "give the reason, which the report shows: --reason WHY",
		"rollback":                "name the farm",
		"skip contoso --reason r": "skip: name the server",
		"approve contoso 1 2":     "name one farm, not 3",
		"approve contoso 1":       "--reason WHY",
		"retry contoso fabrikam":  "name one farm, not 2",
		"retry contoso --force":   "unknown flag: --force",
	} {
		t.Run(command, func(t *testing.T) {
			runProgram(t, strings.Fields(command)...).assertExit(t, exitUsage, want)
		})
	}
	assertEqual(t, f.decisions, nil)
}

func TestApprove_WithoutADigest(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addRotation("contoso")
	s := farm.Status{Phase: farm.PhaseWaiting, Report: testReport("contoso", "")}
	f.onStatus = func(string) (farm.Status, error) { return s, nil }
	t.Run("nothing waits for approval", func(t *testing.T) {
		runProgram(t, "approve", "contoso").assertExit(t, exitFailed, "contoso: nothing waits for approval now: farmtrust status contoso")
	})
	asked := farm.Approval{What: "the cutover", Steps: []farm.Difference{{Step: farm.StepS2SName, Server: "oos-01.contoso.com", Text: "set the name"}}}
	s.Wait = &farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Approval: &asked, Text: "approve 1a2b3c4d5e6f, or roll back what is staged"}
	t.Run("shows what waits, and approves nothing", func(t *testing.T) {
		runProgram(t, "approve", "contoso").assertExit(t, exitDiffers, "out:waits for an approval\n", "out:set the name\n",
			"nothing is approved yet; to approve exactly this: farmtrust approve contoso 1a2b3c4d5e6f --reason WHY")
		assertEqual(t, f.decisions, nil)
	})
}

func TestCompleteAuthor_AsksForTheReasonOnATerminal(t *testing.T) {
	for typed, want := range map[string]string{"change 4711 \n": "change 4711", "no line end": "no line end", "\n": "", "": ""} {
		t.Run(strings.TrimSpace(typed), func(t *testing.T) {
			var asked bytes.Buffer
			by := client.Author{}
			err := (&app{in: strings.NewReader(typed), err: &asked, interactive: true}).completeAuthor(&by)
			if (err == nil) != (want != "") {
				t.Errorf("error %v, want one only without a reason", err)
			}
			assertEqual(t, by, client.Author{By: currentUser(), Reason: want})
			assertEqual(t, asked.String(), "reason, as the report shows it: ")
		})
	}
}
