package workflows

import (
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// InspectTrust observes a farm and says what a rotation would do. It changes
// nothing. A server that cannot be observed is reported with its problem, and
// then nothing is compared.
func InspectTrust(ctx workflow.Context, in InspectInput) (farm.Inspection, error) {
	var f farm.Farm
	if err := workflow.ExecuteActivity(localOptions(ctx, "load configuration of "+in.Farm), a.LoadFarm, in.Farm).Get(ctx, &f); err != nil {
		return farm.Inspection{}, err
	}
	n := farm.Inspection{Farm: f.Name, Config: f}
	var choice activities.TargetChoice
	chooseErr := workflow.ExecuteActivity(localOptions(ctx, "choose certificate"), a.ChooseTarget, f.Name).Get(ctx, &choice)
	if chooseErr != nil {
		n.Findings = append(n.Findings, farm.Finding{Code: "no-certificate", Severity: farm.Stop, Text: explain(chooseErr)})
	}
	n.Target, n.Findings = choice.Certificate, append(n.Findings, choice.Findings...)
	observed, complete := observeForInspection(ctx, &n)
	n.At = workflow.Now(ctx)
	if !complete {
		return n, nil
	}
	n.Current, _ = observed.Current()
	if chooseErr != nil {
		return n, nil
	}
	err := compareForInspection(ctx, &n, observed)
	return n, err
}

// compareForInspection adds what a rotation would do to an inspection, and what was
// observed if there is something to do: a controller's history would otherwise
// grow by the state of every server with each inspection.
func compareForInspection(ctx workflow.Context, n *farm.Inspection, observed farm.Observed) error {
	var comparison activities.Comparison
	err := workflow.ExecuteActivity(localOptions(ctx, "compare with what is desired"), a.Compare,
		activities.CompareInput{Farm: n.Config, Target: n.Target, Observed: observed}).Get(ctx, &comparison)
	if err != nil {
		return err
	}
	n.Target.FriendlyName = comparison.FriendlyName
	if n.Plan = comparison.Differences; len(n.Plan) > 0 {
		n.Observed = observed
	}
	n.Findings = append(n.Findings, comparison.Findings...)
	return nil
}

// observeForInspection observes every server, adds how each answered, and
// reports whether all of them did.
func observeForInspection(ctx workflow.Context, n *farm.Inspection) (farm.Observed, bool) {
	problems := map[string]string{}
	o := &observation{farm: n.Config, target: n.Target, options: quickObserveOptions}
	o.isSkipped = func(string) bool { return false }
	o.started = func(workflow.Context, string) {}
	o.finished = func(_ workflow.Context, host string, err error) {
		if err != nil {
			problems[host] = explain(err)
		}
	}
	// Problems are reported server by server; the joined error says no more.
	observed, err := o.run(ctx, farm.Observed{})
	for _, host := range n.Config.OfficeHosts() {
		s := observed.OfficeServer(host)
		n.Servers = append(n.Servers, farm.InspectedServer{
			Host: host, Role: farm.OfficeRole, Machine: s.Machine, Detail: describeOffice(s), Problem: problems[host],
		})
	}
	for i, sp := range n.Config.SharePoint {
		for j, server := range sp.Servers {
			s := observed.SharePoint[i].Servers[j]
			n.Servers = append(n.Servers, farm.InspectedServer{
				Host: server.Host, Role: farm.SharePointRole, Machine: s.Machine,
				Detail: describeSharePoint(observed.SharePoint[i], s), Problem: problems[server.Host],
			})
		}
	}
	return observed, err == nil
}

func describeOffice(s farm.OfficeServer) string {
	switch {
	case s.Machine.Host == "" || !s.Machine.Elevated:
		return ""
	case !s.Joined:
		return "Office Online Server: " + s.WhyUnread()
	}
	parts := []string{fmt.Sprintf("Office Online Server, %s", s.Health)}
	if s.OfficeFarm != "" {
		parts = append(parts, "office farm "+s.OfficeFarm)
	}
	if farm.SameMachine(s.Settings.Master, s.Machine.Name) {
		parts = append(parts, "master")
	}
	answer := s.Discovery.Problem
	if s.Discovery.Status != 0 {
		answer = strconv.Itoa(s.Discovery.Status)
	}
	return strings.Join(append(parts, "/hosting/discovery "+answer), ", ")
}

func describeSharePoint(f farm.SharePointFarm, s farm.SharePointServer) string {
	if s.Machine.Host == f.FrontEnd && f.Version != "" {
		return "SharePoint " + f.Version + ", front end"
	}
	return "SharePoint"
}
