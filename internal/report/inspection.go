package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Assessment is what an inspection comes to.
type Assessment string

// What an inspection may come to.
const (
	// InOrder: the trust is as desired; a rotation would change nothing.
	InOrder Assessment = "in order"
	// Differs: a rotation would change something.
	Differs Assessment = "differs"
	// Stopped: a precondition fails; a rotation would not start.
	Stopped Assessment = "stopped"
	// Unobserved: a server could not be observed, so nothing was compared.
	Unobserved Assessment = "unobserved"
)

// AssessInspection returns what an inspection comes to.
func AssessInspection(n farm.Inspection) Assessment {
	switch {
	case n.Unobserved() != "":
		return Unobserved
	case len(farm.Stops(n.Findings)) > 0:
		return Stopped
	case len(n.Plan) > 0:
		return Differs
	default:
		return InOrder
	}
}

// Plan is the page of what a rotation would do on which server, and why.
func Plan(n farm.Inspection) Page {
	page := Page{Title: n.Farm, State: planState(n)}
	page.add(certificateFacts(n))
	page.add(findingsBlock(n.Findings))
	page.add(acceptBlock(n.Farm, n.Findings, false))
	page.add(problemsBlock(n.Servers))
	p := n.Preview("a rotation")
	page.add(Block{Title: "what a rotation would do", Table: differenceTable(withoutRestarts(n.Plan))})
	page.Blocks = append(page.Blocks, impactBlocks(p.Steps, p.Restarts, p.EstimateMS)...)
	page.add(issuerBlock(n.Plan))
	return page
}

func planState(n farm.Inspection) string {
	switch AssessInspection(n) {
	case Unobserved:
		return fmt.Sprintf("not compared, %d of %s could not be observed", countProblems(n), countThings(len(n.Servers), "server"))
	case Stopped:
		return "a rotation would not start, " + countThings(len(farm.Stops(n.Findings)), "precondition") + " to meet first"
	case Differs:
		return "a rotation " + SummarizePreview(n.Preview("a rotation"))
	default:
		return "nothing to do, configured as desired, key usable on every server"
	}
}

// Check is the page of how each server answered: whether it could be reached
// and signed in to, the rights there, and the versions. Troubles are what an operator has
// to do something about besides.
func Check(n farm.Inspection, troubles []string) Page {
	page := Page{Title: n.Farm, State: checkState(n), NeedsOperator: len(troubles) > 0}
	page.add(certificateFacts(n))
	var b Block
	for _, trouble := range troubles {
		b.addAlert("trouble", trouble)
	}
	page.add(b)
	page.add(Block{Title: "servers", Table: serverTable(n.Servers)})
	page.add(problemsBlock(n.Servers))
	page.add(findingsBlock(n.Findings))
	return page
}

// ListDoubts lists why data refreshes fail, or may fail, now; before the first set-up
// nothing else is expected.
func ListDoubts(n farm.Inspection) []string {
	if n.RefreshDoubt == "" || n.Current.Thumbprint == "" {
		return nil
	}
	return []string{"data refresh fails, or may fail: " + n.RefreshDoubt}
}

func checkState(n farm.Inspection) string {
	text := fmt.Sprintf("%d of %s answered", len(n.Servers)-countProblems(n), countThings(len(n.Servers), "server"))
	if stops := len(farm.Stops(n.Findings)); stops > 0 {
		text += ", " + countThings(stops, "precondition") + " to meet"
	}
	return text
}

func countProblems(n farm.Inspection) int {
	count := 0
	for _, s := range n.Servers {
		if s.Problem != "" {
			count++
		}
	}
	return count
}

// certificateFacts are the certificate in use and the one a rotation would
// bring.
func certificateFacts(n farm.Inspection) Block {
	var b Block
	current, target := n.Current, n.Target
	switch {
	case current.Thumbprint != "":
		b.addCertificate("in use", current.Thumbprint, current.FriendlyName, current.NotAfter, n.At)
	case AssessInspection(n) != Unobserved:
		b.addFact("in use", "no S2S certificate: this is a first set-up")
	}
	switch target.Thumbprint {
	case "":
	case current.Thumbprint:
		b.addFact("wanted", "the one in use")
	default:
		b.addCertificate("wanted", target.Thumbprint, target.FriendlyName, target.NotAfter, n.At)
	}
	return b
}

func serverTable(servers []farm.InspectedServer) Table {
	t := Table{Header: []string{"server", "signed in", "rights", "windows", "powershell", "clock", "product"}, Groups: []Group{{}}}
	for _, s := range servers {
		t.Groups[0].Rows = append(t.Groups[0].Rows, serverRow(s))
	}
	return t
}

func serverRow(s farm.InspectedServer) []Cell {
	if s.Problem != "" {
		row := makeRow(s.Host, "NO, see below", "-", "-", "-", "-", "-")
		row[1].Alert = true
		return row
	}
	m := s.Machine
	row := makeRow(s.Host, "yes", "administrator", windowsName(m), orDash(m.PowerShell), formatSkew(m.Skew), orDash(s.Detail))
	if !m.Elevated {
		row[2] = Cell{Text: "NOT ELEVATED", Alert: true}
	}
	return row
}

// windowsName names the version of Windows Server, and the policy that takes
// algorithms away.
func windowsName(m farm.Machine) string {
	if m.FIPS {
		return windowsVersion(m.WindowsBuild) + ", FIPS policy"
	}
	return windowsVersion(m.WindowsBuild)
}

// windowsVersion names a build of Windows Server; see [farm.Machine].
func windowsVersion(build int) string {
	switch build {
	case 14393:
		return "2016"
	case 17763:
		return "2019"
	case 20348:
		return "2022"
	case 0:
		return "-"
	default:
		return fmt.Sprintf("build %d", build)
	}
}

// formatSkew is how far a server's clock is from the worker's.
func formatSkew(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d > 0:
		return fmt.Sprintf("+%s", d)
	case d < 0:
		return d.String()
	default:
		return "right"
	}
}

// problemsBlock lists the servers that could not be observed.
func problemsBlock(servers []farm.InspectedServer) Block {
	var g Group
	for _, s := range servers {
		if s.Problem != "" {
			g.Rows = append(g.Rows, []Cell{{Text: s.Host, Alert: true}, {Text: farm.TrimHost(s.Problem, s.Host)}})
		}
	}
	return Block{Title: "could not be observed", Table: Table{Header: []string{"server", "problem"}, Groups: []Group{g}}}
}

// findingsBlock lists what was found besides differences, what stops first.
func findingsBlock(findings []farm.Finding) Block {
	var g Group
	for _, severity := range []farm.Severity{farm.Stop, farm.Warn} {
		for _, f := range findings {
			if f.Severity == severity {
				row := makeRow(string(severity), f.Server, findingText(f))
				if row[0].Alert = severity == farm.Stop; f.Accepted != nil {
					row[0].Text = "accepted"
				}
				g.Rows = append(g.Rows, row)
			}
		}
	}
	return Block{Title: "findings", Table: Table{Header: []string{"severity", "server", "finding"}, Groups: []Group{g}}}
}

// differenceTable lists step by step what runs on which server and why.
func differenceTable(differences []farm.Difference) Table {
	t := Table{Header: []string{"server", "what and why"}}
	for _, step := range farm.AllSteps() {
		g := Group{Title: string(step)}
		for _, d := range differences {
			if d.Step == step {
				g.Rows = append(g.Rows, makeRow(d.Server, d.Text))
			}
		}
		if len(g.Rows) > 0 {
			t.Groups = append(t.Groups, g)
		}
	}
	return t
}

// issuerBlock says which registered names stand behind the two products, where
// a plan changes issuers.
func issuerBlock(plan []farm.Difference) Block {
	if !slices.ContainsFunc(plan, func(d farm.Difference) bool { return d.Step == farm.StepIssuer }) {
		return Block{}
	}
	b := Block{Title: "issuers"}
	for _, i := range farm.Issuers() {
		b.addFact(i.Product, i.RegisteredName)
	}
	return b
}

// addCertificate adds two facts: a certificate, and when it expires, with the
// days left from now.
func (b *Block) addCertificate(name string, t farm.Thumbprint, friendlyName string, notAfter, now time.Time) {
	b.addFact(name, formatCertificate(t, friendlyName))
	if !notAfter.IsZero() {
		b.addFact("expires", farm.FormatTime(notAfter)+", "+formatDaysLeft(notAfter, now))
	}
}
