package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// watchWithdrawals takes back requests that are given up at any time, also while the farm
// is inspected: the operator who has given one up waits for that.
func (c *farmController) watchWithdrawals(ctx workflow.Context) {
	workflow.GoNamed(ctx, "withdrawals", func(ctx workflow.Context) {
		isDue := func() bool { return c.withdrawals.Len() > 0 && c.launching != RotateID(c.Farm) }
		for workflow.Await(ctx, isDue) == nil {
			c.receiveWithdrawals()
			c.updated = true
		}
	})
}

// receiveWithdrawals takes back requests that were given up. What is just being begun is
// not: the operator who asked learns that it runs.
func (c *farmController) receiveWithdrawals() {
	for c.launching != RotateID(c.Farm) {
		var w controller.Withdrawal
		if !c.withdrawals.ReceiveAsync(&w) {
			return
		}
		c.WithdrawRequest(w)
	}
}

// dropExpired drops a request that has waited too long; the operator who asked is told.
func (c *farmController) dropExpired(ctx workflow.Context) {
	if why := c.DropExpired(workflow.Now(ctx)); why != nil {
		c.log(ctx, eventRequest).Info("a request has expired: " + why.Error())
	}
}

// readPolicy reads the farm's policy from a worker's configuration, since one has just
// started: what it says counts at once, and for what has begun as well. It is read, and
// not taken from the signal, which anybody can send.
func (c *farmController) readPolicy(ctx workflow.Context) {
	c.policyDue = false
	var f farm.Farm
	err := executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(readOptions(ctx, "read the configuration of "+c.Farm), a.LoadFarm, c.Farm)
	}, &f)
	if err != nil {
		workflow.GetLogger(ctx).Warn("the configuration is not read; the next inspection reads it", "farm", c.Farm, "error", err)
		return
	}
	c.ApplyPolicy(controller.PolicyOf(f.Rotation))
	c.tellRun(ctx)
}

// readConfiguration reads what a worker has in its configuration of the farm. The signal
// is only the reason: anybody can send one. A farm that no worker has is unmanaged only
// where both say so, for one of several workers may have an older configuration.
func (c *farmController) readConfiguration(ctx workflow.Context) {
	c.policyDue = false
	var read activities.FarmConfiguration
	err := executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(localOptions(ctx, "read the configuration of "+c.Farm), a.ReadConfiguration, c.Farm)
	}, &read)
	switch {
	case err == nil:
		c.ApplyConfiguration(workflow.Now(ctx), controller.Configuration{Configured: read.Configured})
		c.ApplyPolicy(read.Policy)
		c.tellRun(ctx)
	case isUnknownFarm(err) && c.saidUnmanaged:
		c.ApplyConfiguration(workflow.Now(ctx), controller.Configuration{Unmanaged: fmt.Sprintf(
			"no longer configured: %s: add it there again and restart the worker, or run: farmtrust forget %s --reason WHY", Explain(err), c.Farm)})
	default:
		workflow.GetLogger(ctx).Warn("the configuration is not read; the next inspection reads it", "farm", c.Farm, "error", err)
	}
}

// tellRun tells what runs that the configuration may have changed. A run that does not
// hear it goes on with the one that it has.
func (c *farmController) tellRun(ctx workflow.Context) {
	if c.Active == nil {
		return
	}
	sent := workflow.SignalExternalWorkflow(ctx, c.Active.WorkflowID, c.Active.RunID, ConfigurationSignal, nil)
	workflow.GoNamed(ctx, "configuration", func(ctx workflow.Context) {
		if err := sent.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("the run is not told of its configuration", "farm", c.Farm, "error", err)
		}
	})
}
