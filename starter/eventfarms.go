package main

import (
	"context"
	"slices"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// farmEvents are the events that concern one farm.
type farmEvents struct {
	farm   string
	events []controller.Event
}

// findFarms finds the farms that events concern: the one that the operator names, if any,
// or the one that the event does; else those that are known to. Where an event concerns
// none, nothing is to be sent.
func (a *app) findFarms(ctx context.Context, d *delivery.Deliverer, events []event.Expiry, named string) (all []farmEvents, err error) {
	for _, e := range events {
		names := []string{named}
		switch {
		case named != "":
		case e.Farm != "":
			names = []string{e.Farm} // known or not, it is looked for before it is sent to
		default:
			if names, err = a.findConcerned(ctx, d, e); err != nil {
				return nil, err
			}
		}
		for _, name := range names {
			i := slices.IndexFunc(all, func(known farmEvents) bool { return known.farm == name })
			if i < 0 {
				i, all = len(all), append(all, farmEvents{farm: name})
			}
			all[i].events = append(all[i].events, controller.Event{ID: e.Key(), Summary: e.String()})
		}
	}
	return all, nil
}

func (a *app) findConcerned(ctx context.Context, d *delivery.Deliverer, e event.Expiry) ([]string, error) {
	found, err := d.Find(ctx, e, delivery.Source{})
	switch {
	case err != nil:
		return nil, a.explain(ctx, err)
	case len(found.Farms) == 0:
		return nil, usageErrorf("%s; or name the farm here: --farm FARM", found.Reason)
	}
	return found.Farms, nil
}

// configuredFarms are the farms of the file that --config names; none where it names none.
func (a *app) configuredFarms() (farms []farm.Farm, err error) {
	if a.config == "" {
		return nil, nil
	}
	c, err := a.loadConfig(config.Load)
	if err != nil {
		return nil, err
	}
	for _, f := range c.Farms {
		farms = append(farms, f.Farm)
	}
	return farms, nil
}
