package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/report"
)

func TestUsage_WrongArguments(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string
	}{
		{"rotate", []string{"name the farm", `run "farmtrust rotate --help"`}},
		{"rotate a b", []string{"name one farm, not 2"}},
		{"plan", []string{"name the farm"}},
		{"plan a --nope", []string{"unknown flag: --nope", `run "farmtrust plan --help"`}},
		{"plan a -o xml", []string{`unknown output "xml": use -o table or -o json`}},
		{"plan a --accept pending-reboot", []string{"give the reason, which the report shows: --reason WHY"}},
		{"rotate a --accept pending-reboot", []string{"give the reason, which the report shows: --reason WHY"}},
		{"rotate a --accept masters-differ@oos-01 --reason why", []string{"accept masters-differ@oos-01: it can never be accepted: the servers belong to different farms"}},
		{"plan a --accept masters-differ --reason why", []string{"accept masters-differ: it can never be accepted"}},
		{"retry a --accept masters-differ --reason why", []string{"accept masters-differ: it can never be accepted"}},
		{"rotate a --accept fips --reason why", []string{"no such finding stops a rotation; these can be accepted: pending-reboot, "}},
		{"rotate a --accept @oos-01 --reason why", []string{"give the code of a finding, or CODE@SERVER"}},
		{"status a b", []string{"name one farm, not 2"}},
		{"status --watch", []string{"--watch needs a farm"}},
		{"event", []string{"name one file, or - for standard input"}},
		{"check", []string{"name farms, or give --config FILE"}},
		{"check a --file-only", []string{"--file-only needs --config FILE"}},
		{"rotat a", []string{`unknown command "rotat"`, `run "farmtrust --help"`}},
		{"event /no/such/file", []string{"read event: open /no/such/file"}},
		{"event - -config /no/such/file.yaml", []string{"standard input: decode event: body: ends in the middle"}},
		{"check --config /no/such/file.yaml", []string{"read configuration: open /no/such/file.yaml"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			runProgram(t, strings.Fields(c.args)...).assertExit(t, exitUsage, c.want...)
		})
	}
	t.Run("an empty name", func(t *testing.T) { runProgram(t, "rotate", " ").assertExit(t, exitUsage, "the name is empty") })
}

func TestUsage_ErrorIsOneJSONObjectWhereJSONIsAskedFor(t *testing.T) {
	got := runProgram(t, "-o", "json", "event", "/no/such/file")
	got.assertExit(t, exitUsage, "farmtrust: read event")
	var shown failure
	got.readJSON(t, &shown)
	assertEqual(t, shown, failure{ExitCode: exitUsage, Error: "read event: open /no/such/file: no such file or directory"})
}

// allCommands are the root command and those that are ours.
func allCommands(a *app) []*cobra.Command {
	return withSubcommands(a.newRoot())
}

func TestHelp_EveryExampleIsACommandThatIsUnderstood(t *testing.T) {
	for _, c := range allCommands(&app{}) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			if c.Example == "" || c.Long == "" {
				t.Error("lacks an example or a description")
			}
			for line := range strings.Lines(c.Example) {
				_, words, ok := strings.Cut(line, "farmtrust ")
				if !ok {
					t.Errorf("not an example: %q", line)
					continue
				}
				// What stands after several blanks explains the example; what stands
				// after > is the shell's.
				words, _, _ = strings.Cut(words, "   ")
				words, _, _ = strings.Cut(words, " > ")
				assertUnderstood(t, splitArguments(words))
			}
		})
	}
}

func TestUsage_EveryPrintedCommandIsUnderstood(t *testing.T) {
	for _, c := range report.EveryCommand("contoso", "1a2b3c4d5e6f", "oos-02.contoso.com") {
		t.Run(c.Args[0], func(t *testing.T) { assertUnderstood(t, c.Args) })
	}
}

// assertUnderstood fails the test unless a command line parses, and has the
// reason that it would otherwise ask for on a terminal.
func assertUnderstood(t *testing.T, args []string) {
	t.Helper()
	root := (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).newRoot()
	command, rest, err := root.Find(args)
	if err == nil {
		err = command.ParseFlags(rest)
	}
	if err == nil {
		err = command.ValidateArgs(command.Flags().Args())
	}
	if err != nil {
		t.Errorf("%q: %v", args, err)
		return
	}
	flags := command.Flags()
	asksNothing := command.Name() == "approve" && flags.NArg() == 1 || command.Name() == "plan" && !flags.Changed("accept") ||
		command.Name() == "rotate" && !flags.Changed("compromised") && !flags.Changed("accept")
	if reason := flags.Lookup("reason"); reason != nil && reason.Value.String() == "" && !asksNothing {
		t.Errorf("%q lacks --reason, without which it fails where there is no terminal", args)
	}
}

// splitArguments splits a command line at blanks outside double quotes.
func splitArguments(line string) []string {
	quoted := false
	return strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

func TestHelp_NamesEveryExitCode(t *testing.T) {
	got := runProgram(t, "--help")
	got.assertExit(t, exitOK)
	for _, code := range []int{exitOK, exitFailed, exitUsage, exitRefused, exitDiffers, exitOperator, exitCannotTell} {
		if !strings.Contains(got.out, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("exit code %d is not explained:\n%s", code, got.out)
		}
	}
}

func TestHelp_FitsATerminalOf100Columns(t *testing.T) {
	for _, c := range allCommands(&app{}) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			got := runProgram(t, append(strings.Fields(c.CommandPath())[1:], "--help")...)
			for line := range strings.Lines(got.out) {
				if len(strings.TrimRight(line, "\n")) > 100 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Errorf("too long, or not ASCII: %q", line)
				}
			}
		})
	}
}

func TestCompletion_KnowsFarmsAndOutputs(t *testing.T) {
	config := writeFile(t, "farmtrust.yaml", twoFarms)
	runProgram(t, "__complete", "rotate", "--config", config, "").assertExit(t, exitOK, "out:contoso\nfabrikam\n")
	runProgram(t, "__complete", "plan", "x", "-o", "").assertExit(t, exitOK, "out:table\njson\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		runProgram(t, "completion", shell).assertExit(t, exitOK, "out:farmtrust")
	}
}
