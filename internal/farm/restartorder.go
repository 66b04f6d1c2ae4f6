package farm

import (
	"cmp"
	"slices"
	"strings"
)

// PlanRestarts lists the restarts among differences, in the order in which a rotation or
// a rollback makes them, without servers that are left out: the servers of each
// SharePoint farm one after the other, farms in parallel; then a canary, the other
// office servers in batches, and the master of each office farm last.
func PlanRestarts(f Farm, differences []Difference, masterOf func(Office) string, leftOut []string) []PlannedRestart {
	p := restartPlanner{farm: f, pending: map[string]Difference{}}
	for _, d := range selectSteps(differences, StepRestart, StepRestartAgain) {
		if !slices.Contains(leftOut, d.Server) {
			p.pending[d.Server] = d
		}
	}
	p.planSharePoint()
	for _, office := range f.Offices() {
		hosts := slices.DeleteFunc(office.Hosts(), func(host string) bool { return slices.Contains(leftOut, host) })
		p.planOffice(MasterLast(hosts, masterOf(office)), masterOf(office))
	}
	slices.SortStableFunc(p.planned, func(a, b PlannedRestart) int { return cmp.Compare(a.Order, b.Order) })
	return p.planned
}

type restartPlanner struct {
	farm    Farm
	pending map[string]Difference
	planned []PlannedRestart
	// order is the place of the last restart, and canary reports whether the canary is
	// among those before it.
	order  int
	canary bool
}

func (p *restartPlanner) planSharePoint() {
	for _, sp := range p.farm.SharePoint {
		place := 0
		for _, s := range sp.Servers {
			if p.add(PlannedRestart{Server: s.Host, Order: place + 1, Services: "IIS and SPTimerV4"}) {
				place++
			}
		}
		p.order = max(p.order, place)
	}
}

func (p *restartPlanner) planOffice(hosts []string, master string) {
	for len(hosts) > 0 {
		batch := hosts[:p.farm.Rotation.RestartBatch(p.canary, len(hosts))]
		hosts = hosts[len(batch):]
		isCanary, any := !p.canary, false
		for _, host := range batch {
			r := PlannedRestart{Server: host, Order: p.order + 1, Services: "WACSM and IIS", Canary: isCanary, Master: host == master}
			any = p.add(r) || any
		}
		if any {
			p.order, p.canary = p.order+1, true
		}
	}
}

// add adds the restart of a server, if it is to be restarted.
func (p *restartPlanner) add(r PlannedRestart) bool {
	d, ok := p.pending[r.Server]
	if !ok {
		return false
	}
	_, why, _ := strings.Cut(d.Text, ": ")
	r.Why, r.EstimateMS = why, (restartTime + p.farm.Rotation.HealthyFor).Milliseconds()
	p.planned = append(p.planned, r)
	return true
}

// RestartBatch returns how many office servers of one office farm are restarted at the
// same time, of those that remain and of which the master is the last: one until the
// canary has passed, and the master alone.
func (p RotationPolicy) RestartBatch(canaryPassed bool, remaining int) int {
	if !canaryPassed {
		return 1
	}
	return max(min(p.RestartAtOnce, remaining-1), 1)
}

// MasterLast returns the servers of an office farm in the order of their restarts: the
// master is the last, because while its service is down nothing can be set.
func MasterLast(hosts []string, master string) []string {
	hosts = slices.Clone(hosts)
	if i := slices.Index(hosts, master); i >= 0 {
		hosts = append(slices.Delete(hosts, i, i+1), master)
	}
	return hosts
}
