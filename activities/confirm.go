package activities

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// How long what a person asked for may wait before it begins: minutes, for an inspection
// or a retirement that ends first; an undo also waits for its approval and its window.
const (
	askedLife = 24 * time.Hour
	undoLife  = 100 * 24 * time.Hour
)

// confirmApproval returns an error of type [NotPermitted] unless a person who has a right
// was found to have approved exactly this, for the run of the activity.
func (a *Activities) confirmApproval(ctx context.Context, farmName string, approval farm.Approval, by, asked *farm.Authorization, right farm.Right) error {
	if a.Authority == nil {
		return nil
	}
	run, err := a.originalRun(ctx)
	if err != nil {
		return err
	}
	return toNotPermitted(a.Authority.Confirm(by, farm.Statement{
		Farm: farmName, Workflow: activity.GetInfo(ctx).WorkflowExecution.ID, Run: run, Action: string(farm.Approve),
		Digest: approval.Digest(), Needs: []farm.Right{right},
	}, asked))
}

// confirmAsked returns an error of type [NotPermitted] unless a person who has a right was
// found to have asked the farm's controller for a run such as this one, once.
func (a *Activities) confirmAsked(ctx context.Context, farmName string, asked *farm.Authorization, kind controller.RequestKind, right farm.Right, life time.Duration, now bool) error {
	if a.Authority == nil {
		return nil
	}
	run, err := a.originalRun(ctx)
	if err != nil {
		return err
	}
	want := farm.Statement{Farm: farmName, Action: string(kind), Needs: []farm.Right{right}}
	if asked != nil {
		want.Workflow = asked.Statement.Workflow // a person signs for the controller, and for nothing else
	}
	if err := a.Authority.ConfirmAsked(asked, want, run, life); err != nil {
		return toNotPermitted(err)
	}
	var request controller.Request
	if asked != nil && json.Unmarshal([]byte(asked.Statement.Content), &request) != nil || now && asked != nil && asked.By != "" && !request.Now {
		return terminalError(NotPermitted, "%s: nobody asked for it without waiting for the window", kind)
	}
	return nil
}

// confirmExcept returns an error of type [NotPermitted] unless a run leaves out from the
// start what the person asked for that was found to have asked for it, and no more or less.
func (a *Activities) confirmExcept(ctx context.Context, in KeepSnapshotInput) error {
	asked := in.Gates.Asked
	if a.Authority == nil || asked == nil || asked.By == "" {
		return nil
	}
	var request controller.Request
	if err := json.Unmarshal([]byte(asked.Statement.Content), &request); err != nil {
		return terminalError(NotPermitted, "what %s asked for cannot be read: %v", asked.By, err)
	}
	wanted, err := a.loadWithout(ctx, in.Farm, request.Except)
	if err != nil {
		return err
	}
	if !slices.Equal(wanted.LeftOut, in.Except) {
		return terminalError(NotPermitted, "%s asked to leave out %q, and this run leaves out %q: ask again", asked.By, wanted.LeftOut, in.Except)
	}
	return nil
}

func toNotPermitted(err error) error {
	if !errors.Is(err, farm.ErrNotAuthorized) {
		return err
	}
	return terminalError(NotPermitted, "%s", strings.TrimPrefix(err.Error(), farm.ErrNotAuthorized.Error()+": "))
}
