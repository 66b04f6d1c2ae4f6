package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/keyring"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check the audit logs that workers write",
		Long: `Checks the files that a worker writes where its configuration has "audit": a line for
each decision, and before and after each change. It does not connect to Temporal.`,
		Example: `  farmtrust audit verify --seal-keys /etc/farmtrust/seal.keys /var/log/farmtrust/audit.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageErrorf("say what to do with which files: %s verify FILE...", c.CommandPath())
		},
	}
	c.AddCommand(a.auditVerifyCommand())
	return c
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var sealKeys string
	var marks []string
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Find lines of an audit log that are missing or were altered",
		Long: `Reads the files of one audit log, and checks that each line is as a worker wrote it, and
none is missing, put in or in another place. Give all files of the log: the one that is
written to, and those that were put aside when they were full.

With --seal-keys, the key ring that the workers have, it also checks that workers wrote
the lines. Without it, somebody who wrote all of them again is not found.

Lines that were cut off the end are found by --mark: the name of a line that was there
once, LOG:NUMBER:HASH. The worker's own log has such marks, syslog and the Windows event
log have each line ("log", "seq" and "hash"), and verify prints that of the last line:
keep it, and give it the next time. A mark also stands for files that are not kept any
more: give that of their last line.

The exit code is 1 if anything is wrong.`,
		Example: `  farmtrust audit verify --seal-keys /etc/farmtrust/seal.keys /var/log/farmtrust/audit.jsonl
  farmtrust audit verify audit.jsonl --mark 4kz2m5q7ww3a:4711:0f3c5a1be24d977a0f3c5a1be24d977a`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("name the files of the log")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.verifyAudit(args, sealKeys, marks) },
	}
	c.Flags().StringVar(&sealKeys, "seal-keys", "", "the key ring `file` that the workers seal with")
	c.Flags().StringArrayVar(&marks, "mark", nil, "a `mark` of a line that must be there; may be repeated")
	must(c.MarkFlagFilename("seal-keys"))
	return c
}

// verifiedAudit is what is shown of a log as JSON.
type verifiedAudit struct {
	audit.Verified

	// Sound reports whether nothing is wrong.
	Sound bool `json:"sound"`
	// Mark is that of the last line.
	Mark string `json:"mark,omitempty"`
}

func (a *app) verifyAudit(paths []string, sealKeys string, texts []string) error {
	var keys *keyring.Ring
	if sealKeys != "" {
		var err error
		if keys, err = keyring.Open(sealKeys); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	var marks []audit.Mark
	for _, text := range texts {
		mark, err := audit.ParseMark(text)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		marks = append(marks, mark)
	}
	found, err := audit.Verify(paths, keys, marks)
	if err != nil {
		return err
	}
	result := verifiedAudit{Verified: found, Sound: len(found.Problems) == 0}
	if found.Lines > 0 {
		result.Mark = found.Last.String()
	}
	if err := a.show(result, func(w io.Writer) error { return a.writeVerified(w, result, keys != nil) }); err != nil {
		return err
	}
	if !result.Sound {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (a *app) writeVerified(w io.Writer, v verifiedAudit, withKeys bool) error {
	for _, p := range v.Problems {
		if err := a.say(w, "%s", p); err != nil {
			return err
		}
	}
	if v.Lines == 0 {
		return nil
	}
	text := fmt.Sprintf("%d lines of log %s, %d to %d, from %s until %s", v.Lines, v.Last.Log, v.First.Seq, v.Last.Seq,
		v.From.Format("2006-01-02 15:04:05Z"), v.Until.Format("2006-01-02 15:04:05Z"))
	switch {
	case !v.Sound:
		text += ": NOT as they were written"
	case !withKeys:
		text += ": none is missing or altered, unless somebody wrote all of them again: give --seal-keys to find that too"
	default:
		text += ": as workers wrote them"
	}
	if v.Torn > 0 {
		text += fmt.Sprintf("; a crash cut %d", v.Torn)
	}
	if withKeys && v.Unchecked > 0 {
		text += fmt.Sprintf("; the keys of %d are not in the ring, and later lines vouch for them", v.Unchecked)
	}
	if err := a.say(w, "%s", text); err != nil {
		return err
	}
	return a.say(w, "the mark of the last line, to be kept elsewhere: %s", v.Mark)
}
