package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWrongArgumentsAreToldWithTheHelpThatExplainsThem(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string
	}{
		{"rotate", []string{"name the farm", `run "starter rotate --help"`}},
		{"rotate a b", []string{"name one farm, not 2"}},
		{"plan", []string{"name the farm"}},
		{"plan a --nope", []string{"unknown flag: --nope", `run "starter plan --help"`}},
		{"plan a -o xml", []string{`unknown output "xml": use -o table or -o json`}},
		{"status a b", []string{"name one farm, not 2"}},
		{"status --watch", []string{"--watch needs a farm"}},
		{"event", []string{"name one file, or - for the standard input"}},
		{"check", []string{"name farms, or give --config FILE"}},
		{"check a --file-only", []string{"--file-only needs --config FILE"}},
		{"rotat a", []string{`unknown command "rotat"`, `run "starter --help"`}},
		{"event /no/such/file", []string{"read event: open /no/such/file"}},
		{"event - -config /no/such/file.yaml", []string{"standard input: decode event: body: ends in the middle"}},
		{"check --config /no/such/file.yaml", []string{"read configuration: open /no/such/file.yaml"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			start(t, strings.Fields(c.args)...).says(t, exitUsage, c.want...)
		})
	}
	t.Run("an empty name", func(t *testing.T) { start(t, "rotate", " ").says(t, exitUsage, "the name is empty") })
}

func TestErrorsAreOneJSONObjectWhereJSONIsAskedFor(t *testing.T) {
	got := start(t, "-o", "json", "event", "/no/such/file")
	got.says(t, exitUsage, "starter: read event")
	var told failure
	got.json(t, &told)
	if told.ExitCode != exitUsage || !strings.HasPrefix(told.Error, "read event: open /no/such/file") {
		t.Errorf("got %+v", told)
	}
}

// commands lists all commands that are ours.
func commands(a *app) []*cobra.Command {
	root := a.command()
	return append([]*cobra.Command{root}, root.Commands()...)
}

func TestEveryExampleInTheHelpIsACommandThatIsUnderstood(t *testing.T) {
	for _, c := range commands(&app{}) {
		if c.Example == "" || c.Long == "" {
			t.Errorf("%s lacks an example or a description", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			_, words, ok := strings.Cut(line, "starter ")
			if !ok {
				t.Errorf("%s: not an example: %q", c.CommandPath(), line)
				continue
			}
			// What stands after several blanks explains the example.
			words, _, _ = strings.Cut(words, "   ")
			a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
			root := a.command()
			command, rest, err := root.Find(unquoted(words))
			if err == nil {
				err = command.ParseFlags(rest)
			}
			if err == nil {
				err = command.ValidateArgs(command.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
		}
	}
}

// unquoted splits a command line at blanks outside double quotes.
func unquoted(line string) []string {
	quoted := false
	return strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

func TestHelpNamesEveryExitCode(t *testing.T) {
	got := start(t, "--help")
	got.says(t, exitOK)
	for _, code := range []int{exitOK, exitFailed, exitUsage, exitRefused, exitDiffers} {
		if !strings.Contains(got.out, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("exit code %d is not explained:\n%s", code, got.out)
		}
	}
}

func TestHelpFitsATerminalOf100Columns(t *testing.T) {
	for _, c := range commands(&app{}) {
		name := strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "starter"), " ")
		got := start(t, append(strings.Fields(name), "--help")...)
		for line := range strings.Lines(got.out) {
			if len(strings.TrimRight(line, "\n")) > 100 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("%s: too long, or not ASCII: %q", c.CommandPath(), line)
			}
		}
	}
}

func TestCompletionKnowsFarmsAndOutputs(t *testing.T) {
	config := file(t, "farmtrust.yaml", twoFarms)
	start(t, "__complete", "rotate", "--config", config, "").says(t, exitOK, "out:contoso\nfabrikam\n")
	start(t, "__complete", "plan", "x", "-o", "").says(t, exitOK, "out:table\njson\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		start(t, "completion", shell).says(t, exitOK, "out:starter")
	}
}
