package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Every activity runs under one of these classes. Each bounds its attempts: no
// activity retries for ever, and what runs out of them parks. Whether a cause is
// worth all of them is the activities' to say; see [activities.Activities].

// few attempts take about two minutes, for a person waits for a first look.
// many take about ten: so long a server may be away that restarts in the middle
// of a rotation, for its updates perhaps.
const (
	few  = 9
	many = 24
)

// silence is how long an activity may go without a heartbeat before its worker
// counts as dead. Heartbeats come every two seconds.
const silence = 30 * time.Second

func patience(attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: attempts}
}

// deciding suits what needs no server: configuration, certificate source,
// comparison. A minute covers a slow certificate store.
func deciding(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: patience(5), Summary: summary,
	})
}

// observing suits a look at a server, which changes nothing. Loading the
// SharePoint snap-in takes tens of seconds, so five minutes are ample.
func observing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: silence, RetryPolicy: patience(few), Summary: summary,
	})
}

// glancing suits a look that should answer soon or not at all: an inspection
// tells people what is wrong now rather than waiting for it to pass.
func glancing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute, HeartbeatTimeout: silence, RetryPolicy: patience(2), Summary: summary,
	})
}

// changing suits a step that looks before it acts, so that an attempt whose
// answer was lost is found done by the next. A cancelled rotation waits for
// the step to stop, since it must know what was done.
func changing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute, HeartbeatTimeout: silence, RetryPolicy: patience(many),
		WaitForCancellation: true, Summary: summary,
	})
}

// restarting suits a restart and the wait until the server answers as before.
// IIS and WACSM have been seen to need minutes. A server that does not come
// back is waited for twice.
func restarting(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 15 * time.Minute, HeartbeatTimeout: silence, RetryPolicy: patience(many),
		WaitForCancellation: true, Summary: summary,
	})
}
