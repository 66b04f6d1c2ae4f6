package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/report"
)

// addAuthorFlags adds --by and --reason, and what proves who decides.
func addAuthorFlags(c *cobra.Command, by *client.Author, reason string) {
	c.Flags().StringVar(&by.Reason, "reason", "", reason)
	c.Flags().StringVar(&by.By, "by", "", "your `name` in reports (default: your user@host)")
	p := &prover{}
	by.Prove = p.prove
	p.addFlags(c)
}

// requiredReason is the help of --reason where one must be given.
const requiredReason = "the `reason` that the report shows (asked for on a terminal)"

// completeAuthor makes sure that there is a name and a reason. On a terminal it
// asks for the reason.
func (a *app) completeAuthor(by *client.Author) error {
	by.By = cmp.Or(by.By, currentUser())
	if by.Reason == "" && a.interactive {
		fmt.Fprint(a.err, "reason, as the report shows it: ")
		line, err := a.readLine()
		if err != nil {
			return fmt.Errorf("read the reason: %w", err)
		}
		by.Reason = line
	}
	if by.Reason == "" {
		return usageErrorf("give the reason, which the report shows: --reason WHY")
	}
	return nil
}

// readLine reads what an operator types, without the blanks around it. It reads no more
// than that: there may be another question.
func (a *app) readLine() (string, error) {
	var line strings.Builder
	for one := make([]byte, 1); ; {
		n, err := a.in.Read(one)
		if n > 0 && one[0] != '\n' {
			line.WriteByte(one[0])
		}
		switch {
		case n > 0 && one[0] == '\n' || err == io.EOF:
			return strings.TrimSpace(line.String()), nil
		case err != nil:
			return "", err
		}
	}
}

// addYesFlag adds --yes.
func addYesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do not ask whether to go on (on a terminal)")
}

// confirm asks an operator on a terminal whether to go on, once what follows is said.
// Where nobody is there to answer, what was typed counts.
func (a *app) confirm(farmName, follows string) error {
	fmt.Fprintf(a.err, "%s: %s\ngo on? [y/N] ", farmName, report.CleanText(follows))
	line, err := a.readLine()
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer := strings.ToLower(line); answer != "y" && answer != "yes" {
		return &exitError{code: exitRefused, err: fmt.Errorf("%s: not confirmed; nothing was changed", farmName)}
	}
	return nil
}

// isTerminal reports whether an operator is there to answer questions.
func isTerminal(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// currentUser is who runs the program, as far as the system knows. It helps
// readers of reports, and proves nothing.
func currentUser() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
