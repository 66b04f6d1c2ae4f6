package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// fewServers is up to how many servers the details list each step of each
// server; above it they list counts and the servers that are not finished.
const fewServers = 12

// Temporal keeps 20,000 bytes of details. What does not fit is told by the
// status query, which starter status asks.
const (
	mostDetails = 20_000
	mostOfList  = 3_000 // characters
	mostLines   = 20
)

// show writes the rotation's page in the Temporal UI.
func (b *progress) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, details(b.phase, b.report, b.waiting))
}

func details(phase Phase, r farm.Report, wait *Wait) string {
	var w strings.Builder
	state := string(phase)
	if r.Outcome != "" {
		state = string(r.Outcome)
	}
	printTo(&w, "**%s**: %s", r.Farm, state)
	if r.Intent != farm.Renew {
		printTo(&w, " (%s)", r.Intent)
	}
	w.WriteString("\n\n")
	if r.Target != "" {
		printTo(&w, "Target `%s` \"%s\", valid until %s", r.Target, r.FriendlyName, r.NotAfter.UTC().Format("2006-01-02"))
		if r.Previous != "" && r.Previous != r.Target {
			printTo(&w, ", instead of `%s`", r.Previous.Short())
		}
		w.WriteString("\n\n")
	}
	if r.Statement != "" {
		printTo(&w, "%s\n\n", r.Statement)
	}
	if wait != nil {
		waits(&w, wait)
	}
	list(&w, r.Findings, func(f farm.Finding) string { return fmt.Sprintf("%s %s: %s", f.Severity, f.Server, f.Text) })
	if len(r.Servers) <= fewServers {
		tableOfSteps(&w, r)
	} else {
		tableOfCounts(&w, r)
	}
	if w.Len() > mostDetails {
		const more = "\n\n... for the rest see starter status"
		return strings.ToValidUTF8(w.String()[:mostDetails-len(more)], "") + more
	}
	return w.String()
}

// list lists things, but not more than a page can hold.
func list[T any](w *strings.Builder, all []T, say func(T) string) {
	lines := min(len(all), mostLines)
	for _, one := range all[:lines] {
		printTo(w, "- %.*s\n", mostOfList/lines, say(one))
	}
	if more := len(all) - mostLines; more > 0 {
		printTo(w, "- and %d more: see starter status\n", more)
	}
}

// waits says what is waited for, first of all things: it is why people look.
func waits(w *strings.Builder, wait *Wait) {
	printTo(w, "**Waits for %s**: %s", wait.For, wait.Text)
	if !wait.Until.IsZero() {
		printTo(w, " (until %s)", wait.Until.UTC().Format("2006-01-02 15:04 UTC"))
	}
	w.WriteString("\n\n")
	list(w, wait.Blocked, func(p farm.Blocked) string {
		return fmt.Sprintf("%s on %s: %s; %s", p.Step, p.Server, p.Text, p.Then)
	})
	w.WriteString("\n")
}

// tableOfSteps has a row per step that was reached and a column per server,
// headed by the first label of its name: more would not fit the page.
func tableOfSteps(w *strings.Builder, r farm.Report) {
	w.WriteString("\n| |")
	for _, server := range r.Servers {
		label, _, _ := strings.Cut(server.Host, ".")
		printTo(w, " %s |", label)
	}
	w.WriteString("\n| --- |" + strings.Repeat(" --- |", len(r.Servers)) + "\n")
	for _, s := range reached(r) {
		printTo(w, "| %s |", s)
		for _, server := range r.Servers {
			printTo(w, " %s |", stateOf(server, s))
		}
		w.WriteString("\n")
	}
}

// tableOfCounts has a row per step, and below it the servers that have failed.
func tableOfCounts(w *strings.Builder, r farm.Report) {
	w.WriteString("\n| step | running | changed | already | failed |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range reached(r) {
		counts := map[farm.State]int{}
		for _, server := range r.Servers {
			counts[stateOf(server, s)]++
		}
		printTo(w, "| %s | %d | %d | %d | %d |\n", s, counts[farm.StateRunning], counts[farm.StateChanged], counts[farm.StateUnchanged]+counts[farm.StateObserved], counts[farm.StateFailed])
	}
	w.WriteString("\n")
	var unfinished []string
	for _, server := range r.Servers {
		for _, s := range server.Steps {
			if s.State == farm.StateRunning || s.State == farm.StateFailed {
				unfinished = append(unfinished, fmt.Sprintf("%s: %s: %s", server.Host, s.Step, s.State))
			}
		}
	}
	list(w, unfinished, func(line string) string { return line })
}

// reached lists the steps that some server has reached, in procedure order.
func reached(r farm.Report) []farm.Step {
	return slices.DeleteFunc(slices.Concat(farm.Steps(), farm.RollbackSteps(), farm.RetirementSteps()), func(s farm.Step) bool {
		return !slices.ContainsFunc(r.Servers, func(server farm.ServerReport) bool { return stateOf(server, s) != "" })
	})
}

func stateOf(server farm.ServerReport, step farm.Step) farm.State {
	for _, s := range server.Steps {
		if s.Step == step {
			return s.State
		}
	}
	return ""
}

// printTo is fmt.Fprintf for a page. workflowcheck takes Fprintf for
// non-deterministic, whatever it writes to.
func printTo(w *strings.Builder, format string, args ...any) {
	w.WriteString(fmt.Sprintf(format, args...)) //nolint:staticcheck // QF1012 asks for Fprintf; see above.
}
