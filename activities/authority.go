package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Authority finds out who has decided, and whether the person may, from the worker's own
// configuration. See package authority.
type Authority interface {
	// Authorize checks the proof of a statement that was just made, and Confirm what it
	// returned, before anything is done because of it. ConfirmAsked is for what a
	// controller was asked for. Their errors wrap [farm.ErrNotAuthorized] where another
	// attempt is refused as well.
	Authorize(ctx context.Context, s farm.Statement, p *farm.Proof, asked *farm.Authorization, firstRun, use string) (farm.Authorization, error)
	Confirm(given *farm.Authorization, want farm.Statement, asked *farm.Authorization) error
	ConfirmAsked(asked *farm.Authorization, want farm.Statement, use string, life time.Duration) error
}

// NotAuthorized is the type of the error when nothing proves who decided, or the person
// may not. No retry can fix it.
const NotAuthorized = "NotAuthorized"

// CheckDecisionInput asks who has made a decision about the workflow that asks, or a
// request to it. One of the two is set.
type CheckDecisionInput struct {
	Farm     string              `json:"farm"`
	Decision *farm.Decision      `json:"decision,omitempty"`
	Request  *controller.Request `json:"request,omitempty"`
	// Retires reports whether the decision is about a retirement.
	Retires bool `json:"retires,omitempty"`
	// Asked is who asked for the run; nil where nobody did.
	Asked *farm.Authorization `json:"asked,omitempty"`
}

// state returns what is stated to the workflow of the activity.
func (in CheckDecisionInput) state(info activity.Info) (farm.Statement, *farm.Proof, error) {
	switch run := info.WorkflowExecution; {
	case in.Decision != nil && in.Request == nil:
		return in.Decision.State(in.Farm, run.ID, run.RunID, in.Retires), in.Decision.Proof, nil
	case in.Request != nil && in.Decision == nil:
		return in.Request.State(in.Farm, run.ID), in.Request.Proof, nil
	}
	return farm.Statement{}, nil, terminalError(NotAuthorized, "neither a decision nor a request")
}

// CheckDecision finds out who has made a decision or a request, and whether the person
// may. It fails with [NotAuthorized]. Where the configuration has no approvers, it finds
// nobody, and lets it pass.
//
// It is asked before a workflow takes what was decided. What changes servers because of it
// confirms it once more: whoever answers the tasks of a workflow could leave this out.
func (a *Activities) CheckDecision(ctx context.Context, in CheckDecisionInput) (farm.Authorization, error) {
	info := activity.GetInfo(ctx)
	statement, proof, err := in.state(info)
	if err != nil {
		return farm.Authorization{}, err
	}
	given := farm.Authorization{Statement: statement}
	if a.Authority != nil {
		if in.Decision != nil {
			if given.FirstRun, err = a.originalRun(ctx); err != nil {
				return farm.Authorization{}, err
			}
		}
		given, err = a.Authority.Authorize(ctx, statement, proof, in.Asked, given.FirstRun, info.WorkflowExecution.RunID+"/"+info.ActivityID)
	}
	if err := a.recordDecision(ctx, in, given, err); err != nil {
		return farm.Authorization{}, err
	}
	switch {
	case errors.Is(err, farm.ErrNotAuthorized):
		return farm.Authorization{}, terminalError(NotAuthorized, "%s", strings.TrimPrefix(err.Error(), farm.ErrNotAuthorized.Error()+": "))
	case err != nil:
		return farm.Authorization{}, fmt.Errorf("%s: %w", statement.Action, err)
	}
	return given, nil
}

// recordDecision writes to the audit log who has decided, or who was refused.
func (a *Activities) recordDecision(ctx context.Context, in CheckDecisionInput, given farm.Authorization, refused error) error {
	r := audit.Record{Event: audit.Decision, Farm: in.Farm, By: given.By, Verified: given.How, Outcome: "accepted"}
	switch {
	case in.Decision != nil:
		d := in.Decision
		r.Action, r.Server, r.Digest, r.Reason, r.By = string(d.Choice), d.Server, d.Digest, d.Reason, cmp.Or(r.By, d.By)
	case in.Request != nil:
		r.Action, r.Reason, r.By = string(in.Request.Kind), in.Request.Reason, cmp.Or(r.By, in.Request.By)
	}
	r.Verified = cmp.Or(r.Verified, "not verified")
	if refused != nil {
		r.Outcome, r.Detail = "refused", refused.Error()
	}
	return a.record(ctx, r)
}
