package console

import (
	"fmt"
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// KeeperPage is a farm's page for programs: what its keeper knows, without
// the content of the journal and the events of the past.
type KeeperPage struct {
	controller.State

	// State is what the keeper does, in a word or two.
	State       string `json:"state"`
	NeedsPerson bool   `json:"needsPerson"`
	// CanBeUndone says that there is a rotation to undo.
	CanBeUndone bool `json:"canBeUndone"`
	// NextLook is zero while it does not look by itself.
	NextLook time.Time `json:"nextLook,omitzero"`
}

// PageOf returns the page of a farm.
func PageOf(k controller.State) KeeperPage {
	state, person := k.Summary()
	page := KeeperPage{FarmState: k, State: state, NeedsPerson: person, CanBeUndone: k.CanRollBack()}
	if k.Unmanaged == "" && k.ActiveRun == nil && !k.InspectedAt.IsZero() {
		page.NextLook = k.NextInspectionAt()
	}
	page.Snapshot, page.SeenEventIDs = nil, nil
	return page
}

// Keeper writes a farm's page: until when the trust holds, what its keeper
// waits for, and what a person should do.
func Keeper(w io.Writer, k controller.State, now time.Time) error {
	var p page
	page := PageOf(k)
	head := page.State
	if page.NeedsPerson {
		head += ", a person is needed"
	}
	p.line("%s: %s", k.Farm, head)
	p.gap()
	p.table(kept(k, page, now)...)
	return p.flush(w)
}

// rows are the page's lines: a name and what there is to say.
type rows [][]string

func (r *rows) add(name, format string, args ...any) {
	*r = append(*r, []string{name, fmt.Sprintf(format, args...)})
}

func kept(k controller.State, page KeeperPage, now time.Time) [][]string {
	var r rows
	if k.Unmanaged != "" {
		r.add("paused", "%s", k.Unmanaged)
	}
	r.trust(k, now)
	r.work(k, page)
	r.ahead(k)
	return r
}

// trust tells the certificate in use, and until when it is good for.
func (r *rows) trust(k controller.State, now time.Time) {
	c := k.Current
	if c.Thumbprint == "" {
		return
	}
	switch {
	case c.NotAfter.After(now) && trusted(k.Next):
		r.add("trusted until", "%s, %s", minute(c.NotAfter), daysLeft(c.NotAfter, now))
	case c.NotAfter.After(now):
		r.add("ends on", "%s, %s", minute(c.NotAfter), daysLeft(c.NotAfter, now))
	default:
		r.add("not trusted", "%s: put a newer certificate into the source, then rotate", daysLeft(c.NotAfter, now))
		r.add("to rotate", "%s rotate %s", starter, k.Farm)
	}
	r.add("certificate", "%s", certificate(c.Thumbprint, c.FriendlyName, c.NotAfter))
}

// work tells the looks at the farm, and what was done and is being done.
func (r *rows) work(k controller.State, page KeeperPage) {
	if k.InspectedAt.IsZero() {
		r.add("last look", "none yet")
	} else {
		r.add("last look", "%s: %s", minute(k.InspectedAt), k.Next.Reason)
	}
	if !page.NextLook.IsZero() {
		r.add("next look", "%s", minute(page.NextLook))
	}
	if k.ActiveRun != nil {
		r.add("at work", "%s since %s: %s", k.ActiveRun.WorkflowID, minute(k.ActiveRun.Since), k.ActiveRun.Reason)
	}
	if k.LastRun.Outcome != "" || k.LastRun.Statement != "" {
		r.add("last work", "%s: %s: %s", minute(k.LastRun.At), known(string(k.LastRun.Outcome)), k.LastRun.Statement)
	}
}

// ahead tells what a person may do, and what comes by itself.
func (r *rows) ahead(k controller.State) {
	if k.Suspended != "" {
		r.add("held", "%s; until it is released, nothing is done by itself", k.Suspended)
		r.add("to release", "%s release %s --reason WHY", starter, k.Farm)
	}
	if k.CanRollBack() && k.ActiveRun == nil {
		r.add("can be undone", "back to %s", previousOf(k))
		r.add("to undo", "%s undo %s --reason WHY", starter, k.Farm)
	}
	if k.Retires() {
		r.add("soaks", "until %s; then the old certificate %s is retired", minute(k.RetainOldUntil), k.Snapshot.Previous.Thumbprint.Short())
	}
	if n := len(k.PendingEvents); n > 0 {
		r.add("events kept", "%d, judged when the work at hand has ended", n)
	}
}

// trusted says whether the last look found the farm as desired. Where something
// differs, the certificate in use may be one that SharePoint does not trust.
func trusted(next farm.Next) bool {
	return next.Action == farm.ActionAwaitCertificate || next.Action == farm.ActionNone && !next.NeedsOperator
}

func previousOf(k controller.State) string {
	if t := k.Snapshot.Previous.Thumbprint; t != "" {
		return t.Short()
	}
	return "nothing set up"
}
