package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// a names activities by function, so that calls are type-checked; it is never
// called.
var a *activities.Activities

// rotation is the state of one rotation.
type rotation struct {
	farm   farm.Farm
	target farm.Certificate
	// baseline is what was observed before the first change, observed the
	// last look.
	baseline, observed farm.Observed
	input              RotateInput
	// planned are the differences found at first, and journal the state then;
	// nil until it is opened. An undo is given it.
	planned []farm.Difference
	snapshot *farm.Snapshot
	// opening is the window's that the switch is to begin in; zero without one.
	opening farm.Opening
	// nameKept says that Office Online Server refused to have no S2S name.
	nameKept bool
	// trustChanged is when this rotation last changed the trust of each
	// SharePoint farm, by front end; settingsChanged the same for the office
	// farm. Zero while it has changed nothing.
	trustChanged    map[string]time.Time
	settingsChanged time.Time
	// restart is the name of the restarting step, forth or back.
	restart farm.Step
	progress   *progress
	decisions    *decisions
}

func newRotation(ctx workflow.Context, in RotateInput) (*rotation, error) {
	r := &rotation{input: in, trustChanged: map[string]time.Time{}, restart: farm.StepRestart, decisions: &decisions{}}
	err := workflow.ExecuteActivity(deciding(ctx, "load configuration of "+in.Farm), a.LoadFarm, in.Farm).Get(ctx, &r.farm)
	if err != nil {
		return nil, err
	}
	if in.Intent == farm.Rollback {
		if r.snapshot = in.Snapshot; r.snapshot == nil {
			return nil, temporal.NewNonRetryableApplicationError("undo: there is no journal of a rotation to undo", RefusedError, nil)
		}
	}
	if in.Intent == farm.ReplaceCompromised {
		r.decisions.noWayBack = "the old certificate is compromised, and never restored"
	}
	r.progress = newBoard(ctx, r.farm, in)
	if err := r.progress.serve(ctx); err != nil {
		return nil, err
	}
	return r, r.listen(ctx)
}

func (r *rotation) on(host string) activities.ServerInput {
	return activities.ServerInput{Farm: r.farm.Name, Host: host, Target: r.target}
}

// officeHosts lists the office servers in configured order.
func officeHosts(f farm.Farm) []string {
	var hosts []string
	for _, s := range f.Office.Servers {
		hosts = append(hosts, s.Host)
	}
	return hosts
}

// frontEnds lists the front ends of the SharePoint farms.
func frontEnds(f farm.Farm) []string {
	var hosts []string
	for _, sp := range f.SharePoint {
		hosts = append(hosts, sp.FrontEnd.Host)
	}
	return hosts
}

// sharePointHosts lists all SharePoint servers, farm by farm.
func sharePointHosts(f farm.Farm) []string {
	var hosts []string
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			hosts = append(hosts, s.Host)
		}
	}
	return hosts
}

// step runs one activity as a step on a host, and shows it on the board. When
// its retries run out it parks: retry runs it again, skip leaves the server
// out, anything else ends the rotation.
func (r *rotation) step(ctx workflow.Context, step farm.Step, host string, run func() workflow.Future) (activities.StepResult, error) {
	for {
		if err := r.decisions.ended(); err != nil {
			return activities.StepResult{}, err
		}
		var result activities.StepResult
		r.progress.begin(ctx, host, step)
		cause := run().Get(ctx, &result)
		r.progress.finish(ctx, host, step, result, cause)
		if cause == nil || endsRotation(cause) {
			return result, cause
		}
		choice, err := r.park(ctx, host, step, cause)
		switch {
		case err != nil:
			return result, err
		case choice == farm.Skip:
			r.progress.skip(host, step)
			return result, nil
		case choice != farm.Retry:
			return result, errDecided
		}
	}
}

// eachOffice runs a step on every office server that takes part.
func (r *rotation) eachOffice(ctx workflow.Context, step farm.Step, run func(ctx workflow.Context, host string) workflow.Future) error {
	return each(ctx, r.officeHosts(), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		_, err := r.step(ctx, step, host, func() workflow.Future { return run(ctx, host) })
		return err
	})
}

// officeHosts lists the office servers that take part: all that nobody left
// out by decision.
func (r *rotation) officeHosts() []string {
	return slices.DeleteFunc(officeHosts(r.farm), func(host string) bool { return slices.Contains(r.decisions.skipped, host) })
}

// notSkipped leaves out the differences of servers that were left out.
func (r *rotation) notSkipped(differences []farm.Difference) []farm.Difference {
	return slices.DeleteFunc(slices.Clone(differences), func(d farm.Difference) bool { return slices.Contains(r.decisions.skipped, d.Server) })
}
