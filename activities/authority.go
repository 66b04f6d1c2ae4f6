package activities

import (
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
// may. It fails with [NotAuthorized], and with [NotPlanned] where a request leaves out what
// cannot be left out. Where the configuration has no approvers, it finds nobody, and lets
// it pass.
//
// It is asked before a workflow takes what was decided. What changes servers because of it
// confirms it once more: anybody who answers the tasks of a workflow could leave this out.
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
	switch {
	case errors.Is(err, farm.ErrNotAuthorized):
		return farm.Authorization{}, terminalError(NotAuthorized, "%s", strings.TrimPrefix(err.Error(), farm.ErrNotAuthorized.Error()+": "))
	case err != nil:
		return farm.Authorization{}, fmt.Errorf("%s: %w", statement.Action, err)
	}
	if in.Request != nil && len(in.Request.Except) > 0 {
		if _, err := a.loadWithout(ctx, in.Farm, in.Request.Except); err != nil {
			return farm.Authorization{}, err
		}
	}
	if err := a.record(ctx, in.describe(given)); err != nil {
		return farm.Authorization{}, err
	}
	return given, nil
}

// describe returns what the audit log says of a decision or a request, and of who made it
// as far as that was found.
func (in CheckDecisionInput) describe(given farm.Authorization) audit.Record {
	r := audit.Record{Event: audit.Decision, Farm: in.Farm, Outcome: audit.Accepted, Verified: "not verified"}
	switch {
	case in.Decision != nil:
		r.Action, r.By, r.Reason, r.Digest, r.Server = string(in.Decision.Choice), in.Decision.By, in.Decision.Reason, in.Decision.Digest, in.Decision.Server
	case in.Request != nil:
		r.Action, r.By, r.Reason = string(in.Request.Kind), in.Request.By, in.Request.Reason
		if len(in.Request.Except) > 0 {
			r.Detail = "leaves out " + strings.Join(in.Request.Except, ", ")
		}
	}
	if given.How != "" {
		r.By, r.Verified = given.By, given.How
	}
	return r
}

func (in CheckDecisionInput) farmName() string { return in.Farm }
