package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// leaveOut takes the office servers out of the farm that were left out from the start, so
// that no step and no observation ever meets them.
func (r *rotation) leaveOut(ctx workflow.Context) error {
	var hosts []string
	for _, d := range r.input.LeftOut {
		hosts = append(hosts, d.Server)
	}
	without, err := r.farm.LeaveOut(hosts)
	switch {
	case err != nil:
		return err
	case len(hosts) > 0 && r.input.Intent != farm.ReplaceCompromised:
		return fmt.Errorf("only a rotation away from a compromised certificate leaves servers out from the start")
	}
	r.farm = without
	r.decisions.skipped = append(r.decisions.skipped, without.LeftOut...)
	r.progress.CutoverMS = r.farm.CutoverEstimate().Milliseconds()
	for _, d := range r.input.LeftOut {
		r.progress.Report.Decisions = append(r.progress.Report.Decisions, farm.RecordedDecision{Decision: d, At: workflow.Now(ctx), Verified: howVerified(r.asked)})
		r.progress.tellDecision(ctx, d)
	}
	for _, host := range without.LeftOut {
		r.progress.skipStep(host, farm.StepObserve)
	}
	return nil
}

// endUnchanged ends a rotation that finds nothing to do. Of servers that are left out it
// does not know that.
func (r *rotation) endUnchanged() ending {
	if len(r.farm.LeftOut) == 0 {
		return ending{outcome: farm.NoChange}
	}
	r.verified, r.seenAtEnd = true, true
	return ending{outcome: farm.Partial}
}
