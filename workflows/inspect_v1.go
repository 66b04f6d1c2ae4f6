package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// This file replays inspections that began before an inspection was one activity
// (inspectsInOneActivity, since 2026-11-28). They take minutes, so it may go with the
// next version: no worker that is upgraded finds one that is older than that.

// inspectByServer observes each server by an activity of its own.
func inspectByServer(ctx workflow.Context, farmName string) (farm.Inspection, error) {
	var f farm.Farm
	if err := workflow.ExecuteActivity(localOptions(ctx, "load configuration of "+farmName), a.LoadFarm, farmName).Get(ctx, &f); err != nil {
		return farm.Inspection{}, err
	}
	n := farm.Inspection{Farm: f.Name, Config: f}
	var choice activities.TargetChoice
	chooseErr := workflow.ExecuteActivity(localOptions(ctx, "choose certificate"), a.ChooseTarget, f.Name).Get(ctx, &choice)
	if chooseErr != nil {
		n.Findings = append(n.Findings, farm.Finding{Code: "no-certificate", Severity: farm.Stop, Text: Explain(chooseErr)})
	}
	n.Target, n.Findings = choice.Certificate, append(n.Findings, choice.Findings...)
	observed, complete := observeByServer(ctx, &n)
	n.At = workflow.Now(ctx)
	if !complete {
		return n, nil
	}
	n.Current, _ = observed.Current()
	if chooseErr != nil {
		return n, nil
	}
	var comparison activities.Comparison
	err := workflow.ExecuteActivity(localOptions(ctx, "compare with what is desired"), a.Compare,
		activities.CompareInput{Farm: n.Config, Target: n.Target, Observed: observed}).Get(ctx, &comparison)
	if err == nil {
		comparison.AddTo(&n, observed)
	}
	return n, err
}

// observeByServer observes every server, adds how each answered, and reports whether
// all of them did.
func observeByServer(ctx workflow.Context, n *farm.Inspection) (farm.Observed, bool) {
	problems := map[string]string{}
	o := &observation{farm: n.Config, target: n.Target, options: quickObserveOptions}
	o.isSkipped = func(string) bool { return false }
	o.started = func(workflow.Context, string) {}
	o.finished = func(_ workflow.Context, host string, err error) {
		if err != nil {
			problems[host] = Explain(err)
		}
	}
	// Problems are reported server by server; the joined error says no more.
	observed, err := o.run(ctx, farm.Observed{})
	n.AddServers(observed, problems)
	return observed, err == nil
}

// quickObserveOptions suit an observation that should end soon or not at all.
func quickObserveOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(2), Summary: summary,
	})
}
