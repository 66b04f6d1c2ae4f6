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
)

// author is who asks or decides, and why. Reports name both; Temporal proves
// neither.
type author struct{ by, reason string }

func addAuthor(c *cobra.Command, who *author, reason string) {
	c.Flags().StringVar(&who.reason, "reason", "", reason)
	c.Flags().StringVar(&who.by, "by", "", "`who` asks or decides, as reports show it (default: your user@host)")
}

// requiredReason explains --reason where one must be given.
const requiredReason = "`why`, for those who read the report (asked for on a terminal)"

// sign makes sure that there is a name and a reason. On a terminal it asks for
// the reason.
func (a *app) sign(who *author) error {
	who.by = cmp.Or(who.by, whoami())
	if who.reason == "" && a.interactive {
		fmt.Fprint(a.err, "why, for those who read the report: ")
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read the reason: %w", err)
		}
		who.reason = strings.TrimSpace(line)
	}
	if who.reason == "" {
		return wrong("say why, for those who read the report: --reason WHY")
	}
	return nil
}

// interactive says whether somebody is there to answer questions.
func interactive(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// whoami is the person at the keyboard as far as the system knows: a help for
// readers of reports, not a proof.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
