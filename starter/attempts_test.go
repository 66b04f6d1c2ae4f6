package main

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// failedAttempt is an activity that is tried for the nth time, as Temporal shows it.
func failedAttempt(attempt int32, err error) *workflowpb.PendingActivityInfo {
	return &workflowpb.PendingActivityInfo{
		ActivityType: &commonpb.ActivityType{Name: "GrantKey"}, Attempt: attempt,
		LastFailure: temporal.GetDefaultFailureConverter().ErrorToFailure(err),
	}
}

// lostWorker is the failure of an activity whose worker has gone.
func lostWorker(attempt int32) *workflowpb.PendingActivityInfo {
	return &workflowpb.PendingActivityInfo{
		ActivityType: &commonpb.ActivityType{Name: "GrantKey"}, Attempt: attempt,
		LastFailure: &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: 4}}},
	}
}

func TestStatus_RetriedSteps(t *testing.T) {
	running := func(hosts ...string) func(string) (farm.Status, error) {
		s := farm.Status{Phase: farm.PhaseStaging, Report: testReport("contoso", "")}
		s.Report.Servers = nil
		for _, host := range hosts {
			s.Report.Servers = append(s.Report.Servers, farm.ServerReport{Host: host, Role: farm.OfficeRole, Steps: []farm.StepReport{{Step: farm.StepGrant, State: farm.StateRunning}}})
		}
		return func(string) (farm.Status, error) { return s, nil }
	}
	denied := temporal.NewApplicationErrorWithOptions("access denied", "X", temporal.ApplicationErrorOptions{Details: []any{activities.Attempted{Count: 3, Server: "oos-02"}}})
	for name, c := range map[string]struct {
		hosts   []string
		pending *workflowpb.PendingActivityInfo
		want    []int
		text    string
	}{
		"the failure names its server":                    {[]string{"oos-01", "oos-02"}, failedAttempt(4, denied), []int{0, 4}, "access denied"},
		"a worker was lost during the only step":          {[]string{"oos-01"}, lostWorker(2), []int{2}, "its worker stopped, or lost Temporal"},
		"of several steps nobody knows whose worker left": {[]string{"oos-01", "oos-02"}, lostWorker(2), []int{0, 0}, ""},
		"the server's own step has ended meanwhile":       {[]string{"oos-01"}, failedAttempt(4, denied), []int{0}, ""},
		"another server's step has ended meanwhile":       {[]string{"oos-01", "oos-03"}, failedAttempt(4, denied), []int{0, 0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTemporal(t, &fakeTemporal{onStatus: running(c.hosts...), pending: []*workflowpb.PendingActivityInfo{c.pending}})
			f.addRotation("contoso")
			var shown farm.Status
			runProgram(t, "status", "contoso", "-o", "json").readJSON(t, &shown)
			var got []int
			text := ""
			for _, server := range shown.Report.Servers {
				got = append(got, server.Steps[0].Attempts)
				text += server.Steps[0].LastError
			}
			assertEqual(t, got, c.want)
			assertEqual(t, text, c.text)
		})
	}
}
