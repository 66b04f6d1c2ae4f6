package console

import (
	"fmt"
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Verdict is what an inspection comes to.
type Verdict string

// The verdicts.
const (
	// InOrder: the trust is as desired; a rotation would change nothing.
	InOrder Verdict = "in order"
	// Differs: a rotation would change something.
	Differs Verdict = "differs"
	// Stopped: a precondition fails; a rotation would not start.
	Stopped Verdict = "stopped"
	// Unseen: a server could not be observed, and nothing was compared.
	Unseen Verdict = "unseen"
)

// Judge returns the verdict on an inspection.
func Judge(n farm.Inspection) Verdict {
	switch {
	case problems(n) > 0:
		return Unseen
	case len(farm.Stops(n.Findings)) > 0:
		return Stopped
	case len(n.Plan) > 0:
		return Differs
	default:
		return InOrder
	}
}

func problems(n farm.Inspection) int {
	unseen := 0
	for _, s := range n.Servers {
		if s.Problem != "" {
			unseen++
		}
	}
	return unseen
}

// Plan writes what a rotation would do on which server, and why. Now is what
// days left are counted from.
func Plan(w io.Writer, n farm.Inspection, now time.Time) error {
	var p page
	p.line("%s: %s", n.Farm, planned(n))
	p.gap()
	p.table(certificates(n, now)...)
	p.findings(n.Findings)
	p.unseen(n)
	p.differences(n.Plan)
	return p.flush(w)
}

func planned(n farm.Inspection) string {
	switch Judge(n) {
	case Unseen:
		return fmt.Sprintf("not compared, %d of %s could not be observed", problems(n), count(len(n.Servers), "server"))
	case Stopped:
		return "a rotation would not start, " + count(len(farm.Stops(n.Findings)), "precondition") + " to mend first"
	case Differs:
		return fmt.Sprintf("a rotation would make %s on %s", count(len(n.Plan), "change"), count(servers(n.Plan), "server"))
	default:
		return "nothing to do, configured as desired, key usable on every server"
	}
}

func servers(plan []farm.Difference) int {
	hosts := map[string]bool{}
	for _, d := range plan {
		hosts[d.Server] = true
	}
	return len(hosts)
}

func certificates(n farm.Inspection, now time.Time) [][]string {
	var rows [][]string
	switch c := n.Current; {
	case c.Thumbprint != "" && c.Thumbprint == n.Target.Thumbprint:
		return append(rows, []string{daysLeft(c.NotAfter, now), "now and wanted", certificate(c.Thumbprint, c.FriendlyName, c.NotAfter)})
	case c.Thumbprint != "":
		rows = append(rows, []string{daysLeft(c.NotAfter, now), "now", certificate(c.Thumbprint, c.FriendlyName, c.NotAfter)})
	case Judge(n) != Unseen:
		rows = append(rows, []string{"-", "now", "no S2S certificate: this is a first set-up"})
	}
	if t := n.Target; t.Thumbprint != "" {
		rows = append(rows, []string{daysLeft(t.NotAfter, now), "wanted", certificate(t.Thumbprint, t.FriendlyName, t.NotAfter)})
	}
	return rows
}

// unseen lists the servers that could not be observed.
func (p *page) unseen(n farm.Inspection) {
	var rows [][]string
	for _, s := range n.Servers {
		if s.Problem != "" {
			rows = append(rows, []string{s.Host, s.Problem})
		}
	}
	if len(rows) > 0 {
		p.gap()
		p.line("could not be observed")
		p.table(rows...)
	}
}
