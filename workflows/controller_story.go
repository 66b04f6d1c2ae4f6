package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// toldFact is something that a controller knows, as the worker's log was last told.
type toldFact struct {
	// alert reports whether it needs an operator.
	alert bool
	text  string
}

// log is the worker's log for an event of the farm.
func (c *farmController) log(ctx workflow.Context, event string) log.Logger {
	return log.With(workflow.GetLogger(ctx), "run", ControllerID(c.Farm), "farm", c.Farm, "event", event)
}

// tellChanges tells what has become different since the log was last told. A run that
// follows another tells all of it again.
func (c *farmController) tellChanges(ctx workflow.Context) {
	facts := c.facts(workflow.Now(ctx))
	for i, fact := range facts {
		before := toldFact{}
		if i < len(c.told) {
			before = c.told[i]
		}
		switch to := c.log(ctx, eventFarm); {
		case fact.text == before.text:
		case fact.text == "":
			to.Info("no longer " + before.text)
		case fact.alert:
			to.Warn(fact.text)
		default:
			to.Info(fact.text)
		}
	}
	c.told = facts
}

// facts are what a controller knows and an operator would read in its log, always in
// the same order. One that does not hold has no text.
func (c *farmController) facts(now time.Time) []toldFact {
	facts := []toldFact{
		{true, joinIf("unmanaged: ", c.Unmanaged)},
		{true, joinIf("it cannot be recalled what ran before: ", c.RecallProblem)},
		{true, joinIf("suspended: ", c.Suspended)},
		{false, c.describeRelease()},
		{false, c.describePostponement()},
		{false, c.describeInUse()},
		{false, c.describeRetention()},
	}
	var next toldFact
	switch {
	case c.Active == nil && c.Next.Reason != "" && !c.isAboutToInspect(now):
		next = toldFact{c.Next.NeedsOperator, c.describeNext(now)}
	case len(c.told) > len(facts):
		next = c.told[len(facts)] // a run tells itself what it does, and what follows it is decided yet
	}
	return append(facts, next)
}

func joinIf(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func (c *farmController) describeRelease() string {
	if c.Released == nil {
		return ""
	}
	return joinNonEmpty(": ", "released to be rotated by itself, by "+c.Released.By, c.Released.Reason)
}

func (c *farmController) describePostponement() string {
	if c.Postponed == nil {
		return ""
	}
	return fmt.Sprintf("postponed until %s by %s: %s", farm.FormatTime(c.Postponed.Until), c.Postponed.By, c.Postponed.Reason)
}

// isAboutToInspect reports whether what is decided next is about to be found out.
func (c *farmController) isAboutToInspect(now time.Time) bool {
	next := c.WhatNext(now)
	return next.IsInspection() && next.At.IsZero()
}

// describeNext says what will be done by itself. That the farm is inspected goes without
// saying: the next inspection is always another one.
func (c *farmController) describeNext(now time.Time) string {
	next := c.WhatNext(now)
	if next.IsInspection() {
		next.Do = ""
	}
	return next.Sentence(now)
}

func (c *farmController) describeInUse() string {
	current := c.Inspected.Current
	if current.Thumbprint == "" {
		return ""
	}
	return fmt.Sprintf("in use: certificate %s, which ends on %s", current.Thumbprint.Short(), farm.FormatTime(current.NotAfter))
}

func (c *farmController) describeRetention() string {
	r := c.Retention
	if r.Snapshot == nil || r.Until.IsZero() {
		return ""
	}
	kept := "the state before the rotation"
	if old := r.Snapshot.Previous.Thumbprint; old != "" {
		kept = "the certificate before, " + old.Short()
	}
	return fmt.Sprintf("kept until %s: %s", farm.FormatTime(r.Until), kept)
}

// tellRequest tells who has asked for what.
func (c *farmController) tellRequest(ctx workflow.Context, r controller.Request) {
	c.log(ctx, eventRequest).Info(fmt.Sprintf("%s requested by %s: %s", r.Kind, r.By, r.Reason), "request", string(r.Kind), "by", r.By, "reason", r.Reason)
}

// tellInspection tells what an inspection has found that the one before had not, and
// the other way round.
func (c *farmController) tellInspection(ctx workflow.Context, found farm.Inspection, unobserved string) {
	to := c.log(ctx, eventFarm)
	if unobserved != "" && unobserved != c.toldUnobserved {
		to.Warn("it cannot be inspected: " + unobserved)
	}
	if c.toldUnobserved = unobserved; unobserved != "" {
		return
	}
	var refs []string
	for _, f := range found.Findings {
		if refs = append(refs, f.Ref()); !slices.Contains(c.toldFindings, f.Ref()) {
			c.tellFinding(ctx, f)
		}
	}
	for _, ref := range c.toldFindings {
		if !slices.Contains(refs, ref) {
			to.Info("no longer found: " + ref)
		}
	}
	c.toldFindings = refs
}

func (c *farmController) tellFinding(ctx workflow.Context, f farm.Finding) {
	to := log.With(c.log(ctx, eventFarm), "finding", f.Ref())
	if f.Server != "" {
		to = log.With(to, "server", f.Server)
	}
	text := "found: " + joinNonEmpty(": ", f.Text, f.Remedy)
	if f.Severity == farm.Stop {
		to.Warn(text)
		return
	}
	to.Info(text)
}
