package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
)

// deliverNotices tells operators what they need to know, one notice after the other, as
// long as the controller runs and beside all that it does. What is not delivered when it
// continues as new, the next run delivers, under the same ID.
func (c *farmController) deliverNotices(ctx workflow.Context) {
	if !c.notifies {
		return
	}
	workflow.GoNamed(ctx, "notices", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return len(c.Notices.Waiting) > 0 }) == nil {
			notice := c.Notices.Waiting[0]
			err := workflow.ExecuteActivity(noticeOptions(ctx, "tell operators: "+string(notice.Kind)), a.Notify, activities.NotifyInput{Farm: c.Farm, Notice: notice}).Get(ctx, nil)
			if ctx.Err() != nil {
				return
			}
			problem := ""
			if err != nil {
				problem = Explain(err)
				c.log(ctx, eventFarm).Warn("operators are not told: "+problem, "notice", notice.ID, "kind", string(notice.Kind))
			}
			c.EndNotice(notice.ID, problem)
		}
	})
}

// noticeAttempts take a day: receivers are away for a night, and what nobody could be told
// for longer is in the next notice and on the page.
const noticeAttempts = 150

// noticeOptions suit a message to a receiver, which has a quarter of a minute to answer.
func noticeOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, ScheduleToCloseTimeout: day, Summary: summary,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 5 * time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute, MaximumAttempts: noticeAttempts},
	})
}
