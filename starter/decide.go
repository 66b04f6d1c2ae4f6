package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) approveCommand() *cobra.Command {
	return a.decisionCommand(farm.Approve, &cobra.Command{
		Use:   "approve FARM [DIGEST]",
		Short: "Approve exactly what a digest stands for: a cutover, or a deletion",
		Long: `Approves what waits for approval: the cutover of a rotation, an undo, or the deletion of
an old certificate by its retirement. The digest stands for exactly what is shown with it:
the run, every change that users notice, the restarts, the servers that are left out, what
was accepted, and the window. If any of that changes, so does the digest, and an approval
of the old one is refused. It serves once.

Without a digest it shows what waits, and approves nothing: exit code 4. After an
approval, the deletion begins at once, and the cutover as soon as the maintenance
window allows it.`,
		Example: `  farmtrust approve contoso                   what waits, and its digest
  farmtrust approve contoso -o html > approval.html
  farmtrust approve contoso 1a2b3c4d5e6f --reason "change 4711"`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] != "" {
				args = args[:1]
			}
			return oneFarm(c, args)
		},
	}, nil)
}

func (a *app) retryCommand() *cobra.Command {
	return a.decisionCommand(farm.Retry, &cobra.Command{
		Use:   "retry FARM",
		Short: "Try blocked steps again, on one server or all",
		Long: `Tries blocked steps again, those of one server or all, once you have removed what made
them fail: "farmtrust status" shows that. The rotation then continues; if a step fails
again, it blocks again.

Before the cutover a finding may block the rotation that was not there when it began.
--accept goes on in spite of it; where the rotation was approved, it then waits for
another approval, which covers what is accepted.`,
		Example: `  farmtrust retry contoso --reason "WinRM is back"
  farmtrust retry contoso --accept pending-reboot@oos-02.contoso.com --reason "patched today"
  farmtrust retry contoso --server oos-02.contoso.com --reason "rebooted"`,
	}, func(c *cobra.Command, d *farm.Decision) {
		c.Flags().StringVar(&d.Server, "server", "", "only the steps of this `server` (default: all that are blocked)")
		addAcceptFlag(c, &d.Accept)
	})
}

func (a *app) skipCommand() *cobra.Command {
	return a.decisionCommand(farm.Skip, &cobra.Command{
		Use:   "skip FARM --server HOST",
		Short: "Continue without a server on which a step is blocked",
		Long: `Leaves a server out of the rotation, which then ends as "partial": the server keeps what
it has, and data refreshes fail on it while it serves users. Afterwards the farm is
suspended until "farmtrust resume".

It is refused for the master of an office farm and for the front end of a SharePoint farm.
It is also refused for a server that still belongs to its farm, unless --force is given.`,
		Example: `  farmtrust skip contoso --server oos-03.contoso.com --reason "taken out of the farm"
  farmtrust skip contoso --server oos-03.contoso.com --force --reason "scrapped tomorrow"`,
	}, func(c *cobra.Command, d *farm.Decision) {
		c.Flags().StringVar(&d.Server, "server", "", "the `server` to leave out")
		c.Flags().BoolVar(&d.Force, "force", false, "skip it even if it still serves users")
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := oneFarm(cmd, args); err != nil {
				return err
			}
			if d.Server == "" { // said before anybody is asked for a reason
				return usageErrorf("skip: name the server: --server HOST")
			}
			return nil
		}
	})
}

func (a *app) forwardCommand() *cobra.Command {
	return a.decisionCommand(farm.Forward, &cobra.Command{
		Use:   "forward FARM",
		Short: "Leave a rollback that is blocked, and carry the rotation out after all",
		Long: `Ends a rollback or an undo on which a step is blocked, and does what the rotation was to
do: every server gets the new certificate, and is restarted where it has not loaded it. If
that fails, it blocks as a rotation does, and can be rolled back again.`,
		Example: `  farmtrust forward contoso --reason "sp-02 refuses the old certificate"`,
	}, nil)
}

func (a *app) abortCommand() *cobra.Command {
	return a.decisionCommand(farm.Abort, &cobra.Command{
		Use:   "abort FARM",
		Short: "End a rotation that waits, and leave everything as it is",
		Long: `Ends a rotation that waits, and leaves everything as it is now, even half-way. Its
report lists what still differs, and the farm is suspended until "farmtrust resume".
To restore what was there before, use "farmtrust rollback" instead.

If the retirement of an old certificate waits, abort ends that instead: the certificate
is kept until it is due again, and the farm is not suspended.`,
		Example: `  farmtrust abort contoso --reason "repaired by hand, see ticket 12"`,
	}, nil)
}

// decisionCommand completes the command of a choice.
func (a *app) decisionCommand(choice farm.Choice, c *cobra.Command, addFlags func(*cobra.Command, *farm.Decision)) *cobra.Command {
	var by client.Author
	var yes bool
	d := farm.Decision{Choice: choice}
	c.ValidArgsFunction = a.completeFarm
	if c.Args == nil {
		c.Args = oneFarm
	}
	addAuthorFlags(c, &by, requiredReason)
	if choice == farm.Abort || choice == farm.Skip {
		addYesFlag(c, &yes)
	}
	if addFlags != nil {
		addFlags(c, &d)
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if choice == farm.Approve {
			if len(args) == 1 {
				return a.showApproval(cmd.Context(), args[0])
			}
			d.Digest = args[1]
		}
		if err := a.completeAuthor(&by); err != nil {
			return err
		}
		d.By, d.Reason = by.By, by.Reason
		if err := d.Validate(); err != nil {
			return usageErrorf("%w", err)
		}
		return a.decide(cmd.Context(), args[0], by, d, yes)
	}
	return c
}

// decidedRun is the JSON object for a decision that was accepted.
type decidedRun struct {
	Farm       string `json:"farm"`
	WorkflowID string `json:"workflowId"`
	farm.Decision
}

// decide takes a decision to what runs. On a terminal it asks before one that leaves the
// farm half-way.
func (a *app) decide(ctx context.Context, farmName string, by client.Author, d farm.Decision, yes bool) error {
	run, err := a.findRun(ctx, farmName)
	if err != nil {
		return err
	}
	wait := a.askWait(ctx, run)
	if leavesHalfWay := d.Choice == farm.Abort || d.Choice == farm.Skip && d.Force; leavesHalfWay && a.interactive && !yes {
		if err := a.confirm(farmName, describeDecision(wait, d)); err != nil {
			return err
		}
	}
	if err := run.DecideAs(ctx, farmName, by, d); err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	return a.show(decidedRun{farmName, run.ID(), d}, func(w io.Writer) error {
		return a.say(w, "%s Watch it: %s", replyTo(wait, d, time.Now()), a.commandLine(report.WatchCommand(farmName)))
	})
}

// askWait asks a run what it waits for; the zero value where that is not known. The
// decision does not depend on it.
func (a *app) askWait(ctx context.Context, run *client.Run) farm.Wait {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	s, err := run.Status(ctx)
	if err != nil || s.Wait == nil {
		return farm.Wait{}
	}
	return *s.Wait
}

// describeDecision says what a decision does, in the words of the run.
func describeDecision(w farm.Wait, d farm.Decision) string {
	for _, o := range w.Options {
		if o.Choice == d.Choice && strings.EqualFold(o.Server, d.Server) && (len(o.Accept) > 0) == (len(d.Accept) > 0) {
			return fmt.Sprintf("%s: %s", d.Choice, o.Effect)
		}
	}
	return string(d.Choice) + " " + d.Server
}

// replyTo says what follows a decision that was accepted.
func replyTo(w farm.Wait, d farm.Decision, now time.Time) string {
	if d.Choice != farm.Approve {
		return "Accepted. " + strings.TrimSpace(describeDecision(w, d)) + "."
	}
	if w.Approval == nil || w.Approval.What == "" {
		return "Approved."
	}
	what := strings.ToUpper(w.Approval.What[:1]) + w.Approval.What[1:]
	if from := w.Approval.Opening.From; from.After(now) {
		return fmt.Sprintf("Approved. %s begins in the window, at %s.", what, farm.FormatTime(from))
	}
	return fmt.Sprintf("Approved. %s begins now.", what)
}

// findRun finds the run that a decision is about.
func (a *app) findRun(ctx context.Context, farmName string) (*client.Run, error) {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return nil, err
	}
	run, err := f.Active(ctx)
	switch {
	case err != nil:
		return nil, a.explain(ctx, err)
	case run == nil:
		return nil, fmt.Errorf("%s: nothing is running, so there is nothing to decide: %s", farmName, a.commandLine(report.StatusCommand(farmName)))
	}
	return run, nil
}

// showApproval shows what waits for approval, and approves nothing.
func (a *app) showApproval(ctx context.Context, farmName string) error {
	run, err := a.findRun(ctx, farmName)
	if err != nil {
		return err
	}
	s, err := run.Status(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", farmName, err)
	case s.Wait == nil || s.Wait.For != farm.ForApproval:
		return fmt.Errorf("%s: nothing waits for approval now: %s", farmName, a.commandLine(report.StatusCommand(farmName)))
	}
	if err := a.showStatus(s); err != nil {
		return err
	}
	return &exitError{code: exitDiffers, err: fmt.Errorf("%s: nothing is approved yet; to approve exactly this: %s", farmName, a.commandLine(report.ApproveCommand("", farmName, s.Wait.Digest)))}
}
