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
func (k *controller) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, k.page())
	phase, person := k.Summary()
	if err := workflow.UpsertTypedSearchAttributes(ctx,
		PhaseAttribute.ValueSet(phase), NeedsOperatorAttribute.ValueSet(person),
		ThumbprintAttribute.ValueSet(string(k.Current.Thumbprint))); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}

// Summary is what the keeper does in a word, and whether a person is needed.
func (k *FarmState) Summary() (phase string, person bool) {
	switch {
	case k.Unmanaged != "":
		return "paused", true
	case k.ActiveRun != nil:
		return "at work", false
	case k.Suspended != "":
		return "held", true
	case k.Next.Action == farm.ActionNone:
		return "resting", k.Next.NeedsOperator
	}
	return "waiting", k.Next.NeedsOperator
}

func (k *controller) page() string {
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
	if k.Unmanaged != "" {
		line("paused", "%s", k.Unmanaged)
	}
	if c := k.Current; c.Thumbprint != "" {
		line("certificate", "`%s` \"%s\", until %s", c.Thumbprint, c.FriendlyName, c.NotAfter.UTC().Format(time.DateOnly))
	}
	if !k.InspectedAt.IsZero() {
		line("last look", "%s: %s", k.InspectedAt.UTC().Format("2006-01-02 15:04 UTC"), k.Next.Reason)
	}
	if k.ActiveRun != nil {
		line("at work", "%s since %s: %s", k.ActiveRun.WorkflowID, k.ActiveRun.Since.UTC().Format("2006-01-02 15:04 UTC"), k.ActiveRun.Reason)
	}
	if k.LastRun.Outcome != "" {
		line("last work", "%s, %s: %s", k.LastRun.Outcome, k.LastRun.At.UTC().Format("2006-01-02 15:04 UTC"), k.LastRun.Statement)
	}
	if k.Suspended != "" {
		line("held", "%s; release it with `starter release %s`", k.Suspended, k.Farm)
	}
	if k.CanRollBack() {
		line("can be undone", "`starter undo %s`, back to %s", k.Farm, previousOf(k.Snapshot))
	}
	if k.Retires() {
		line("old certificate", "%s is retired after %s", k.Snapshot.Previous.Thumbprint.Short(), k.RetainOldUntil.UTC().Format("2006-01-02 15:04 UTC"))
	}
	for _, c := range k.Older {
		line("older certificate", "%s is retired too", c.Thumbprint.Short())
	}
	if n := len(k.PendingEvents); n > 0 {
		line("events kept", "%d", n)
	}
	return w.String()
}

func previousOf(j *farm.Snapshot) string {
	if j.Previous.Thumbprint == "" {
		return "nothing set up"
	}
	return j.Previous.Thumbprint.Short()
}
