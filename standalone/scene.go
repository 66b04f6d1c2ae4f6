package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/workflows"
)

// scene is a farm and what is asked of it.
type scene struct {
	config *config.Config
	farm   string
	// data is the directory of Temporal's state, empty for none.
	data string
	// rounds are what the keeper is asked, one after the other: each prepares
	// what it needs.
	rounds []func() (request, error)
	// prepare runs before the worker does.
	prepare func(context.Context, client.Client) error
	close   func() error
}

// request asks a keeper for a rotation: by an event, or by a person's wish.
type request struct {
	event *controller.Event
	wish  *controller.Request
}

// reason is what people read of it.
func (r request) reason() string {
	if r.event != nil {
		return r.event.Summary
	}
	return r.wish.Reason
}

func (p *program) scene(ctx context.Context) (*scene, error) {
	if p.config == "" {
		return simulate(ctx, p.data)
	}
	return p.configured()
}

// configured is a farm of the configuration.
func (p *program) configured() (*scene, error) {
	c, err := config.Load(p.config)
	if err != nil {
		return nil, &usageError{err}
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(p.err, w)
	}
	name, err := choose(c, p.farm)
	if err != nil {
		return nil, &usageError{err}
	}
	return &scene{
		config: c, farm: name, data: p.data,
		rounds:  []func() (request, error){func() (request, error) { return asked(), nil }},
		prepare: func(context.Context, client.Client) error { return nil },
		close:   func() error { return nil },
	}, nil
}

// asked is the wish of whoever started the program.
func asked() request {
	by := "standalone"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	return request{wish: &controller.Request{Kind: controller.RequestRotate, By: by, Reason: "asked for on the command line"}}
}

// choose names the farm that was asked for, or the only one.
func choose(c *config.Config, name string) (string, error) {
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

// abandon ends whatever keeps or works on a farm that is gone.
func abandon(ctx context.Context, c client.Client, farmName string) error {
	for _, id := range []string{
		workflows.ControllerID(farmName), workflows.InspectionID(farmName), workflows.RotateID(farmName), workflows.RetireID(farmName),
	} {
		err := c.TerminateWorkflow(ctx, id, "", "the simulated farm ended with the process that held it")
		var none *serviceerror.NotFound
		if err != nil && !errors.As(err, &none) {
			return fmt.Errorf("end %s of an earlier simulated farm: %w", id, err)
		}
	}
	return nil
}
