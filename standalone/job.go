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

// job is what the program is to do: have a farm rotated, once or more.
type job struct {
	config *config.Config
	farm   string
	// data is the directory of Temporal's state, empty for none.
	data string
	// rounds are the rotations, one after the other: each prepares what it needs,
	// and returns what triggers it.
	rounds []func() (trigger, error)
	// prepare runs before the worker does.
	prepare func(context.Context, temporal.Client) error
	close   func() error
}

// trigger is what a rotation is started by: an expiry event or, without one, the
// request of the user who started the program.
type trigger struct {
	event *controller.Event
	by    client.Author
}

// reason is why the rotation is started, in the operator's words.
func (t trigger) reason() string {
	if t.event != nil {
		return t.event.Summary
	}
	return t.by.Reason
}

// startRotation sends the trigger to the farm's controller, and returns the rotation
// that it starts.
func (t trigger) startRotation(ctx context.Context, f client.Farm) (*client.Run, error) {
	if t.event == nil {
		return f.Rotate(ctx, t.by)
	}
	delivery, err := f.SendEvent(ctx, *t.event)
	if err != nil {
		return nil, err
	}
	result, err := delivery.Wait(ctx, func(controller.State) {})
	switch {
	case err != nil:
		return nil, err
	case result.WorkflowID == "":
		return nil, fmt.Errorf("the controller starts nothing: %s", result.Reason)
	}
	return f.Run(ctx, result.WorkflowID, result.RunID), nil
}

func (p *program) newJob(ctx context.Context) (*job, error) {
	if p.config == "" {
		return newSimulatedJob(ctx, p.data)
	}
	return p.newConfiguredJob()
}

// newConfiguredJob rotates a farm of the configuration.
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

// requestedHere is the request of the user who started the program.
func requestedHere() trigger {
	by := "standalone"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	return trigger{by: client.Author{By: by, Reason: "requested on the command line"}}
}

// chooseFarm returns the name of the farm that was asked for, or of the only one.
func chooseFarm(c *config.Config, name string) (string, error) {
	if name == "" && len(c.Farms) != 1 {
		var names []string
		for _, f := range c.Farms {
			names = append(names, f.Name)
		}
		return "", fmt.Errorf("%s has several farms, name one with -farm: %s", c.Path, strings.Join(names, ", "))
	}
	if name == "" {
		return c.Farms[0].Name, nil
	}
	f, err := c.Farm(name)
	return f.Name, err
}

// terminateRuns ends the controller and all runs of a farm that is gone.
func terminateRuns(ctx context.Context, c temporal.Client, farmName string) error {
	for _, id := range []string{
		workflows.ControllerID(farmName), workflows.InspectionID(farmName), workflows.RotateID(farmName), workflows.RetireID(farmName),
	} {
		err := c.TerminateWorkflow(ctx, id, "", "the simulated farm ended with the process that held it")
		var notFound *serviceerror.NotFound
		if err != nil && !errors.As(err, &notFound) {
			return fmt.Errorf("end %s of an earlier simulated farm: %w", id, err)
		}
	}
	return nil
}
