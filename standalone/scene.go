package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/workflows"
)

// scene is a farm and what is asked of it.
type scene struct {
	config *config.Config
	farm   string
	// data is the directory of Temporal's state, empty for none.
	data string
	// rounds are rotations, one after the other: each prepares what it needs
	// and returns the reason that people read.
	rounds []func() (string, error)
	// prepare runs before the worker does.
	prepare func(context.Context, client.Client) error
	close   func() error
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
		rounds:  []func() (string, error){func() (string, error) { return "asked for on the command line", nil }},
		prepare: func(context.Context, client.Client) error { return nil },
		close:   func() error { return nil },
	}, nil
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

// abandon ends a rotation of a farm that is gone.
func abandon(ctx context.Context, c client.Client, farmName string) error {
	err := c.TerminateWorkflow(ctx, workflows.RotateID(farmName), "", "the simulated farm ended with the process that held it")
	var none *serviceerror.NotFound
	if err == nil || errors.As(err, &none) {
		return nil
	}
	return fmt.Errorf("end the rotation of an earlier simulated farm: %w", err)
}
