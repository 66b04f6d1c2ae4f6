package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// shown is what a controller has last marked itself with for searches.
type shown struct {
	phase         controller.Phase
	needsOperator bool
	thumbprint    farm.Thumbprint
	// notAfter and inspected are in seconds since 1970.
	notAfter, inspected int64
	any                 bool
}

// showPage writes the farm's page in the Temporal UI, marks the controller for
// searches, and warns in the worker's log when the end of the certificate comes closer.
func (c *farmController) showPage(ctx workflow.Context) {
	now := workflow.Now(ctx)
	c.tellChanges(ctx)
	raised := c.NoteUrgency(now)
	if raised {
		current := c.Inspected.Current
		c.log(ctx, eventFarm).Warn("the certificate in use "+c.DescribeUrgency(), "thumbprint", current.Thumbprint, "notAfter", current.NotAfter, "phase", c.Phase())
	}
	page := report.Farm(c.State, now)
	c.NoteNeed(now, raised, page.Alerts())
	workflow.SetCurrentDetails(ctx, page.Markdown())
	c.showInterest(ctx)
	s := shown{
		phase: c.Phase(), needsOperator: c.needsOperator(ctx, now), thumbprint: c.Inspected.Current.Thumbprint,
		notAfter: c.Inspected.Current.NotAfter.Unix(), inspected: c.Inspected.At.Unix(), any: true,
	}
	// Each change of a mark is an action that Temporal Cloud bills.
	if s == c.shown && !c.legacy {
		return
	}
	c.shown = s
	// The marks are for show only: a failure to set them, which the worker checks for
	// at its start, must not stop the controller.
	if err := workflow.UpsertTypedSearchAttributes(ctx, c.marks(s)...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}

// needsOperator reports whether the farm is marked as in need of an operator. What was so
// before a run that has just ended does not count.
func (c *farmController) needsOperator(ctx workflow.Context, now time.Time) bool {
	before := c.AwaitsInspection() && (c.Urgency(now) > farm.NotUrgent || c.Next.NeedsOperator)
	return c.NeedsOperator(now) || before && !changeReports.has(ctx)
}

// summarizeWait says what the controller waits for, and whether an operator is needed: the
// summary of its timer is what the first tab of the Temporal UI shows.
func (c *farmController) summarizeWait(now time.Time) string {
	show := "farmtrust status " + c.Farm
	switch run := c.Active; {
	case run != nil && run.Wait.NeedsOperator():
		return fmt.Sprintf("OPERATOR NEEDED: %s waits for %s: see %s", run.WorkflowID, run.Wait.For, show)
	case c.NeedsOperator(now):
		return "OPERATOR NEEDED: see " + show + "; next inspection"
	case run != nil:
		return run.WorkflowID + " is at work; next look"
	}
	return "next inspection"
}

func (c *farmController) marks(s shown) []temporal.SearchAttributeUpdate {
	marks := []temporal.SearchAttributeUpdate{
		PhaseAttribute.ValueSet(string(s.phase)), NeedsOperatorAttribute.ValueSet(s.needsOperator), ThumbprintAttribute.ValueSet(string(s.thumbprint)),
	}
	if c.legacy {
		return marks
	}
	end := NotAfterAttribute.ValueUnset() // no certificate is in use
	if at := c.Inspected.Current.NotAfter; !at.IsZero() {
		end = NotAfterAttribute.ValueSet(at)
	}
	inspected := InspectedAttribute.ValueUnset() // not yet
	if at := c.Inspected.At; !at.IsZero() {
		inspected = InspectedAttribute.ValueSet(at)
	}
	return append(marks, end, inspected)
}
