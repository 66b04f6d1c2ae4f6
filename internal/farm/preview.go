package farm

import (
	"fmt"
	"slices"
	"time"
)

// Preview is what something other than a rotation would do, found without changing
// anything: an undo, a rollback, a retirement, or a rotation that leaves a server out.
type Preview struct {
	// What names it, such as "an undo".
	What string `json:"what"`
	// Steps are what it would do, step by step, and Restarts the restarts among that, in
	// the order in which they are made.
	Steps    []Difference     `json:"steps,omitempty"`
	Restarts []PlannedRestart `json:"restarts,omitempty"`
	// EstimateMS is how long it takes from the first change that users notice to the last
	// restart, in milliseconds: a guess on the safe side; zero where they notice nothing.
	EstimateMS int64 `json:"estimateMs,omitempty"`
	// Findings are what keeps it from beginning, and what stays.
	Findings []Finding `json:"findings,omitempty"`
}

// Estimate is how long it takes: a guess on the safe side.
func (p Preview) Estimate() time.Duration { return time.Duration(p.EstimateMS) * time.Millisecond }

// NewPreview returns what removing differences would do on a farm.
func NewPreview(what string, f Farm, observed Observed, steps []Difference, leftOut ...string) Preview {
	a := NewApproval(f, steps, observed.masterOf, leftOut)
	isLeftOut := func(d Difference) bool { return slices.Contains(leftOut, d.Server) }
	return Preview{
		What: what, Steps: slices.DeleteFunc(slices.Clone(steps), isLeftOut), Restarts: a.Restarts, EstimateMS: a.EstimateMS,
	}
}

// PreviewWayBack returns what going back to a snapshot would do.
func PreviewWayBack(what string, s Snapshot, f Farm, observed Observed) Preview {
	plan := PlanRollback(s, f, observed)
	p := NewPreview(what, f, observed, plan.Reversals)
	p.Findings = append(plan.Conflicts, plan.Remaining...)
	return p
}

// Preview returns what the rotation that an inspection plans would do without some
// servers.
func (n Inspection) Preview(what string, leftOut ...string) Preview {
	p := NewPreview(what, n.Config, n.Observed, n.Plan, leftOut...)
	p.Findings = slices.Clone(n.Findings)
	return p
}

// PreviewSkip returns what a rotation would do that leaves a server out, and what stays
// on it; an error where that server cannot be left out.
func (n Inspection) PreviewSkip(host string) (Preview, error) {
	office, isOffice := n.Config.OfficeOf(host)
	frontEnd := n.Config.FrontEndOf(host)
	switch {
	case !isOffice && frontEnd == "":
		return Preview{}, fmt.Errorf("%s is not a server of %s", host, n.Farm)
	case host == frontEnd:
		return Preview{}, fmt.Errorf("%s cannot be left out: it is the front end of its SharePoint farm", host)
	case isOffice && host == n.Observed.masterOf(office):
		return Preview{}, fmt.Errorf("%s cannot be left out: it is the master of its office farm", host)
	}
	p := n.Preview("a rotation without "+host, host)
	remedy := "take it out of its farm first, or rotate again once it works"
	for _, d := range Changes(n.Plan) {
		if d.Server == host {
			p.Findings = append(p.Findings, warnFinding("left-out", host, remedy, "stays to do: %s", d.Text))
			remedy = "" // once is enough
		}
	}
	return p, nil
}

// masterOf names the master of an office farm; empty where none is observed.
func (o Observed) masterOf(office Office) string {
	master, _ := o.Master(office.Name)
	return master.Machine.Host
}

// DeletionOn is the deletion of a retired certificate from an office server.
func DeletionOn(host string, old Thumbprint) Difference {
	return Difference{Step: StepDelete, Server: host, Text: fmt.Sprintf("delete certificate %s and its key", old.Short())}
}

// OwnRootRemovalOn is the removal of the root authority of a retired self-signed
// certificate from the SharePoint farm of a front end.
func OwnRootRemovalOn(host string, old Thumbprint) Difference {
	return Difference{Step: StepRemoveRootAuthority, Server: host, Text: fmt.Sprintf("remove the root authority that trusts %s, which farmtrust added", old.Short())}
}
