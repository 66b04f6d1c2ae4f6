package report

import (
	"fmt"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Preview is the page of what something other than a rotation would do; the inspection
// holds what was found, or which servers could not be looked at. Do is the command that
// does it; one without arguments is not shown.
func Preview(n farm.Inspection, do Command) Page {
	page := Page{Title: n.Farm, State: previewState(n)}
	page.add(problemsBlock(n.Servers))
	p := n.Previewed
	if p == nil {
		return page
	}
	page.add(findingsBlock(p.Findings))
	page.add(Block{Title: "what " + p.What + " would do", Table: differenceTable(withoutRestarts(p.Steps))})
	page.Blocks = append(page.Blocks, impactBlocks(p.Steps, p.Restarts, p.EstimateMS)...)
	if len(do.Args) > 0 && len(farm.Stops(p.Findings)) == 0 && len(p.Steps) > 0 {
		page.add(Block{Title: "to do it", Commands: []Command{do}})
	}
	return page
}

func previewState(n farm.Inspection) string {
	p := n.Previewed
	switch {
	case p == nil:
		return fmt.Sprintf("not compared, %d of %s could not be observed", countProblems(n), countThings(len(n.Servers), "server"))
	case len(farm.Stops(p.Findings)) > 0:
		return p.What + " is not possible now"
	case len(p.Steps) == 0:
		return p.What + " would change nothing"
	}
	return p.What + " " + SummarizePreview(*p)
}

// SummarizePreview says in one line how much a preview is about, as in "would make 9
// changes and restart 7 servers, in about 40 minutes".
func SummarizePreview(p farm.Preview) string {
	text := "would make " + countThings(len(farm.Changes(withoutRestarts(p.Steps))), "change")
	if len(p.Restarts) == 0 {
		return text + " and restart no server"
	}
	return text + " and restart " + countThings(len(p.Restarts), "server") + ", in about " + farm.FormatEstimate(p.Estimate())
}

// withoutRestarts leaves out the restarts, which have a table of their own.
func withoutRestarts(differences []farm.Difference) []farm.Difference {
	var rest []farm.Difference
	for _, d := range differences {
		if d.Step != farm.StepRestart && d.Step != farm.StepRestartAgain {
			rest = append(rest, d)
		}
	}
	return rest
}

// impactBlocks are what users notice, and the restarts in their order; estimate is in
// milliseconds.
func impactBlocks(steps []farm.Difference, restarts []farm.PlannedRestart, estimate int64) []Block {
	var page Page
	if len(restarts) > 0 {
		b := Block{Title: "what users notice"}
		b.addImpact(farm.CutoverDifferences(steps), restarts, farm.Preview{EstimateMS: estimate}.Estimate())
		page.add(b)
	}
	page.add(Block{Title: "restarts, in this order", Table: RestartTable(restarts)})
	return page.Blocks
}
