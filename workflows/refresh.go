package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
)

// changesWhatUsersNotice reports whether the way back would.
func (r *rotation) changesWhatUsersNotice() bool { return r.hasCutOver() }

// lookAtRefresh returns in words how data refreshes do now, for those who decide.
func (r *rotation) lookAtRefresh(ctx workflow.Context) string {
	in := activities.LookAtRefreshInput{Farm: r.farm.Name, Target: r.target, Except: r.farm.LeftOut}
	if r.snapshot != nil {
		in.Previous = r.snapshot.Previous.Thumbprint
	}
	var doubt string
	err := workflow.ExecuteActivity(workflow.WithRetryPolicy(observeOptions(ctx, "look whether data refreshes work"), *retryPolicy(localAttempts)), a.LookAtRefresh, in).Get(ctx, &doubt)
	switch {
	case err != nil:
		return "whether data refreshes work now is not known: " + Explain(err)
	case doubt != "":
		return "data refreshes fail now, or may fail: " + doubt
	}
	return "data refreshes work now"
}
