package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// InspectTrust looks at a farm and says what a rotation would do. It changes
// nothing. A server that cannot be observed is reported with its problem, and
// then nothing is compared.
func InspectTrust(ctx workflow.Context, in InspectInput) (Inspection, error) {
	var f farm.Farm
	if err := workflow.ExecuteActivity(deciding(ctx, "load configuration of "+in.Farm), a.LoadFarm, in.Farm).Get(ctx, &f); err != nil {
		return Inspection{}, err
	}
	inspection := Inspection{Farm: f.Name, Config: f}
	var chosen activities.TargetChoice
	err := workflow.ExecuteActivity(deciding(ctx, "choose certificate"), a.ChooseTarget, f.Name).Get(ctx, &chosen)
	if err != nil {
		inspection.Findings = append(inspection.Findings, farm.Finding{Code: "no-certificate", Severity: farm.Stop, Text: explain(err)})
	}
	inspection.Target, inspection.Findings = chosen.Certificate, append(inspection.Findings, chosen.Findings...)
	observed, complete := inspection.look(ctx, f)
	if complete {
		inspection.Current, _ = observed.Current()
	}
	if !complete || err != nil {
		return inspection, nil
	}
	var comparison activities.Comparison
	err = workflow.ExecuteActivity(deciding(ctx, "compare with what is desired"), a.Compare,
		activities.CompareInput{Farm: f, Target: inspection.Target, Observed: observed}).Get(ctx, &comparison)
	if err != nil {
		return Inspection{}, err
	}
	inspection.Target.FriendlyName = comparison.FriendlyName
	inspection.Plan = comparison.Differences
	inspection.Findings = append(inspection.Findings, comparison.Findings...)
	return inspection, nil
}

// unseen says why the farm could not be compared; empty when it was.
func (n Inspection) unseen(err error) string {
	if err != nil {
		return explain(err)
	}
	for _, s := range n.Servers {
		if s.Problem != "" {
			return s.Problem
		}
	}
	return ""
}

// look observes every server, and says whether all of them answered.
func (n *Inspection) look(ctx workflow.Context, f farm.Farm) (farm.Observed, bool) {
	look := newLook(f, n.Target, glancing)
	problems := map[string]string{}
	look.begin = func(workflow.Context, string) {}
	look.finish = func(_ workflow.Context, host string, err error) {
		if err != nil {
			problems[host] = explain(err)
		}
	}
	// Problems are told server by server; the joined error says no more.
	complete := look.all(ctx) == nil
	for _, s := range look.observed.Office {
		n.Servers = append(n.Servers, InspectedServer{Role: farm.OfficeRole, Machine: s.Machine, Detail: describeOffice(s)})
	}
	for _, sp := range look.observed.SharePoint {
		for _, s := range sp.Servers {
			n.Servers = append(n.Servers, InspectedServer{Role: farm.SharePointRole, Machine: s.Machine, Detail: describeSharePoint(sp, s)})
		}
	}
	for i, host := range append(officeHosts(f), sharePointHosts(f)...) {
		n.Servers[i].Host, n.Servers[i].Problem = host, problems[host]
	}
	return look.observed, complete
}

func describeOffice(s farm.OfficeServer) string {
	if !s.Joined {
		return ""
	}
	parts := []string{fmt.Sprintf("Office Online Server, %s", s.Health)}
	if farm.SameMachine(s.Settings.Master, s.Machine.Name) {
		parts = append(parts, "master")
	}
	return strings.Join(append(parts, fmt.Sprintf("/hosting/discovery %d", s.Discovery.Status)), ", ")
}

func describeSharePoint(f farm.SharePointFarm, s farm.SharePointServer) string {
	if s.Machine.Host == f.FrontEnd && f.Version != "" {
		return "SharePoint " + f.Version + ", front end"
	}
	return "SharePoint"
}
