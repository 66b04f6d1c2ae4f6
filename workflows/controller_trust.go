package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// lookForForeignTrust looks what the SharePoint farms trust: far more often than the farm
// is inspected, and whatever runs meanwhile. A certificate that is none of the farm's is
// an incident, which the log is told as an error.
func (c *farmController) lookForForeignTrust(ctx workflow.Context) error {
	before := c.Watch.Incidents
	var look farm.TrustLook
	err := executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		in := activities.TrustInput{Farm: c.Farm, Seen: c.SeenTrust()}
		return workflow.ExecuteActivity(watchOptions(ctx, "look what the SharePoint farms of "+c.Farm+" trust"), a.LookForForeignTrust, in)
	}, &look)
	now := workflow.Now(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.Recalling:
		return nil // it was reset meanwhile
	case err != nil:
		c.NoteUnwatched(now, Explain(err))
	default:
		c.NoteTrust(now, look)
	}
	c.tellIncidents(ctx, before)
	return nil
}

// tellIncidents tells the log which incidents have begun, and which are over.
func (c *farmController) tellIncidents(ctx workflow.Context, before []farm.Incident) {
	for _, i := range c.Watch.Incidents {
		if !slices.Contains(before, i) {
			c.log(ctx, eventFarm).Error("INCIDENT: SharePoint trusts a certificate that is none of the farm's: "+i.Describe(), "server", i.FrontEnd, "thumbprint", i.Thumbprint)
		}
	}
	for _, i := range before {
		if !slices.Contains(c.Watch.Incidents, i) {
			c.log(ctx, eventFarm).Warn("the incident is over: "+i.Describe(), "server", i.FrontEnd, "thumbprint", i.Thumbprint)
		}
	}
}
