package workflows

import (
	"time"

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
	// trustChanged is when this rotation last changed the trust of each
	// SharePoint farm, by front end; settingsChanged the same for the office
	// farm. Zero while it has changed nothing.
	trustChanged    map[string]time.Time
	settingsChanged time.Time
	board           *board
}

func newRotation(ctx workflow.Context, in RotateInput) (*rotation, error) {
	r := &rotation{trustChanged: map[string]time.Time{}}
	err := workflow.ExecuteActivity(deciding(ctx, "load configuration of "+in.Farm), a.LoadFarm, in.Farm).Get(ctx, &r.farm)
	if err != nil {
		return nil, err
	}
	r.board = newBoard(ctx, r.farm, in.Reason)
	return r, r.board.serve(ctx)
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

// step runs one activity as a step on a host, and shows it on the board.
func (r *rotation) step(ctx workflow.Context, step farm.Step, host string, run func() workflow.Future) (activities.StepResult, error) {
	var result activities.StepResult
	r.board.begin(ctx, host, step)
	err := run().Get(ctx, &result)
	r.board.finish(ctx, host, step, result, err)
	return result, err
}
