package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// deciding is a world in which something runs that takes every decision, and
// what it took.
func deciding(t *testing.T, id, kind string) (*frontend, func() []string) {
	t.Helper()
	var taken []string
	f := serve(t, &frontend{decide: func(id string, d farm.Decision) error {
		taken = append(taken, fmt.Sprintf("%s %+v", id, d))
		return nil
	}})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: kind}})
	return f, func() []string {
		f.mu.Lock()
		defer f.mu.Unlock()
		return taken
	}
}

func TestADecisionReachesWhatIsAtWorkWithItsAuthorAndReason(t *testing.T) {
	for command, want := range map[string]string{
		"approve contoso 1a2b3c4d5e6f":          "rotate/contoso {Choice:approve Server: Digest:1a2b3c4d5e6f Insist:false By:ada Reason:why}",
		"retry contoso":                         "rotate/contoso {Choice:retry Server: Digest: Insist:false By:ada Reason:why}",
		"retry contoso --server oos-02":         "rotate/contoso {Choice:retry Server:oos-02 Digest: Insist:false By:ada Reason:why}",
		"skip contoso --server oos-02":          "rotate/contoso {Choice:skip Server:oos-02 Digest: Insist:false By:ada Reason:why}",
		"skip contoso --server oos-02 --insist": "rotate/contoso {Choice:skip Server:oos-02 Digest: Insist:true By:ada Reason:why}",
		"rollback contoso":                      "rotate/contoso {Choice:rollback Server: Digest: Insist:false By:ada Reason:why}",
		"abort contoso":                         "rotate/contoso {Choice:abort Server: Digest: Insist:false By:ada Reason:why}",
	} {
		t.Run(command, func(t *testing.T) {
			_, taken := deciding(t, "rotate/contoso", "RotateTrust")
			choice, _, _ := strings.Cut(command, " ")
			got := start(t, append(strings.Fields(command), "--by", "ada", "--reason", "why")...)
			got.says(t, exitOK, "out:contoso: "+choice+" is decided, and rotate/contoso goes on: starter status contoso --watch")
			if diff := cmp.Diff([]string{want}, taken()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADecisionAboutARetirementReachesIt(t *testing.T) {
	f, decided := deciding(t, "retire/contoso", "RetireCertificate")
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	got := start(t, "approve", "contoso", "0f0e0d0c0b0a", "--by", "ada", "--reason", "soaked", "-o", "json")
	got.says(t, exitOK)
	var told taken
	got.json(t, &told)
	want := taken{"contoso", "retire/contoso", farm.Decision{Choice: farm.Approve, Digest: "0f0e0d0c0b0a", By: "ada", Reason: "soaked"}}
	if told != want || len(decided()) != 1 {
		t.Errorf("told %+v, decided %v", told, decided())
	}
}

func TestARefusedDecisionIsToldInTheRotationsWords(t *testing.T) {
	f, _ := deciding(t, "rotate/contoso", "RotateTrust")
	f.decide = func(string, farm.Decision) error {
		return errors.New("approve: the digest is now 222: look at the plan again")
	}
	start(t, "approve", "contoso", "111", "--reason", "why").says(t, exitFailed, "starter: contoso: refused: approve: the digest is now 222: look at the plan again\n")
	start(t, "approve", "fabrikam", "111", "--reason", "why").says(t, exitFailed, "fabrikam: nothing is at work, so there is nothing to decide: starter status fabrikam")
}

func TestADecisionThatLacksSomethingIsNotMade(t *testing.T) {
	_, taken := deciding(t, "rotate/contoso", "RotateTrust")
	for command, want := range map[string]string{
		"abort contoso":           "say why, for those who read the report: --reason WHY",
		"rollback":                "name the farm",
		"skip contoso --reason r": "skip: name the server",
		"approve contoso 1 2":     "name one farm, not 3",
		"approve contoso 1":       "--reason WHY",
		"retry contoso fabrikam":  "name one farm, not 2",
		"retry contoso --insist":  "unknown flag: --insist",
	} {
		start(t, strings.Fields(command)...).says(t, exitUsage, want)
	}
	if got := taken(); len(got) != 0 {
		t.Errorf("decided %v", got)
	}
}

func TestApproveWithoutADigestShowsWhatWaitsAndApprovesNothing(t *testing.T) {
	f, taken := deciding(t, "rotate/contoso", "RotateTrust")
	wait := &farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Text: "approve 1a2b3c4d5e6f, or roll back what is staged"}
	f.status = func(string) (farm.Status, error) {
		s := farm.Status{Phase: farm.PhaseWaiting, Report: report("contoso", ""), Wait: wait}
		s.Report.Differences = []farm.Difference{{Step: farm.StepS2SName, Server: "oos-01.contoso.com", Text: "set the name"}}
		return s, nil
	}
	start(t, "approve", "contoso").says(t, exitDiffers, "out:waits for approval\n", "out:oos-01.contoso.com  set the name\n",
		"nothing is approved yet; to approve exactly this: starter approve contoso 1a2b3c4d5e6f --reason WHY")
	wait = nil
	start(t, "approve", "contoso").says(t, exitFailed, "contoso: nothing waits for approval now: starter status contoso")
	if got := taken(); len(got) != 0 {
		t.Errorf("decided %v", got)
	}
}

func TestOnATerminalTheReasonIsAskedFor(t *testing.T) {
	for typed, want := range map[string]string{"change 4711 \n": "change 4711", "no line end": "no line end", "\n": "", "": ""} {
		var asked bytes.Buffer
		who := author{}
		err := (&app{in: strings.NewReader(typed), err: &asked, interactive: true}).sign(&who)
		if who.reason != want || (err == nil) != (want != "") || asked.String() != "why, for those who read the report: " {
			t.Errorf("typed %q: reason %q, error %v, asked %q", typed, who.reason, err, asked.String())
		}
		if who.by != whoami() {
			t.Errorf("by %q, want %q", who.by, whoami())
		}
	}
}

func TestReportShowsTheLastRotationThatEnded(t *testing.T) {
	f := serve(t, &frontend{noWorker: true})
	start(t, "report", "contoso").says(t, exitFailed, "contoso: no rotate/contoso has ended, or none within Temporal's retention")
	f.end(f.running("contoso"), report("contoso", farm.Verified), nil)
	f.end(f.running("contoso"), nil, refusal("contoso"))
	f.running("contoso")
	f.running("fabrikam")
	start(t, "report", "contoso").says(t, exitOK, "out:contoso: refused\n  refused for a reason")
	got := start(t, "report", "contoso", "-o", "json")
	var told farm.Report
	if got.json(t, &told); got.code != exitOK || told.Outcome != farm.Refused {
		t.Errorf("got %+v", got)
	}
	start(t, "report", "contoso", "-o", "html").says(t, exitOK, "out:<!DOCTYPE html>", "out:<h1>contoso: refused</h1>")
	start(t, "report", "contoso", "--retirement").says(t, exitFailed, "contoso: no retire/contoso has ended")
	start(t, "status", "contoso", "-o", "html").says(t, exitUsage, `unknown output "html": use -o table or -o json`)
}
