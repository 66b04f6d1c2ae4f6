package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

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
			reply := "Accepted. " + choice
			if choice == "approve" {
				reply = "Approved."
			}
			runProgram(t, append(strings.Fields(command), "--by", "ada", "--reason", "why")...).assertExit(t, exitOK,
				"out:"+reply, "out: Watch it: farmtrust status contoso --watch\n")
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
		"abort contoso":          "give the reason, which the report shows: --reason WHY",
		"rollback":               "name the farm",
		"skip contoso":           "skip: name the server: --server HOST",
		"approve contoso 1 2":    "name one farm, not 3",
		"approve contoso 1":      "--reason WHY",
		"retry contoso fabrikam": "name one farm, not 2",
		"retry contoso --force":  "unknown flag: --force",
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
	s.Wait = waitForApproval()
	t.Run("shows what waits, and approves nothing", func(t *testing.T) {
		runProgram(t, "approve", "contoso").assertExit(t, exitDiffers, "out:waits for an approval\n", "out:set the name\n",
			"nothing is approved yet; to approve exactly this: farmtrust approve contoso 1a2b3c4d5e6f --reason WHY")
		runProgram(t, "approve", "contoso", "-o", "html").assertExit(t, exitDiffers, "out:<title>contoso: waiting</title>", "out:set the name")
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

// waitForApproval is of a cutover that restarts one server.
func waitForApproval() *farm.Wait {
	return &farm.Wait{
		For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Text: "the cutover begins once an operator approves 1a2b3c4d5e6f",
		Approval: &farm.Approval{
			What:     "the cutover",
			Steps:    []farm.Difference{{Step: farm.StepS2SName, Server: "oos-01.contoso.com", Text: "set the name"}},
			Restarts: []farm.PlannedRestart{{Server: "oos-01.contoso.com", Order: 1, Services: "WACSM and IIS"}},
		},
		Options: []farm.Option{
			{Choice: farm.Approve, Effect: "begins the cutover now; restarts oos-01.contoso.com"},
			{Choice: farm.Abort, Effect: "leaves everything as it is now: certificate imported on 4 servers; the farm is then suspended"},
		},
	}
}

func TestDecide_SaysWhatFollows(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addRotation("contoso")
	s := farm.Status{Phase: farm.PhaseWaiting, Report: testReport("contoso", ""), Wait: waitForApproval()}
	f.onStatus = func(string) (farm.Status, error) { return s, nil }
	t.Run("an approval without a window", func(t *testing.T) {
		runProgram(t, "approve", "contoso", "1a2b3c4d5e6f", "--reason", "why").assertExit(t, exitOK,
			"out:Approved. The cutover begins now. Watch it: farmtrust status contoso --watch\n")
	})
	t.Run("an approval for a window", func(t *testing.T) {
		s.Wait.Approval.Opening.From = time.Date(2999, 1, 5, 2, 0, 0, 0, time.UTC)
		runProgram(t, "approve", "contoso", "1a2b3c4d5e6f", "--reason", "why").assertExit(t, exitOK,
			"out:Approved. The cutover begins in the window, at 2999-01-05 02:00 UTC. Watch it: farmtrust status contoso --watch\n")
	})
	t.Run("an abort", func(t *testing.T) {
		runProgram(t, "abort", "contoso", "--reason", "why").assertExit(t, exitOK,
			"out:Accepted. abort: leaves everything as it is now: certificate imported on 4 servers; the farm is then suspended. Watch it:")
	})
}

func TestDecide_AsksOnATerminal(t *testing.T) {
	f := startTemporal(t, &fakeTemporal{})
	f.addRotation("contoso")
	f.onStatus = func(string) (farm.Status, error) {
		return farm.Status{Phase: farm.PhaseWaiting, Report: testReport("contoso", ""), Wait: waitForApproval()}, nil
	}
	t.Run("no", func(t *testing.T) {
		for _, typed := range []string{"n\n", "\n", ""} {
			runOnTerminal(t, typed, "abort", "contoso", "--reason", "why").assertExit(t, exitRefused,
				"contoso: abort: leaves everything as it is now: certificate imported on 4 servers; the farm is then suspended\ngo on? [y/N] ", "not confirmed; nothing was changed")
		}
		assertEqual(t, f.decisions, nil)
	})
	t.Run("yes, after the reason", func(t *testing.T) {
		runOnTerminal(t, "why\ny\n", "abort", "contoso").assertExit(t, exitOK, "reason, as the report shows it: ", "go on? [y/N] ")
		assertEqual(t, len(f.decisions), 1)
	})
	t.Run("not where it is said before", func(t *testing.T) {
		got := runOnTerminal(t, "", "abort", "contoso", "--reason", "why", "--yes")
		got.assertExit(t, exitOK)
		if strings.Contains(got.err, "[y/N]") {
			t.Errorf("it asks: %s", got.err)
		}
	})
	t.Run("not about what is harmless", func(t *testing.T) {
		runOnTerminal(t, "", "approve", "contoso", "1a2b3c4d5e6f", "--reason", "why").assertExit(t, exitOK)
	})
}
