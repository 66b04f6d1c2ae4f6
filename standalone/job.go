package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// job is the program's task: one or more rotations of a farm.
type job struct {
	config *config.Config
	farm   string
	// data is the directory of Temporal's state; empty for in memory.
	data string
	// release is who lets the farm be rotated by events, and why; zero where an operator
	// asks for each rotation.
	release client.Author
	// rounds are the rotations in their order. Each function prepares a rotation
	// and returns its trigger.
	rounds []func() (trigger, error)
	// prepare runs before the worker starts.
	prepare func(context.Context, temporal.Client) error
	close   func() error
}

// trigger is what starts a rotation: an expiry event or, without one, a request of
// the user who started the program.
type trigger struct {
	event *controller.Event
	// deliver brings the event to the farm's controller.
	deliver func(context.Context) error
	by      client.Author
}

// reason returns why the rotation is started, for operators to read.
func (t trigger) reason() string {
	if t.event != nil {
		return t.event.Summary
	}
	return t.by.Reason
}

// startRotation sends the trigger to the farm's controller, and returns the
// rotation that the controller starts.
func (t trigger) startRotation(ctx context.Context, f client.Farm) (*client.Run, error) {
	if t.event == nil {
		return f.Rotate(ctx, t.by)
	}
	if err := t.deliver(ctx); err != nil {
		return nil, err
	}
	result, err := f.Delivered(*t.event).Wait(ctx, func(controller.State) {})
	switch {
	case err != nil:
		return nil, err
	case result.WorkflowID == "":
		return nil, fmt.Errorf("the controller does not start a rotation: %s", result.Reason)
	}
	return f.Run(ctx, result.WorkflowID, result.RunID), nil
}

func (p *program) newJob(ctx context.Context) (*job, error) {
	if p.config == "" {
		return newSimulatedJob(ctx, p.data)
	}
	return p.newConfiguredJob()
}

// newConfiguredJob returns the job that rotates a configured farm once.
func (p *program) newConfiguredJob() (*job, error) {
	c, err := config.Load(p.config)
	if err != nil {
		return nil, &usageError{err}
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(p.err, w)
	}
	name, err := chooseFarm(c, p.farm)
	if err != nil {
		return nil, &usageError{err}
	}
	return &job{
		config: c, farm: name, data: p.data,
		rounds:  []func() (trigger, error){func() (trigger, error) { return requestedHere(), nil }},
		prepare: func(context.Context, temporal.Client) error { return nil },
		close:   func() error { return nil },
	}, nil
}

// requestedHere returns a request of the user who started the program.
func requestedHere() trigger {
	by := "standalone"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	return trigger{by: client.Author{By: by, Reason: "requested on the command line"}}
}

// chooseFarm returns the name of the requested farm, or of the only one if none was
// requested.
func chooseFarm(c *config.Config, name string) (string, error) {
	if name == "" && len(c.Farms) != 1 {
		var names []string
		for _, f := range c.Farms {
			names = append(names, f.Name)
		}
		return "", fmt.Errorf("%s has several farms, choose one with -farm: %s", c.Path, strings.Join(names, ", "))
	}
	if name == "" {
		return c.Farms[0].Name, nil
	}
	f, err := c.Farm(name)
	return f.Name, err
}

// terminateRuns terminates the controller and all runs of a simulated farm that an
// earlier process has taken with it.
func terminateRuns(ctx context.Context, c temporal.Client, farmName string) error {
	for _, id := range []string{
		workflows.ControllerID(farmName), workflows.InspectionID(farmName), workflows.RotateID(farmName), workflows.RetireID(farmName),
	} {
		err := c.TerminateWorkflow(ctx, id, "", "the simulated farm ended with the process that held it")
		var notFound *serviceerror.NotFound
		if err != nil && !errors.As(err, &notFound) {
			return fmt.Errorf("terminate %s of an earlier simulated farm: %w", id, err)
		}
	}
	return nil
}
