package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/preflight"
)

// A configuration is checked in two places: what the file says and names, here; and
// what a worker that has it finds on the servers, there. A worker that has another
// configuration says nothing about this one.

// openNamed opens what a configuration names on this machine, and sorts what it finds.
func openNamed(ctx context.Context, c *config.Config) (problems, warnings []string) {
	for _, f := range preflight.Open(ctx, c, time.Now()) {
		if f.Severity == farm.Stop {
			problems = append(problems, c.Path+": "+f.Explain())
		} else {
			warnings = append(warnings, c.Path+": "+f.Explain())
		}
	}
	return problems, warnings
}

// compareWithFile says in what the worker's configuration of a farm differs from that
// of a file; nil when it does not, as far as can be known.
func compareWithFile(ctx context.Context, c *config.Config, f client.Farm, inspected farm.Inspection) []string {
	wanted, err := c.Farm(f.Name())
	if err != nil {
		return nil // the command has refused it
	}
	if differ := config.DiffFarm(wanted.Farm, inspected.Config); len(differ) > 0 {
		return differ
	}
	state, err := f.State(ctx)
	if err == nil && state.Configured.Hash != "" && state.Configured.Hash != c.HashFarm(wanted) {
		return []string{"certificate.source or connections"}
	}
	return nil
}

// describeDiffering says that a farm was looked at with another configuration.
func describeDiffering(path string, keys []string) string {
	return fmt.Sprintf("the worker's configuration of this farm is not that of %s: it differs in %s; what follows is the worker's. To check the file on its own servers, on a machine that reaches them: farmtrust-worker check -config %s",
		path, strings.Join(keys, ", "), path)
}
