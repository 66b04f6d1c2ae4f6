package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// planned is what a plan is asked of; a rotation where it is zero.
type planned struct {
	undo, rollback, retire bool
	skip                   string
}

func (p *planned) addFlags(c *cobra.Command) {
	c.Flags().BoolVar(&p.undo, "undo", false, "show what an undo would do")
	c.Flags().BoolVar(&p.rollback, "rollback", false, "show what a rollback would do")
	c.Flags().BoolVar(&p.retire, "retire", false, "show what the retirement of the old certificate would do")
	c.Flags().StringVar(&p.skip, "skip", "", "show what a rotation would do without a `server`")
}

// check refuses to plan two things at once.
func (p planned) check(accept []string) error {
	asked := 0
	for _, is := range []bool{p.undo, p.rollback, p.retire, p.skip != "", len(accept) > 0} {
		if is {
			asked++
		}
	}
	if asked > 1 {
		return usageErrorf("give one of --undo, --rollback, --retire, --skip and --accept")
	}
	return nil
}

// preview shows what something other than a rotation would do, and changes nothing.
func (a *app) preview(ctx context.Context, farmName string, asked planned) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	f, err := a.findWorker(ctx, c.Farm(farmName))
	if err != nil {
		return err
	}
	state, err := f.State(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	n, do, err := a.look(ctx, f, &state, asked)
	if err != nil {
		return err
	}
	if err := a.show(report.NewInspection(n), func(w io.Writer) error { return a.writePage(w, report.Preview(n, do)) }); err != nil {
		return err
	}
	switch p := n.Previewed; {
	case p == nil:
		return &exitError{code: exitFailed}
	case len(farm.Stops(p.Findings)) > 0:
		return &exitError{code: exitRefused}
	case len(p.Steps) > 0:
		return &exitError{code: exitDiffers}
	}
	return nil
}

// look has a worker find what was asked, and returns the command that would do it.
func (a *app) look(ctx context.Context, f client.Farm, state *controller.State, asked planned) (n farm.Inspection, do report.Command, err error) {
	switch {
	case asked.skip != "":
		n, err = a.previewSkip(ctx, f, asked.skip)
		return n, report.Command{}, err
	case state == nil:
		return n, do, fmt.Errorf("%s: %w", f.Name(), client.ErrNoController)
	case asked.undo:
		n, err = a.previewUndo(ctx, f, state)
		return n, report.UndoCommand("undo", f.Name()), err
	case asked.rollback:
		n, err = a.previewRollback(ctx, f, state)
		return n, report.RollBackCommand("roll back", f.Name()), err
	}
	n, err = a.previewRetirement(ctx, f, state)
	return n, do, err
}

func (a *app) previewSkip(ctx context.Context, f client.Farm, host string) (farm.Inspection, error) {
	n, err := a.inspect(ctx, f)
	if err != nil || report.AssessInspection(n) == report.Unobserved {
		return n, err
	}
	p, err := n.PreviewSkip(host)
	if err != nil {
		return n, usageErrorf("%w", err)
	}
	n.Previewed = &p
	return n, nil
}

func (a *app) previewUndo(ctx context.Context, f client.Farm, state *controller.State) (farm.Inspection, error) {
	if why := state.WhyNotBack(controller.RequestUndo); why != "" {
		return farm.Inspection{}, refusedBecause(f, why)
	}
	n, err := f.PreviewWayBack(ctx, string(controller.RequestUndo), "an undo", *state.Retention.Snapshot)
	return n, a.explainLook(ctx, f, err)
}

// previewRollback finds what a rollback of the running rotation would do, or else of the
// last one that was not finished.
func (a *app) previewRollback(ctx context.Context, f client.Farm, state *controller.State) (farm.Inspection, error) {
	snapshot, err := runningSnapshot(ctx, f)
	if err != nil {
		return farm.Inspection{}, fmt.Errorf("%s: %w", f.Name(), a.explain(ctx, err))
	}
	if snapshot == nil {
		if why := state.WhyNotBack(controller.RequestRollback); why != "" {
			return farm.Inspection{}, refusedBecause(f, why)
		}
		snapshot = state.LastUnfinished()
	}
	n, err := f.PreviewWayBack(ctx, string(controller.RequestRollback), "a rollback", *snapshot)
	return n, a.explainLook(ctx, f, err)
}

// runningSnapshot returns the snapshot of the rotation that runs; nil where none does, or
// it has not taken one yet. Until its cutover, a rotation has only staged.
func runningSnapshot(ctx context.Context, f client.Farm) (*farm.Snapshot, error) {
	run, err := f.Active(ctx)
	if err != nil || run == nil || run.ID() != workflows.RotateID(f.Name()) {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	status, err := run.Status(ctx)
	if err != nil {
		return nil, err
	}
	snapshot, err := run.Snapshot(ctx)
	if snapshot != nil && !snapshot.TakenAt.Before(status.Report.StartedAt) {
		snapshot.Staged = !status.Report.Reached(farm.StepS2SName)
	}
	return snapshot, err
}

func (a *app) previewRetirement(ctx context.Context, f client.Farm, state *controller.State) (farm.Inspection, error) {
	if s := state.Retention.Snapshot; s == nil || !s.Replaces() {
		return farm.Inspection{}, refusedBecause(f, "there is no old certificate to retire")
	}
	n, err := f.PreviewRetirement(ctx, state.NextToRetire())
	return n, a.explainLook(ctx, f, err)
}

func refusedBecause(f client.Farm, why string) error {
	return &exitError{code: exitRefused, err: fmt.Errorf("%s: %s", f.Name(), why)}
}

func (a *app) explainLook(ctx context.Context, f client.Farm, err error) error {
	if err == nil {
		return nil
	}
	return a.explainEnd(ctx, f.Name(), err)
}

// confirmLook says what follows and asks whether to go on, where an operator is there to
// answer and has not said yes already. What cannot be found out is said too.
func (a *app) confirmLook(ctx context.Context, f client.Farm, yes bool, asked planned) error {
	if yes || !a.interactive {
		return nil
	}
	f, err := a.findWorker(ctx, f)
	if err != nil {
		return err
	}
	state, err := f.State(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	n, _, err := a.look(ctx, f, &state, asked)
	var refused *exitError
	switch p := n.Previewed; {
	case errors.As(err, &refused) && refused.code == exitRefused:
		return err
	case err != nil:
		return a.confirm(f.Name(), "what would be done could not be found out: "+err.Error())
	case p == nil:
		return a.confirm(f.Name(), "what would be done could not be found out: "+n.Unobserved())
	default:
		return a.confirm(f.Name(), p.What+" "+report.SummarizePreview(*p))
	}
}
