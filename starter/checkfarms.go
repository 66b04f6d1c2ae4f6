package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// inspectionsInParallel bounds how many farms are inspected at the same time:
// each inspection occupies the worker with all servers of its farm.
const inspectionsInParallel = 8

// farmCheck is what was found on one farm, or why it could not be inspected.
type farmCheck struct {
	report.FarmCheck

	found farm.Inspection
	err   error
}

// checkedFarm is a farm that is to be checked, and what is known of it before.
type checkedFarm struct {
	client.Farm

	known controller.Summary
	// err says why it cannot be inspected.
	err error
}

// inspectAll inspects several farms in parallel, and compares their configurations with
// those of a file, if there is one. A farm that cannot be inspected does not prevent the
// others.
func (a *app) inspectAll(ctx context.Context, names []string, file *config.Config, o checkOptions) ([]farmCheck, error) {
	if len(names) == 0 {
		return nil, nil // a file that only takes events in: Temporal is not needed
	}
	farms, err := a.connectToFarms(ctx, names)
	if err != nil {
		return nil, err
	}
	checks := make([]farmCheck, len(names))
	var group errgroup.Group
	group.SetLimit(inspectionsInParallel)
	for i, f := range farms {
		group.Go(func() error {
			checks[i] = a.checkFarm(ctx, f, file, o)
			return nil
		})
	}
	return checks, group.Wait()
}

// connectToFarms connects to Temporal, finds the farms, and asks whether a worker is
// there for each.
func (a *app) connectToFarms(ctx context.Context, names []string) ([]checkedFarm, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	farms, known := make([]checkedFarm, len(names)), make([]controller.Summary, len(names))
	for i, name := range names {
		farms[i].Farm, farms[i].err = a.locateFarm(ctx, c.Farm(name))
		if farms[i].err == nil {
			known[i], farms[i].err = farms[i].Summary(ctx)
		}
	}
	if err := a.askFarms(ctx, c, known); err != nil {
		return nil, err
	}
	for i := range farms {
		farms[i].known = known[i]
		switch f := &farms[i]; {
		case f.err != nil:
		case f.known.Worker == controller.WorkerNone:
			f.err = noWorker(f.Farm)
		case f.known.Worker == controller.WorkerSilent:
			f.err = silentWorker(f.Farm)
		}
	}
	return farms, nil
}

// checkFarm inspects a farm that a worker answers for.
func (a *app) checkFarm(ctx context.Context, f checkedFarm, file *config.Config, o checkOptions) farmCheck {
	check := farmCheck{FarmCheck: report.FarmCheck{Farm: f.Name()}, err: f.err}
	if check.err == nil {
		inspect := client.Farm.Inspect
		if o.retryLogon {
			inspect = client.Farm.RetryLogon
		}
		check.found, check.err = a.inspectBy(ctx, f.Farm, inspect)
	}
	if check.err != nil {
		check.Error = strings.TrimPrefix(check.err.Error(), f.Name()+": ")
		return check
	}
	shown := report.NewInspection(check.found)
	check.Inspection, check.Troubles = &shown, listTroubles(f.known, check.found, o.warn)
	if file != nil {
		check.Differs = compareWithFile(ctx, file, f.Farm, check.found)
	}
	return check
}

// listTroubles lists what an operator has to do something about although every server
// answered: data refreshes fail, the certificate ends soon, or the farm waits.
func listTroubles(known controller.Summary, found farm.Inspection, warn warning) []string {
	now := time.Now()
	troubles := report.ListDoubts(found)
	if c := found.Current; c.Thumbprint != "" {
		known.Thumbprint, known.NotAfter = c.Thumbprint, c.NotAfter
	}
	if known.EndsWithin(now, warn.duration()) {
		troubles = append(troubles, report.EndOfCertificate(known, now))
	}
	if known.WaitsForOperator() {
		troubles = append(troubles, report.DescribeStanding(known, now))
	}
	return troubles
}

// worstOf is the exit of a check: a farm or server that could not be inspected
// counts more than a precondition that does not hold, and that more than what an operator
// has to do something about. What a rotation would change is no fault.
func worstOf(checks []farmCheck) error {
	worst := exitOK
	rank := []int{exitOK, exitOperator, exitRefused, exitFailed, exitCannotTell, exitUsage}
	for _, f := range checks {
		if code := f.exitCode(); slices.Index(rank, code) > slices.Index(rank, worst) {
			worst = code
		}
	}
	if worst == exitOK {
		return nil
	}
	return &exitError{code: worst}
}

func (f farmCheck) exitCode() int {
	var unknown *client.UnknownFarmError
	switch exit, ok := errors.AsType[*exitError](f.err); {
	case errors.As(f.err, &unknown):
		return exitUsage
	case ok && (exit.code == exitUsage || exit.code == exitCannotTell):
		return exit.code
	case f.err != nil || len(f.Differs) > 0:
		return exitFailed
	}
	switch assessment := report.AssessInspection(f.found); {
	case assessment == report.Unobserved:
		return exitFailed
	case assessment == report.Stopped:
		return exitRefused
	case len(f.Troubles) > 0:
		return exitOperator
	}
	return exitOK
}
