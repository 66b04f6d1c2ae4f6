package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// awaitApproval waits until a person approves the digest of exactly these
// differences. A person who ordered the rotation because the certificate is
// compromised has approved by that.
func (r *rotation) awaitApproval(ctx workflow.Context) error {
	if !r.farm.Rotation.Approval || r.input.Intent == farm.ReplaceCompromised {
		return nil
	}
	return r.askFor(ctx, farm.Digest(r.target.Thumbprint, r.planned), func(digest string) string {
		if r.decisions.noWayBack != "" {
			return fmt.Sprintf("approve %s, or abort; there is no way back: %s", digest, r.decisions.noWayBack)
		}
		return fmt.Sprintf("approve %s, or roll back what is staged", digest)
	})
}

// askFor waits until a person approves a digest, or decides to end it.
func (r *rotation) askFor(ctx workflow.Context, digest string, text func(digest string) string) error {
	r.decisions.asking = digest
	r.progress.wait(&Wait{For: ForApproval, Digest: digest, Text: text(digest)})
	if err := r.progress.needs(ctx, true); err != nil {
		return err
	}
	err := workflow.Await(ctx, func() bool { return r.decisions.approved == r.decisions.asking || r.decisions.verdict != "" })
	r.decisions.asking = ""
	r.progress.wait(nil)
	if err != nil {
		return err
	}
	if err := r.progress.needs(ctx, false); err != nil {
		return err
	}
	return r.decisions.ended()
}

// awaitWindow waits for the next opening that the switch fits into. It gates
// only the beginning: a window that closes during the switch stops nothing,
// because stopping half-way would be worse.
func (r *rotation) awaitWindow(ctx workflow.Context) error {
	if r.farm.Rotation.Window.IsZero() || r.input.Intent == farm.ReplaceCompromised {
		return nil
	}
	var next activities.NextOpening
	err := workflow.ExecuteActivity(deciding(ctx, "find the next maintenance window"), a.FindOpening, activities.OpeningInput{
		Window: r.farm.Rotation.Window, Now: workflow.Now(ctx), Need: r.farm.CutoverEstimate(),
	}).Get(ctx, &next)
	if err != nil {
		return err
	}
	r.opening = next.Opening
	pause := next.Opening.From.Sub(workflow.Now(ctx))
	if pause <= 0 {
		return nil
	}
	r.progress.wait(&Wait{
		For: ForWindow, Until: next.Opening.From,
		Text: fmt.Sprintf("the window %s opens; the switch takes about %s", r.farm.Rotation.Window, r.farm.CutoverEstimate()),
	})
	r.progress.show(ctx)
	err = r.await(ctx, true, pause, "maintenance window", func() bool { return r.decisions.verdict != "" })
	r.progress.wait(nil)
	return errors.Join(err, r.decisions.ended())
}

// lateness is granted to a switch, for the look before it takes of the window.
const lateness = 15 * time.Minute

// missedWindow says whether the switch does not fit any more into the opening
// that was waited for: a park lasted, or no worker ran when it came.
func (r *rotation) missedWindow(ctx workflow.Context) bool {
	ends := workflow.Now(ctx).Add(r.farm.CutoverEstimate() - lateness)
	return !r.opening.To.IsZero() && ends.After(r.opening.To) && since(ctx, missesWindow)
}

// lookAgain holds the switch unless the farm is what was found at first plus
// what was staged: whoever planned or approved did so for that state. Where
// the window is over by then, the next one is waited for.
func (r *rotation) lookAgain(ctx workflow.Context) error {
	for {
		began := workflow.Now(ctx)
		if err := r.seeUnmoved(ctx); err != nil {
			return err
		}
		if !r.decisions.parkedSince(began) && !r.missedWindow(ctx) {
			return nil
		}
		if err := r.awaitWindow(ctx); err != nil {
			return err
		}
	}
}

func (r *rotation) seeUnmoved(ctx workflow.Context) error {
	for {
		comparison, err := r.compareOrPark(ctx, farm.StepRecheck)
		if err != nil {
			return err
		}
		cause := r.holds(ctx, comparison)
		if cause == nil {
			return nil
		}
		master, _ := r.observed.Master()
		if choice, err := r.park(ctx, master.Machine.Host, farm.StepRecheck, cause); err != nil || !goesOn(choice) {
			return errors.Join(err, errDecided)
		}
	}
}

// holds is what keeps the switch from beginning: the farm is not as it was
// planned for, or would be refused now.
func (r *rotation) holds(ctx workflow.Context, c activities.Comparison) error {
	if moved := farm.Drift(r.notSkipped(r.planned), r.notSkipped(c.Differences)); len(moved) > 0 {
		return fmt.Errorf("the farm moved since it was planned: %s: set it back and retry, or roll back and start anew", strings.Join(moved, "; "))
	}
	stops := slices.DeleteFunc(farm.Stops(c.Findings), func(f farm.Finding) bool { return slices.Contains(r.decisions.skipped, f.Server) })
	if len(stops) > 0 && since(ctx, seesStops) {
		return fmt.Errorf("since it was planned: %s", explain(stopped(stops)))
	}
	return nil
}
