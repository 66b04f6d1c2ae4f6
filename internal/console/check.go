package console

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Check writes how each server answered: whether it could be reached and
// signed in to, the rights there, and the versions.
func Check(w io.Writer, n farm.Inspection, now time.Time) error {
	var p page
	p.line("%s: %s", n.Farm, checked(n))
	p.gap()
	p.table(certificates(n, now)...)
	p.gap()
	p.table(append([][]string{{"SERVER", "SIGNED IN", "RIGHTS", "WINDOWS", "POWERSHELL", "CLOCK", "PRODUCT"}}, answers(n)...)...)
	p.unseen(n)
	p.findings(n.Findings)
	return p.flush(w)
}

func checked(n farm.Inspection) string {
	text := fmt.Sprintf("%d of %s answered", len(n.Servers)-problems(n), count(len(n.Servers), "server"))
	if stops := len(farm.Stops(n.Findings)); stops > 0 {
		text += ", " + count(stops, "precondition") + " to mend"
	}
	return text
}

func answers(n farm.Inspection) [][]string {
	var rows [][]string
	for _, s := range n.Servers {
		if s.Problem != "" {
			rows = append(rows, []string{s.Host, "see below", "-", "-", "-", "-", "-"})
			continue
		}
		m := s.Machine
		rows = append(rows, []string{
			s.Host, "yes", rights(m), windowsName(m), known(m.PowerShell), skew(m.Skew), known(s.Detail),
		})
	}
	return rows
}

func rights(m farm.Machine) string {
	if m.Elevated {
		return "administrator"
	}
	return "NOT ELEVATED"
}

// windowsName names the version, and the policy that takes algorithms away.
func windowsName(m farm.Machine) string {
	if m.FIPS {
		return windowsServer(m.WindowsBuild) + ", FIPS policy"
	}
	return windowsServer(m.WindowsBuild)
}

// windowsServer names a build of Windows Server as [farm.Machine] explains.
func windowsServer(build int) string {
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

// skew says how far a server's clock is from the worker's.
func skew(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d > 0:
		return fmt.Sprintf("+%s", d)
	case d < 0:
		return d.String()
	default:
		return "right"
	}
}

func known(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
