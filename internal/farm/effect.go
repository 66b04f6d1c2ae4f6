package farm

import (
	"fmt"
	"slices"
	"strings"
)

// reversalOf names the step of a rollback that reverses a step of a rotation.
var reversalOf = map[Step]Step{
	StepImport: StepRemoveCertificate, StepGrant: StepRevokeKey, StepRootAuthority: StepRemoveRootAuthority,
	StepS2SName: StepRestoreS2SName, StepHTTPSettings: StepRestoreHTTPSettings, StepIssuer: StepRestoreIssuers,
}

// Reversals lists what a rollback would do about the changes that a report names, and
// the restarts that this takes on the servers of its farm. What a key's permission is
// worth without its certificate is not listed.
func (r Report) Reversals(f Farm) []Difference {
	var out []Difference
	for _, s := range r.Servers {
		imported := slices.ContainsFunc(s.Steps, func(step StepReport) bool { return step.Step == StepImport && step.Changed })
		for _, step := range s.Steps {
			reversal, ok := reversalOf[step.Step]
			if step.Changed && ok && (step.Step != StepGrant || !imported) {
				out = append(out, Difference{Step: reversal, Server: s.Host})
			}
		}
	}
	return append(out, restartsOfReversals(f, out)...)
}

// restartsOfReversals lists the restarts of all servers whose settings reversals change.
func restartsOfReversals(f Farm, reversals []Difference) []Difference {
	var out []Difference
	for _, sp := range f.SharePoint {
		for _, s := range sp.Servers {
			if hasPendingOn(reversals, sp.FrontEnd.Host, StepRestoreIssuers) {
				out = append(out, Difference{Step: StepRestartAgain, Server: s.Host, Text: "restart IIS and SPTimerV4: its settings change"})
			}
		}
	}
	for _, office := range f.Offices() {
		changes := slices.ContainsFunc(selectSteps(reversals, StepRestoreS2SName, StepRestoreHTTPSettings), func(d Difference) bool {
			return slices.Contains(office.Hosts(), d.Server)
		})
		for _, host := range office.Hosts() {
			if changes {
				out = append(out, Difference{Step: StepRestartAgain, Server: host, Text: "restart WACSM and IIS: its settings change"})
			}
		}
	}
	return out
}

// DescribeReversals says in one line what a rollback does, as in "restores the issuers and
// the S2S certificate's name; restarts 7 servers: ...".
func DescribeReversals(reversals []Difference, restarts []PlannedRestart) string {
	var restored, parts []string
	for _, one := range []struct {
		step Step
		what string
	}{{StepRestoreIssuers, "the issuers"}, {StepRestoreHTTPSettings, "the HTTP settings"}, {StepRestoreS2SName, "the S2S certificate's name"}} {
		if len(selectSteps(reversals, one.step)) > 0 {
			restored = append(restored, one.what)
		}
	}
	if len(restored) > 0 {
		parts = append(parts, "restores "+joinAnd(restored))
	}
	for _, one := range []struct {
		step Step
		what string
	}{
		{StepRemoveRootAuthority, "removes the root authority from "},
		{StepRevokeKey, "takes back the access to the key on "},
		{StepRemoveCertificate, "removes the certificate from "},
	} {
		if hosts := serversOf(selectSteps(reversals, one.step)); len(hosts) > 0 {
			parts = append(parts, one.what+NameServers(hosts))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "changes nothing, because nothing was changed")
	}
	return strings.Join(append(parts, DescribeRestarts(restarts)), "; ")
}

// DescribeChanges says in one line what a rotation has changed so far on the servers of
// its farm, as in "imported on 4 servers, settings changed, 3 of 7 servers restarted".
func (r Report) DescribeChanges(f Farm) string {
	changed := func(steps ...Step) (hosts []string) {
		for _, s := range r.Servers {
			if slices.ContainsFunc(s.Steps, func(step StepReport) bool { return step.Changed && slices.Contains(steps, step.Step) }) {
				hosts = append(hosts, s.Host)
			}
		}
		return hosts
	}
	var parts []string
	if hosts := changed(StepImport); len(hosts) > 0 {
		parts = append(parts, "certificate imported on "+NameServers(hosts))
	}
	if hosts := changed(StepRootAuthority); len(hosts) > 0 {
		parts = append(parts, "root authority added on "+NameServers(hosts))
	}
	if hosts := changed(StepS2SName, StepHTTPSettings, StepIssuer); len(hosts) > 0 {
		parts = append(parts, "settings changed on "+NameServers(hosts))
	}
	if n := len(changed(StepRestart)); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d servers restarted", n, len(f.OfficeHosts())+len(f.SharePointHosts())))
	}
	if len(parts) == 0 {
		return "nothing is changed yet"
	}
	return strings.Join(parts, ", ")
}

// DescribeRestarts says in a few words which servers restart.
func DescribeRestarts(restarts []PlannedRestart) string {
	var hosts []string
	for _, r := range restarts {
		hosts = append(hosts, r.Server)
	}
	switch len(hosts) {
	case 0:
		return "no restart"
	case 1:
		return "restarts " + hosts[0]
	case 2, 3:
		return "restarts " + joinAnd(hosts)
	}
	return fmt.Sprintf("restarts %d servers: %s", len(hosts), listSome(hosts))
}

// fewServers is up to how many servers are named in a line.
const fewServers = 8

// listSome names servers, or some of them where they are many.
func listSome(hosts []string) string {
	if len(hosts) > fewServers {
		return fmt.Sprintf("%s and %d more", strings.Join(hosts[:fewServers-1], ", "), len(hosts)-fewServers+1)
	}
	return strings.Join(hosts, ", ")
}

// NameServers names servers, or says how many they are.
func NameServers(hosts []string) string {
	if len(hosts) > 3 {
		return fmt.Sprintf("%d servers", len(hosts))
	}
	return joinAnd(hosts)
}

func serversOf(differences []Difference) []string {
	var hosts []string
	for _, d := range differences {
		if !slices.Contains(hosts, d.Server) {
			hosts = append(hosts, d.Server)
		}
	}
	return hosts
}

func joinAnd(texts []string) string {
	if n := len(texts); n > 1 {
		return strings.Join(texts[:n-1], ", ") + " and " + texts[n-1]
	}
	return strings.Join(texts, "")
}
