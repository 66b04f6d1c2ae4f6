package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Every activity runs under one of these classes. Each bounds its attempts: no
// activity is retried indefinitely, and when attempts run out the step blocks.
// Activities decide which errors deserve all attempts; see
// [activities.Activities].

const (
	// localAttempts take a quarter of a minute.
	localAttempts = 5
	// interactiveAttempts take about two minutes: an operator waits for the
	// first observation.
	interactiveAttempts = 9
	// rebootAttempts take about ten minutes: long enough for a server to reboot
	// and install updates in the middle of a rotation.
	rebootAttempts = 24
)

// heartbeatTimeout is how long an activity may go without a heartbeat before its
// worker counts as dead. Heartbeats are sent every two seconds; a frontend that
// restarts and a database that fails over keep them away for tens of seconds, and a
// second attempt would then begin beside the first.
const heartbeatTimeout = time.Minute

func retryPolicy(attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second, MaximumAttempts: attempts}
}

// localOptions suit what needs no server: configuration, certificate source,
// comparison. A minute covers a slow certificate store.
func localOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: retryPolicy(localAttempts), Summary: summary,
	})
}

// admissionOptions suit a question to the farm's controller, which reads this run to
// answer it. It is asked for as long as a server that reboots is waited for.
func admissionOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithRetryPolicy(localOptions(ctx, summary), *retryPolicy(rebootAttempts))
}

// observeOptions suit an observation, which changes nothing. Loading the
// SharePoint snap-in takes tens of seconds, so five minutes are ample.
func observeOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(interactiveAttempts), Summary: summary,
	})
}

// observeOptionsFor returns the class of a rotation's observation. An operator waits
// for the first one. Those after it stand between changes, or prove them, and
// outlast what a change does: a server that reboots, SQL Server that fails over.
func observeOptionsFor(step farm.Step) func(workflow.Context, string) workflow.Context {
	if step == farm.StepObserve {
		return observeOptions
	}
	return func(ctx workflow.Context, summary string) workflow.Context {
		return workflow.WithRetryPolicy(observeOptions(ctx, summary), *retryPolicy(rebootAttempts))
	}
}

// inspectOptions suit the inspection of a whole farm: with a hundred servers that
// answer slowly it takes a while, and one that was cut off begins again. What ends it
// where no worker takes it is [inspectionEnd].
func inspectOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(localAttempts), Summary: summary,
	})
}

// changeOptions suit a step that looks before it acts, so that an attempt whose
// result was lost is found done by the next. A cancelled run waits for the step
// to stop, since it must know what was done.
func changeOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(rebootAttempts),
		WaitForCancellation: true, Summary: summary,
	})
}

// restartOptions suit a restart, the wait until the server is healthy, which is ten
// minutes at most, and the time that it must stay healthy, which is five at most.
// IIS and WACSM have been seen to need minutes. A server that does not come back is
// waited for twice.
func restartOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 20 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(rebootAttempts),
		WaitForCancellation: true, Summary: summary,
	})
}

// watchOptions suit a look at what SharePoint trusts, which is made again in minutes: one
// attempt, and more than the two minutes that a front end may take to answer.
func watchOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 3 * time.Minute, HeartbeatTimeout: heartbeatTimeout, RetryPolicy: retryPolicy(1), Summary: summary,
	})
}
