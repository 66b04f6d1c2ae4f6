package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

const rotateHelp = `Asks the controller of a farm to rotate to the newest certificate of its source. This
sets up the trust between the servers, renews it, or finishes what an earlier rotation
left undone. If everything is as desired, nothing is changed.

It then shows each step until the rotation ends, and its report. If the rotation waits
for an approval, a maintenance window or a decision, it says so and shows the commands
that decide. Ctrl-C stops watching; the rotation continues. Until the controller has
begun it, Ctrl-C withdraws the request, and --expires bounds how long it waits.

A farm that nobody has released is rotated once, and is not released by that: its next
rotation takes another request, or "farmtrust release".

A farm has one rotation at a time: if one is running, this attaches to it.

--compromised means that the certificate in use must not be trusted any longer. The
rotation to another one then waits neither for approval nor for the window, and can
never be rolled back. The old certificate is retired at once; only its deletion waits
for approval.

--except leaves out an office server that is not yours any more, and may be repeated: the
rotation reads nothing there, changes nothing, and brings no new key. It ends as
"partial". The master cannot be left out: make another server the master first. It goes
with --compromised only; what blocks any other rotation is left out by "farmtrust skip".

--accept names a finding that would stop the rotation, as CODE or CODE@SERVER, and may
be repeated; "farmtrust plan" shows what can be accepted. The report shows it with your
name and reason. With it the request is refused while a rotation is running; what blocks
that one is accepted by "farmtrust retry --accept".`

func (a *app) rotateCommand() *cobra.Command {
	var by client.Author
	var accept, except []string
	var compromised, detach bool
	var expires time.Duration
	c := &cobra.Command{
		Use:   "rotate FARM",
		Short: "Rotate a farm to its newest certificate, and watch",
		Long:  rotateHelp,
		Example: `  farmtrust rotate contoso
  farmtrust rotate contoso --reason "change 4711"
  farmtrust rotate contoso --accept pending-reboot@oos-02.contoso.com --reason "patched today"
  farmtrust rotate contoso --compromised --reason "key was copied, incident 12"
  farmtrust rotate contoso --compromised --except oos-03.contoso.com --reason "incident 12"
  farmtrust rotate contoso --detach -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkAccept(accept); err != nil {
				return err
			}
			if err := checkExcept(except, compromised); err != nil {
				return err
			}
			if compromised || len(accept) > 0 {
				if err := a.completeAuthor(&by); err != nil {
					return err
				}
			}
			by.By = cmp.Or(by.By, currentUser())
			return a.rotate(cmd.Context(), args[0], rotation{by, accept, except, compromised, detach, expires})
		},
	}
	addAuthorFlags(c, &by, "the `reason` that the report shows; required with --compromised and --accept")
	addAcceptFlag(c, &accept)
	c.Flags().BoolVar(&compromised, "compromised", false, "the certificate in use must not be trusted any longer")
	c.Flags().StringArrayVar(&except, "except", nil, "an office `server` to leave out from the start; with --compromised only")
	addDetachFlag(c, &detach)
	addExpiresFlag(c, &expires)
	return c
}

// checkExcept refuses to leave servers out from the start of an ordinary rotation.
func checkExcept(except []string, compromised bool) error {
	switch {
	case len(except) > 0 && !compromised:
		return usageErrorf("--except goes with --compromised; a server that blocks any other rotation is left out by \"farmtrust skip\"")
	case slices.Contains(except, ""):
		return usageErrorf("--except: name the host of an office server")
	}
	return nil
}

// addExpiresFlag adds --expires.
func addExpiresFlag(c *cobra.Command, expires *time.Duration) {
	c.Flags().DurationVar(expires, "expires", client.DefaultExpiry, "how `long` the request may wait to be begun")
}

func addDetachFlag(c *cobra.Command, detach *bool) {
	c.Flags().BoolVar(detach, "detach", false, "return as soon as it is accepted, instead of watching")
}

// rotation is what is asked of a rotation.
type rotation struct {
	by                  client.Author
	accept, except      []string
	compromised, detach bool
	expires             time.Duration
}

// rotate requests a rotation, and watches it.
func (a *app) rotate(ctx context.Context, farmName string, asked rotation) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	if asked.by.Reason == "" {
		asked.by.Reason = defaultReason(ctx, f)
	}
	f = f.Expiring(asked.expires)
	var run *client.Run
	if asked.compromised {
		run, err = f.ReplaceCompromised(ctx, asked.by, asked.except, asked.accept...)
	} else {
		run, err = f.Rotate(ctx, asked.by, asked.accept...)
	}
	if err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	if run.Attached {
		a.tell("%s is already being rotated: attached to that rotation; no second one was started for: %s", farmName, asked.by.Reason)
	}
	return a.watchUnlessDetached(ctx, farmName, run, asked.detach, farm.Verified, farm.NoChange)
}

// watchUnlessDetached watches a run that was requested, or says that the request
// was accepted.
func (a *app) watchUnlessDetached(ctx context.Context, farmName string, run *client.Run, detach bool, wanted ...farm.Outcome) error {
	if detach {
		return a.showAcceptance(acceptance{Farm: farmName, WorkflowID: run.ID(), RunID: run.RunID(), Attached: run.Attached})
	}
	return a.watchRun(ctx, farmName, run, a.err, wanted...)
}

// explainRequest says why a request or a decision was not accepted.
func (a *app) explainRequest(ctx context.Context, farmName string, err error) error {
	abandoned, given := errors.AsType[*client.AbandonedError](err)
	switch refused, ok := errors.AsType[*client.RefusedError](err); {
	case given:
		return fmt.Errorf("%s: interrupted: %w", farmName, abandoned)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted; to see whether the request was accepted: %s", farmName, a.commandLine(report.StatusCommand(farmName)))
	case ok:
		return fmt.Errorf("%s: refused: %s", farmName, refused.Reason)
	}
	return fmt.Errorf("%s: %w", farmName, a.explain(ctx, err))
}

// defaultReason is used when --reason is not given: that the certificate has
// expired, or nothing in particular.
func defaultReason(ctx context.Context, f client.Farm) string {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	// A controller that does not answer costs no more than these words.
	state, err := f.State(ctx)
	if c := state.Inspected.Current; err == nil && c.Thumbprint != "" && !c.NotAfter.After(time.Now()) {
		return fmt.Sprintf("certificate %s expired on %s", c.Thumbprint.Short(), farm.FormatTime(c.NotAfter))
	}
	return "requested on the command line"
}

// acceptance is the JSON object for what was accepted and is not watched.
type acceptance struct {
	Farm       string `json:"farm"`
	WorkflowID string `json:"workflowId"`
	// RunID is empty for what the controller only noted.
	RunID string `json:"runId,omitempty"`
	// Attached reports whether it was running already.
	Attached bool `json:"attached"`
}

func (a *app) showAcceptance(accepted acceptance) error {
	return a.show(accepted, func(w io.Writer) error {
		workflow := accepted.WorkflowID
		if accepted.RunID != "" {
			workflow += ", run " + accepted.RunID
		}
		return a.say(w, "%s: accepted by workflow %s; to see what it does: %s", accepted.Farm, workflow, a.commandLine(report.StatusCommand(accepted.Farm)))
	})
}
