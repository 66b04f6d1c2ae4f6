package main

import (
	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/config"
)

func (a *app) pullCommand() *cobra.Command {
	var clear bool
	c := &cobra.Command{
		Use:   "pull",
		Short: "Take expiry events from queues and folders, until it is stopped",
		Long: `Takes expiry events from where the section pull of the configuration (--config) says that
they wait: subscriptions of Event Grid namespaces, Azure storage queues, queues of Amazon
SQS, and folders. It delivers them to the farms that they concern. A worker does the same
by itself where its configuration has that section: this command is for a machine that
reaches the queues where the workers do not. Its file needs neither farms nor connections.

A message leaves its queue once Temporal has its events. While Temporal is away, it
waits; one that is not understood is left to the queue's own rules or moved aside, never
thrown away. docs/events.md says how to set the queues up.`,
		Example: `  farmtrust pull --config queues.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadIntake("pull", "where events wait", func(c *config.Config) bool { c.Listen = nil; return len(c.Pull) > 0 })
			if err != nil {
				return err
			}
			return a.takeEvents(cmd.Context(), c, clear)
		},
	}
	addClearPayloadsFlag(c, &clear)
	return c
}
