package report

import (
	"regexp"
	"strings"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Command is a command of the command line, complete: it can be pasted, and
// works without a terminal that could ask for the rest.
type Command struct {
	// Name is what an operator decides by it, as in "roll back"; empty where it decides
	// nothing.
	Name string
	// Effect is what it does: after a name in the third person, as in "restarts 7
	// servers", and otherwise to be read after "to".
	Effect string
	// Args are the arguments after the program's name.
	Args []string
}

// newCommand returns the command that a verb, a farm and further arguments
// make.
func newCommand(effect, verb, farmName string, args ...string) Command {
	return Command{Effect: effect, Args: append([]string{verb, farmName}, args...)}
}

// Heading says what the command is for.
func (c Command) Heading() string {
	if c.Name == "" {
		return "to " + c.Effect
	}
	return joinNonEmpty(": ", c.Name, c.Effect)
}

// withReason adds the reason that a command fails without where nobody can be
// asked for it. WHY is to be replaced, but is accepted too.
func (c Command) withReason() Command {
	c.Args = append(c.Args, "--reason", "WHY")
	return c
}

// Line is the command as it is typed, with the program as it is called.
func (c Command) Line(program string) string {
	words := []string{program}
	for _, arg := range c.Args {
		words = append(words, QuoteArgument(arg))
	}
	return strings.Join(words, " ")
}

// plainArgument matches what no shell takes apart: neither POSIX shells nor
// PowerShell nor cmd.
var plainArgument = regexp.MustCompile(`^[A-Za-z0-9._/:=+-][A-Za-z0-9._/:=+@-]*$`)

// QuoteArgument quotes an argument that a shell would take apart. Double quotes
// are understood by all shells, but leave some characters their meaning in
// some; where one of those occurs, it is quoted for a POSIX shell.
func QuoteArgument(arg string) string {
	arg = CleanText(arg)
	switch {
	case plainArgument.MatchString(arg):
		return arg
	case !strings.ContainsAny(arg, "\"\\$`!%"):
		return `"` + arg + `"`
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// The commands. Each is made here and nowhere else.

// ApproveCommand is the command that approves what waits.
func ApproveCommand(effect, farmName, digest string) Command {
	return newCommand(effect, string(farm.Approve), farmName, digest).withReason()
}

// ResumeCommand is the command that ends a suspension.
func ResumeCommand(farmName string) Command {
	return newCommand("end the suspension", string(controller.RequestResume), farmName).withReason()
}

// ReleaseCommand is the command that lets a farm be rotated by itself.
func ReleaseCommand(farmName string) Command {
	return newCommand("let it be rotated by itself", string(controller.RequestRelease), farmName).withReason()
}

// AcceptCommand is the command that accepts that SharePoint trusts a certificate.
func AcceptCommand(farmName string, thumbprint farm.Thumbprint) Command {
	return newCommand("accept it, once you know who has it trusted and why", string(controller.RequestAccept), farmName, string(thumbprint)).withReason()
}

// WithdrawCommand is the command that takes back a request that waits.
func WithdrawCommand(farmName string) Command {
	return newCommand("withdraw what was asked for", string(controller.RequestWithdraw), farmName).withReason()
}

// CancelCommand is the command that stops what runs, and puts back what it has changed.
func CancelCommand(farmName string) Command {
	return newCommand("stop it, put back what it has changed, and suspend the farm", string(farm.Cancel), farmName).withReason()
}

// PostponeCommand is the command that has nothing begin before a time, as it is
// understood by [farm.ParseUntil].
func PostponeCommand(farmName, until string) Command {
	return newCommand("have it wait until then", string(farm.Postpone), farmName, "--until", until).withReason()
}

// ForgetCommand is the command that ends the controller of a farm that is gone.
func ForgetCommand(farmName string) Command {
	return newCommand("forget a farm that is gone", string(controller.RequestForget), farmName).withReason()
}

// RollBackCommand is the command that rolls back a rotation, while it waits or
// afterwards.
func RollBackCommand(effect, farmName string) Command {
	return newCommand(effect, string(farm.RollBack), farmName).withReason()
}

// UndoCommand is the command that goes back behind a rotation that was verified.
func UndoCommand(effect, farmName string) Command {
	return newCommand(effect, string(controller.RequestUndo), farmName).withReason()
}

// ForwardCommand is the command that leaves a way back that is blocked.
func ForwardCommand(farmName string) Command {
	return newCommand("go forward to the new certificate after all", string(farm.Forward), farmName).withReason()
}

// RotateCommand is the command that rotates now.
func RotateCommand(effect, farmName string) Command {
	return newCommand(effect, string(controller.RequestRotate), farmName)
}

// RetryCommand is the command that tries all blocked steps again.
func RetryCommand(farmName string) Command {
	return newCommand("try again", string(farm.Retry), farmName).withReason()
}

// RotateAcceptingCommand is the command that rotates in spite of findings.
func RotateAcceptingCommand(farmName string, compromised bool, refs ...string) Command {
	c := RotateCommand("rotate all the same", farmName)
	if compromised {
		c.Args = append(c.Args, "--compromised")
	}
	return c.accepting(refs)
}

// RetryAcceptingCommand is the command that accepts what blocks a run, and tries
// again.
func RetryAcceptingCommand(farmName string, refs ...string) Command {
	return newCommand("accept what was found, and go on", string(farm.Retry), farmName).accepting(refs)
}

// accepting adds what a command accepts, and the reason that this takes.
func (c Command) accepting(refs []string) Command {
	for _, ref := range refs {
		c.Args = append(c.Args, "--accept", ref)
	}
	return c.withReason()
}

// SkipCommand is the command that leaves a server out, by force if it still serves
// users.
func SkipCommand(farmName, server string, force bool) Command {
	c := newCommand("continue without "+server, string(farm.Skip), farmName, "--server", server)
	if force {
		c.Args = append(c.Args, "--force")
	}
	return c.withReason()
}

// decisionCommand is the command that decides for an option, with the option's effect;
// false where it is not known how, as of a newer version.
func decisionCommand(farmName, digest string, o farm.Option) (Command, bool) {
	var c Command
	name := string(o.Choice)
	switch o.Choice {
	case farm.Approve:
		c = ApproveCommand("", farmName, digest)
	case farm.Retry:
		if c = RetryCommand(farmName); len(o.Accept) > 0 {
			name, c = "accept", RetryAcceptingCommand(farmName, o.Accept...)
		}
	case farm.Skip:
		name, c = "skip "+o.Server, SkipCommand(farmName, o.Server, o.Force)
	case farm.RollBack:
		name, c = "roll back", RollBackCommand("", farmName)
	case farm.Forward:
		c = ForwardCommand(farmName)
	case farm.Abort:
		c = AbortCommand("", farmName)
	case farm.Postpone:
		c = PostponeCommand(farmName, "18h")
	default:
		return c, false
	}
	c.Name, c.Effect = name, o.Effect
	return c, true
}

// AbortCommand is the command that ends a run that waits, and leaves everything as it
// is.
func AbortCommand(effect, farmName string) Command {
	return newCommand(effect, string(farm.Abort), farmName).withReason()
}

// StatusCommand is the command that shows all that is known of a farm.
func StatusCommand(farmName string) Command {
	return newCommand("see everything", "status", farmName)
}

// EveryStepCommand is the command that shows each step of what runs, or of what ran
// last.
func EveryStepCommand(farmName string, ended bool) Command {
	if ended {
		return newCommand("see each of them", "report", farmName)
	}
	return newCommand("see each of them", "status", farmName, "--all")
}

// WatchCommand is the command that shows a run until it ends.
func WatchCommand(farmName string) Command {
	return newCommand("watch it", "status", farmName, "--watch")
}

// PlanCommand is the command that shows what a rotation would do.
func PlanCommand(farmName string) Command {
	return newCommand("see what a rotation would do", "plan", farmName)
}

// EveryCommand returns one of each command that is ever shown, for tests that
// the command line understands them.
func EveryCommand(farmName, digest, server string) []Command {
	return []Command{
		ApproveCommand("begin the cutover", farmName, digest), RetryCommand(farmName),
		SkipCommand(farmName, server, false), SkipCommand(farmName, server, true),
		RollBackCommand("roll back", farmName), UndoCommand("undo", farmName), ForwardCommand(farmName), AbortCommand("stop", farmName), ResumeCommand(farmName), ForgetCommand(farmName),
		ReleaseCommand(farmName), WithdrawCommand(farmName), CancelCommand(farmName), PostponeCommand(farmName, "18h"),
		RotateCommand("rotate", farmName), RotateAcceptingCommand(farmName, false, "pending-reboot@"+server),
		RotateAcceptingCommand(farmName, true, "pending-reboot"), RetryAcceptingCommand(farmName, "pending-reboot@"+server), StatusCommand(farmName), EveryStepCommand(farmName, true), EveryStepCommand(farmName, false), WatchCommand(farmName), PlanCommand(farmName),
	}
}
