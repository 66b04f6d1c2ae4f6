package client

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Run is one rotation, rollback or retirement in Temporal, running or ended.
type Run struct {
	Client

	// Attached reports whether it was running already when it was asked for.
	Attached bool

	run client.WorkflowRun
}

// Run returns a run by its workflow ID and run ID. An empty run ID means the
// running run, or else the last.
func (c Client) Run(ctx context.Context, id, runID string) *Run {
	return &Run{Client: c, run: c.temporal.GetWorkflow(ctx, id, runID)}
}

// ID is the workflow ID.
func (r *Run) ID() string { return r.run.GetID() }

// RunID is Temporal's ID of this one run.
func (r *Run) RunID() string { return r.run.GetRunID() }

// Status asks the run how far it is, and Temporal which steps are being retried. It
// needs a worker to answer.
func (r *Run) Status(ctx context.Context) (s farm.Status, err error) {
	reply, err := query(ctx, r.temporal, &client.QueryWorkflowWithOptionsRequest{WorkflowID: r.ID(), RunID: r.RunID(), QueryType: workflows.StatusQuery})
	if err != nil {
		return s, fmt.Errorf("ask %s for its status: %w", r.ID(), err)
	}
	if err := reply.QueryResult.Get(&s); err != nil {
		return s, fmt.Errorf("read the status of %s: %w", r.ID(), err)
	}
	return s, r.addAttempts(ctx, &s)
}

// Snapshot asks a rotation for the state before its first change; nil where it has taken
// none. It needs a worker to answer.
func (r *Run) Snapshot(ctx context.Context) (s *farm.Snapshot, err error) {
	reply, err := query(ctx, r.temporal, &client.QueryWorkflowWithOptionsRequest{WorkflowID: r.ID(), RunID: r.RunID(), QueryType: workflows.SnapshotQuery})
	if err != nil {
		return nil, fmt.Errorf("ask %s for its snapshot: %w", r.ID(), err)
	}
	return s, reply.QueryResult.Get(&s)
}

// Report waits until the run ends, and returns its report. A run that was
// refused, is incomplete or was cancelled left a report too; an error means that
// there is none.
func (r *Run) Report(ctx context.Context) (farm.Report, error) {
	var result farm.RotationResult
	err := r.run.Get(ctx, &result)
	if result, ok := workflows.RotationResultOf(result, err); ok {
		return result.Report, nil
	}
	return farm.Report{}, err
}

// Watch calls show with the status of the run, every so often and last when it
// has ended, and returns as [Run.Report] does. An error of show ends it. A
// status that no worker answers for now is asked for again: what counts is how
// the run ends. Where none answers for ten seconds, silent is called, once until one
// does again.
func (r *Run) Watch(ctx context.Context, show func(farm.Status) error, silent func() error) (farm.Report, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	type ending struct {
		report farm.Report
		err    error
	}
	ended := make(chan ending, 1)
	go func() {
		report, err := r.Report(watching)
		stop()
		ended <- ending{report, err}
	}()
	if err := r.pollStatus(watching, show, silent); err != nil {
		return farm.Report{}, err
	}
	end := <-ended
	if end.err != nil {
		return farm.Report{}, end.err
	}
	return end.report, show(farm.Status{Phase: farm.PhaseDone, Report: end.report})
}

// pollStatus calls show with each status that is answered, until ctx ends, and silent
// where none is for as long as a worker may take.
func (r *Run) pollStatus(ctx context.Context, show func(farm.Status) error, silent func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	answeredAt, told := time.Now(), false
	for ctx.Err() == nil {
		s, err := r.readStatus(ctx)
		switch {
		case err == nil:
			answeredAt, told = time.Now(), false
			if s.Phase != farm.PhaseDone {
				err = show(s)
			}
		case !told && IsUnanswered(err) && ctx.Err() == nil && time.Since(answeredAt) >= answerTimeout:
			told, err = true, silent()
		default:
			err = nil // it is asked again: what counts is how the run ends
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

func (r *Run) readStatus(ctx context.Context) (farm.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return r.Status(ctx)
}
