package controller

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// WhatNext is what will be done by itself, of all that the controller knows: what it has
// decided, what runs does when nobody decides, and what comes of an old certificate.
func (s *State) WhatNext(now time.Time) farm.Next {
	switch {
	case s.Unmanaged != "":
		return farm.Next{Because: s.Unmanaged, Unless: "a worker has the farm in its configuration again"}
	case s.Recalling:
		return farm.Next{Do: "read what ran before this controller", Because: cmp.Or(s.RecallProblem, "it has just started")}
	case s.Active != nil && !s.RunsRetirement():
		return s.Active.next()
	case s.Mailbox.Request != nil:
		return s.Mailbox.Request.next()
	case s.Inspected.At.IsZero() || s.Inspected.Due || s.Inspected.Outdated || s.Last.At.After(s.Inspected.At):
		return farm.Next{Do: farm.Inspect, Because: "what is known of it may be over"}
	}
	switch next := s.nextOfInspection(now); {
	case s.RunsRetirement():
		return sooner(s.Active.next(), next)
	case s.WillRetire():
		return sooner(s.nextRetirement(now), next)
	default:
		return next
	}
}

// nextOfInspection is what comes of what the last inspection found: another one, where
// that is nothing.
func (s *State) nextOfInspection(now time.Time) farm.Next {
	next := s.Next
	if next.Code == farm.CodeTrusted && !s.IsTrusted(now) {
		next.Code, next.Reason = farm.CodeOutdated, "it was not inspected since"
	}
	if next.Do == "" && !next.NeedsOperator {
		next.Do, next.At, next.Local = farm.Inspect, s.NextInspectionAt(), ""
	}
	return next
}

// sooner returns what will be done first; the second where they do not differ, or
// nothing is done of the first.
func sooner(a, b farm.Next) farm.Next {
	if a.Do != "" && (b.Do == "" || a.At.Before(b.At)) {
		return a
	}
	return b
}

// nextRetirement is what comes of the old certificate.
func (s *State) nextRetirement(now time.Time) farm.Next {
	return farm.Next{
		Do: fmt.Sprintf("archive the old certificate %s, and ask for its deletion", s.NextToRetire().Thumbprint.Short()), At: s.RetirementAt(now),
		Because: "its retention ends", Unless: "an operator undoes the renewal, postpones it or takes the release back",
	}
}

// next is what comes of a request that waits.
func (r *Request) next() farm.Next {
	next := farm.Next{Do: "begin what was asked for (" + string(r.Kind) + ")", Because: fmt.Sprintf("%s asked for it: %s", r.By, r.Reason), Unless: "it is withdrawn"}
	if !r.Expires.IsZero() {
		next.Unless += ", or expires at " + farm.FormatTime(r.Expires)
	}
	return next
}

// next is what a run does when nobody decides anything.
func (a *ActiveRun) next() farm.Next {
	w := a.Wait
	switch {
	case len(a.Paused) > 0:
		return farm.Next{Because: "it is paused in Temporal: " + strings.Join(a.Paused, ", "), Unless: "an operator unpauses it there"}
	case w == nil && a.GoesBack():
		return farm.Next{Do: a.WorkflowID + " goes on to put back what was changed", Because: a.Reason}
	case w == nil:
		return farm.Next{Do: a.WorkflowID + " goes on", Because: a.Reason, Unless: "an operator cancels it"}
	}
	next := farm.Next{Do: cmp.Or(w.Then, a.WorkflowID+" goes on"), At: w.Until, Local: w.Local}
	switch w.For {
	case farm.ForApproval:
		next.Because, next.Unless = "nobody has approved by then", "an operator approves, postpones or decides otherwise"
	case farm.ForWindow:
		next.Because, next.Unless = "the window opens", "an operator postpones it, cancels it or rolls back"
	case farm.ForPostponement:
		next.Because, next.Unless = w.Text, "an operator cancels it or rolls back"
	case farm.ForDecision:
		next.Because, next.Unless = "nobody has decided by then", "an operator retries, skips, rolls back or aborts"
	case farm.ForController:
		next.Because = w.Text
	}
	if w.Until.IsZero() && w.NeedsOperator() {
		next.Do, next.Because = "", a.WorkflowID+" waits until an operator decides"
	}
	return next
}
