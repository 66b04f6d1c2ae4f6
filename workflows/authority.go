package workflows

import (
	"cmp"
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// checkDecision has a worker find out who has made a decision, and returns that; nil in a
// run that was begun before [changeProofs].
func (o *operation) checkDecision(ctx workflow.Context, decision farm.Decision) (*farm.Authorization, error) {
	if !changeProofs.has(ctx) {
		return nil, nil
	}
	given, err := findWhoDecides(ctx, activities.CheckDecisionInput{Farm: o.farm.Name, Decision: &decision, Retires: isRetirement(ctx), Asked: o.asked})
	if err != nil {
		return nil, err
	}
	// A run that Temporal makes of this one by a reset has another ID, and so another digest:
	// what was taken is not judged again there, as an update is not validated again.
	var refused string
	judged := workflow.SideEffect(ctx, func(ctx workflow.Context) any {
		if err := o.validateDecision(ctx, decision); err != nil {
			return err.Error()
		}
		return ""
	})
	if err := judged.Get(&refused); err != nil {
		return nil, err
	}
	if refused != "" {
		return nil, refuseRequest(refused)
	}
	return given, nil
}

// isRetirement reports whether the workflow is the retirement of an old certificate.
func isRetirement(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).WorkflowType.Name == "RetireCertificate"
}

// checkAuthority has a worker find out who makes a request, and notes it in the request.
// Meanwhile the request may have become senseless.
func (c *farmController) checkAuthority(ctx workflow.Context, r *controller.Request) error {
	r.Authorization = nil // what was sent is no worker's
	if !changeProofs.has(ctx) {
		return nil
	}
	c.checking++
	defer func() { c.checking-- }()
	given, err := findWhoDecides(ctx, activities.CheckDecisionInput{Farm: c.Farm, Request: r})
	if err != nil {
		return err
	}
	r.Authorization, r.Proof, r.By = given, nil, cmp.Or(given.By, r.By)
	if c.Mailbox.IsWithdrawn(r.ID) {
		return refuseWithdrawn(*r)
	}
	if err := c.checkRequest(ctx, *r); err != nil {
		return refuseRequest(err.Error())
	}
	return nil
}

// findWhoDecides asks a worker who has decided. What it refuses is refused in its words.
func findWhoDecides(ctx workflow.Context, in activities.CheckDecisionInput) (*farm.Authorization, error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var given farm.Authorization
	err := workflow.ExecuteActivity(localOptions(ctx, "find out who decides"), a.CheckDecision, in).Get(ctx, &given)
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return nil, refuseRequest(application.Message())
	}
	return &given, err
}

// attribute returns a decision as it is recorded: by the person who was found to have made
// it, and without the proof, which nobody needs any more.
func attribute(decision farm.Decision, given *farm.Authorization) farm.Decision {
	decision.Proof = nil
	if given != nil {
		decision.By = cmp.Or(given.By, decision.By)
	}
	return decision
}

// howVerified says what proved who decided; empty where nothing did.
func howVerified(given *farm.Authorization) string {
	if given == nil {
		return ""
	}
	return given.How
}
