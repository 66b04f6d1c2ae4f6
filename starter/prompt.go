package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/farmtrust/farmtrust/internal/client"
)

// addAuthorFlags adds --by and --reason.
func addAuthorFlags(c *cobra.Command, by *client.Author, reason string) {
	c.Flags().StringVar(&by.Reason, "reason", "", reason)
	c.Flags().StringVar(&by.By, "by", "", "your `name` in reports (default: your user@host)")
}

// requiredReason is the help of --reason where one must be given.
const requiredReason = "the `reason` that the report shows (asked for on a terminal)"

// completeAuthor makes sure that there is a name and a reason. On a terminal it
// asks for the reason.
func (a *app) completeAuthor(by *client.Author) error {
	by.By = cmp.Or(by.By, currentUser())
	if by.Reason == "" && a.interactive {
		fmt.Fprint(a.err, "reason, as the report shows it: ")
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read the reason: %w", err)
		}
		by.Reason = strings.TrimSpace(line)
	}
	if by.Reason == "" {
		return usageErrorf("give the reason, which the report shows: --reason WHY")
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
