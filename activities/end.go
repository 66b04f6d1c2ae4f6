package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// EndInput asks how a farm is at the end of a run that did not end as planned.
type EndInput struct {
	Farm   string           `json:"farm"`
	Target farm.Certificate `json:"target"`
	// Snapshot is what a rollback was to restore; nil for a run that went forward.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Known is what the run observed last: it stands for servers that do not answer, and
	// for those that were left out by decision.
	Known   farm.Observed `json:"known"`
	Skipped []string      `json:"skipped,omitempty"`
	// Except are the office servers that the run has left out from the start.
	Except []string `json:"except,omitempty"`
}

// EndResult is what a farm is like at the end of a run.
type EndResult struct {
	// Current is the certificate in use; empty where there is none.
	Current farm.StoreCertificate `json:"current"`
	// Differences are those that are left, of a rollback to the state before it.
	Differences []farm.Difference `json:"differences"`
	Findings    []farm.Finding    `json:"findings,omitempty"`
	// Unseen names the servers that did not answer, and why, and UnseenHosts them alone;
	// empty when all did.
	Unseen      string   `json:"unseen,omitempty"`
	UnseenHosts []string `json:"unseenHosts,omitempty"`
	// Version is the build of the worker, from [Interceptors].
	Version string `json:"version,omitempty"`
}

// endTimeout is how long the servers may take to answer at the end of a run: somebody
// who has aborted it waits for that.
const endTimeout = 2 * time.Minute

// ObserveEnd observes a farm at the end of a run and compares it once more. It changes
// nothing, and a server that does not answer does not make it fail.
func (a *Activities) ObserveEnd(ctx context.Context, in EndInput) (EndResult, error) {
	defer startHeartbeat(ctx)()
	f, err := a.loadWithout(ctx, in.Farm, in.Except)
	if err != nil {
		return EndResult{}, retrySoon(err)
	}
	isSkipped := func(host string) bool { return slices.Contains(in.Skipped, host) }
	hosts := slices.DeleteFunc(slices.Concat(f.OfficeHosts(), f.SharePointHosts()), isSkipped)
	reading, cancel := context.WithTimeoutCause(ctx, endTimeout, fmt.Errorf("no answer within %s", farm.FormatDuration(endTimeout)))
	defer cancel()
	readings, problems := a.readServers(reading, f, hosts, in.Target, everywhere(""))
	if err := interruption(ctx, len(problems) > 0); err != nil {
		return EndResult{}, err
	}
	readings.Keep(f, in.Known, func(host string) bool { return isSkipped(host) || problems[host] != "" })
	for _, host := range f.FrontEnds() {
		if problems[host] != "" {
			r := readings[host]
			r.Farm, _ = in.Known.Farm(host)
			r.Farm.Servers = nil
			readings[host] = r
		}
	}
	end := compareEnd(in, f, readings.Observed(f))
	end.Unseen = describeProblems(hosts, problems)
	end.UnseenHosts = slices.DeleteFunc(hosts, func(host string) bool { return problems[host] == "" })
	return end, nil
}

func compareEnd(in EndInput, f farm.Farm, observed farm.Observed) EndResult {
	var end EndResult
	end.Current, _ = observed.Current()
	if in.Snapshot != nil {
		plan := farm.PlanRollback(*in.Snapshot, f, observed, in.Skipped...)
		end.Differences, end.Findings = plan.Reversals, slices.Concat(plan.Conflicts, plan.Remaining)
		return end
	}
	desired := farm.Desire(f, in.Target, observed)
	end.Differences, end.Findings = farm.Compare(desired, observed), farm.Check(desired, observed)
	return end
}

// describeProblems names the servers that did not answer, and why.
func describeProblems(hosts []string, problems map[string]string) string {
	const few = 5
	text, more := "", 0
	for _, host := range hosts {
		switch problem := problems[host]; {
		case problem == "":
		case more >= few:
			more++
		default:
			more++
			text += fmt.Sprintf("%s: %s; ", host, problem)
		}
	}
	switch {
	case more == 0:
		return ""
	case more > few:
		text += fmt.Sprintf("and %d more; ", more-few)
	}
	return text + "what is listed of them is as they were last seen, without what was removed since"
}
