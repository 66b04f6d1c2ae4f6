package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/report"
)

// How long an answer of a worker is waited for: until that is said, and at most. Temporal
// names a worker that was killed for minutes; only an answer shows that one is there.
const (
	noticeAfter  = 2 * time.Second
	queryTimeout = 10 * time.Second
)

// askWithin calls ask, which a worker must answer, and says so if that takes long.
func (a *app) askWithin(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- ask(ctx) }()
	select {
	case err := <-answered:
		return err
	case <-time.After(noticeAfter):
		a.tell("%s: no worker has answered yet; waiting for %s at most", what, queryTimeout)
		return <-answered
	}
}

// locateFarm returns the farm at its site. A name that nobody knows is a usage error.
func (a *app) locateFarm(ctx context.Context, f client.Farm) (client.Farm, error) {
	found, err := f.Find(ctx)
	if err != nil {
		return f, a.explain(ctx, err)
	}
	return found, nil
}

// findWorker returns the farm at its site, where a worker has answered just now: what is
// asked next is not left to wait for one.
func (a *app) findWorker(ctx context.Context, f client.Farm) (client.Farm, error) {
	f, err := a.locateFarm(ctx, f)
	if err != nil {
		return f, err
	}
	err = a.askWithin(ctx, f.Name(), f.FindWorker)
	switch {
	case ctx.Err() != nil:
		return f, fmt.Errorf("%s: interrupted; nothing was asked for", f.Name())
	case errors.Is(err, client.ErrNoWorker):
		return f, noWorker(f)
	case errors.Is(err, client.ErrLate), client.IsUnanswered(err):
		return f, silentWorker(f)
	case err != nil:
		return f, a.explain(ctx, err)
	}
	return f, nil
}

// askState asks the controller of a farm, at its site, what it knows; nil where no
// controller runs.
func (a *app) askState(ctx context.Context, f client.Farm) (*controller.State, error) {
	var state controller.State
	err := a.askWithin(ctx, f.Name(), func(ctx context.Context) (err error) {
		state, err = f.State(ctx)
		return err
	})
	switch {
	case client.IsUnanswered(err):
		return nil, silentWorker(f)
	case errors.Is(err, client.ErrNoController):
		return nil, nil
	case err != nil:
		return nil, a.explain(ctx, err)
	}
	return &state, nil
}

// noWorker says that nobody is there who could do anything for a farm.
func noWorker(f client.Farm) error {
	return &exitError{code: exitCannotTell, err: fmt.Errorf("%s: no worker answers on task queue %s; start one%s: farmtrust-worker -config FILE",
		f.Name(), f.TaskQueue(), withSite(f.Client))}
}

// silentWorker says that a worker was there, and does not answer.
func silentWorker(f client.Farm) error {
	return &exitError{code: exitCannotTell, err: fmt.Errorf("%s: no worker of task queue %s has answered: it was killed, or cannot reach Temporal; start one%s: farmtrust-worker -config FILE",
		f.Name(), f.TaskQueue(), withSite(f.Client))}
}

// withSite is how a worker of the client's site is to be started.
func withSite(c client.Client) string {
	if c.Site() == "" {
		return ""
	}
	return " with site: " + c.Site()
}

// warnWithoutWorker says what an accepted event waits for when no worker runs.
func (a *app) warnWithoutWorker(ctx context.Context, f client.Farm) error {
	_, err := a.findWorker(ctx, f)
	if isCannotTell(err) {
		err = a.say(a.err, "%v; what was accepted waits for it", err)
	}
	return err
}

// noRun says that there is nothing to show of a rotation.
func (a *app) noRun(farmName string) error {
	return fmt.Errorf("%s: no rotation, or none within Temporal's retention; to start one: %s", farmName, a.commandLine(report.RotateCommand("", farmName)))
}
