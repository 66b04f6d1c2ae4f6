package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// show writes the farm's page in the Temporal UI, and marks for searches
// whether a person is needed. The mark is for show only, so a failure to set
// it, which the worker checks for at its start, must not stop the keeper.
func (k *keeper) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, k.page())
	phase, person := k.Summary()
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		PhaseAttribute.ValueSet(phase), NeedsOperatorAttribute.ValueSet(person),
		ThumbprintAttribute.ValueSet(string(k.Current.Thumbprint))); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}

// Summary is what the keeper does in a word, and whether a person is needed.
func (k *Keeping) Summary() (phase string, person bool) {
	switch {
	case k.Paused != "":
		return "paused", true
	case k.Work != nil:
		return "at work", false
	case k.Hold != "":
		return "held", true
	case k.Next.Do == farm.Rest:
		return "resting", k.Next.NeedsPerson
	}
	return "waiting", k.Next.NeedsPerson
}

func (k *keeper) page() string {
	var w strings.Builder
	phase, person := k.Summary()
	printTo(&w, "**%s**: %s", k.Farm, phase)
	if person {
		w.WriteString(", **a person is needed**")
	}
	w.WriteString("\n\n")
	line := func(name, format string, args ...any) {
		printTo(&w, "- %s: %s\n", name, fmt.Sprintf(format, args...))
	}
	if k.Paused != "" {
		line("paused", "%s", k.Paused)
	}
	if c := k.Current; c.Thumbprint != "" {
		line("certificate", "`%s` \"%s\", until %s", c.Thumbprint, c.FriendlyName, c.NotAfter.UTC().Format(time.DateOnly))
	}
	if !k.LookedAt.IsZero() {
		line("last look", "%s: %s", k.LookedAt.UTC().Format("2006-01-02 15:04 UTC"), k.Next.Why)
	}
	if k.Work != nil {
		line("at work", "%s since %s: %s", k.Work.WorkflowID, k.Work.Since.UTC().Format("2006-01-02 15:04 UTC"), k.Work.Reason)
	}
	if k.Last.Outcome != "" {
		line("last work", "%s, %s: %s", k.Last.Outcome, k.Last.At.UTC().Format("2006-01-02 15:04 UTC"), k.Last.Statement)
	}
	if k.Hold != "" {
		line("held", "%s; release it with `starter release %s`", k.Hold, k.Farm)
	}
	if k.CanBeUndone() {
		line("can be undone", "`starter undo %s`, back to %s", k.Farm, previousOf(k.Journal))
	}
	if k.Retires() {
		line("old certificate", "%s is retired after %s", k.Journal.Previous.Thumbprint.Short(), k.SoakUntil.UTC().Format("2006-01-02 15:04 UTC"))
	}
	for _, c := range k.Older {
		line("older certificate", "%s is retired too", c.Thumbprint.Short())
	}
	if n := len(k.Asked); n > 0 {
		line("events kept", "%d", n)
	}
	return w.String()
}

func previousOf(j *farm.Journal) string {
	if j.Previous.Thumbprint == "" {
		return "nothing set up"
	}
	return j.Previous.Thumbprint.Short()
}
