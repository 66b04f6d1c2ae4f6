package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// fewServers is up to how many servers each step of each server is listed;
// above it, counts and the servers that are not finished.
const fewServers = 12

// Report writes what a rotation did and found.
func Report(w io.Writer, r farm.Report) error {
	var p page
	p.line("%s: %s", r.Farm, r.Outcome)
	p.body(r, Ended(r))
	return p.flush(w)
}

// Ended is when the rotation of a report ended.
func Ended(r farm.Report) time.Time { return r.StartedAt.Add(milliseconds(r.DurationMS)) }

// Status writes how far a rotation is. Now is what its age and the days left
// are counted from.
func Status(w io.Writer, s farm.Status, now time.Time) error {
	if s.Report.Outcome != "" {
		return Report(w, s.Report)
	}
	var p page
	p.line("%s: %s, for %s now", s.Report.Farm, s.Phase, seconds(now.Sub(s.Report.StartedAt)))
	p.wait(s)
	p.body(s.Report, now)
	return p.flush(w)
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func (p *page) body(r farm.Report, now time.Time) {
	if r.Statement != "" {
		p.table([]string{r.Statement})
	}
	p.gap()
	p.table(particulars(r, now)...)
	p.decisions(r.Decisions)
	p.findings(r.Findings)
	if len(r.Servers) <= fewServers {
		p.servers(r.Servers)
	} else {
		p.counts(r.Servers)
	}
	if remains(r.Outcome) {
		p.remaining(r.Differences)
	}
}

// remains says whether a rotation that ended so may have left differences.
func remains(o farm.Outcome) bool {
	return o == farm.Incomplete || o == farm.Refused || o == farm.Partial
}

// decisions lists who decided what, and why.
func (p *page) decisions(all []farm.RecordedDecision) {
	if len(all) == 0 {
		return
	}
	p.gap()
	p.line("decisions")
	var rows [][]string
	for _, d := range all {
		rows = append(rows, []string{minute(d.At), decided(d.Decision), d.By + ": " + d.Reason})
	}
	p.table(rows...)
}

// decided says a decision in a few words.
func decided(d farm.Decision) string {
	text := strings.TrimRight(fmt.Sprintf("%s %s%s", d.Choice, d.Digest, d.Server), " ")
	if d.Force {
		text += ", insisting"
	}
	return text
}

func particulars(r farm.Report, now time.Time) [][]string {
	var rows [][]string
	if r.Target != "" {
		rows = append(rows, []string{daysLeft(r.NotAfter, now), certificate(r.Target, r.FriendlyName, r.NotAfter)})
	}
	if r.Previous != "" && r.Previous != r.Target {
		rows = append(rows, []string{"instead of", string(r.Previous)})
	}
	if r.Reason != "" {
		rows = append(rows, []string{"reason", r.Reason})
	}
	started := r.StartedAt.UTC().Format("2006-01-02 15:04:05 UTC")
	if r.Outcome == "" {
		return append(rows, []string{"started", started})
	}
	return append(rows, []string{"took", seconds(milliseconds(r.DurationMS)) + ", started " + started})
}

// servers lists each step that each server has reached.
func (p *page) servers(all []farm.ServerReport) {
	for _, s := range all {
		if len(s.Steps) == 0 {
			continue
		}
		p.gap()
		p.line("%s (%s)", s.Host, s.Role)
		rows := make([][]string, 0, len(s.Steps))
		for _, step := range s.Steps {
			rows = append(rows, []string{string(step.Step), string(step.State), seconds(milliseconds(step.DurationMS)), step.Detail})
		}
		p.table(rows...)
	}
}

// counts lists on how many servers each step is in which state, then the
// servers where something failed or still runs.
func (p *page) counts(all []farm.ServerReport) {
	states := map[farm.Step]map[farm.State]int{}
	var open []farm.ServerReport
	for _, server := range all {
		rest := farm.ServerReport{Host: server.Host, Role: server.Role}
		for _, step := range server.Steps {
			if states[step.Step] == nil {
				states[step.Step] = map[farm.State]int{}
			}
			states[step.Step][step.State]++
			if step.State == farm.StateFailed || step.State == farm.StateRunning {
				rest.Steps = append(rest.Steps, step)
			}
		}
		if len(rest.Steps) > 0 {
			open = append(open, rest)
		}
	}
	p.gap()
	p.line("%s (-o json lists every step of each)", count(len(all), "server"))
	rows := [][]string{{"STEP", "CHANGED", "ALREADY", "SEEN", "SKIPPED", "RUNNING", "FAILED"}}
	for _, step := range steps() {
		if n := states[step]; n != nil {
			row := []string{string(step)}
			for _, state := range []farm.State{farm.StateChanged, farm.StateUnchanged, farm.StateObserved, farm.StateSkipped, farm.StateRunning, farm.StateFailed} {
				row = append(row, fmt.Sprint(n[state]))
			}
			rows = append(rows, row)
		}
	}
	p.table(rows...)
	p.servers(open)
}

// steps are all there are, in order: those of a rotation, of the way back and
// of a retirement.
func steps() []farm.Step {
	return slices.Concat(farm.Steps(), farm.RollbackSteps(), farm.RetirementSteps())
}

// remaining lists what is not as desired.
func (p *page) remaining(all []farm.Difference) {
	if len(all) == 0 {
		return
	}
	p.gap()
	p.line("%s when last compared:", count(len(all), "difference"))
	p.differences(all)
}
