//go:build !windows

package console

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// openTerminal is a pseudo-terminal of a size: what a user types and sees, and what a
// program reads and writes.
func openTerminal(t *testing.T, size screen) (user, program *os.File) {
	t.Helper()
	user, program, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := user.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := pty.Setsize(program, &pty.Winsize{Cols: uint16(size.width), Rows: uint16(size.height)}); err != nil { //nolint:gosec // sizes of this file
		t.Fatal(err)
	}
	return user, program
}

// readTerminal returns what a user sees go by until a text has, or the program has
// closed the terminal.
func readTerminal(user *os.File, until string) string {
	var seen strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := user.Read(buffer) // an error is the end: the other side is closed
		if seen.Write(buffer[:n]); err != nil || until != "" && strings.Contains(seen.String(), until) {
			return seen.String()
		}
	}
}

// TestTerminal_CtrlC interrupts a program while its table stands on a terminal, which
// echoes the ^C that is typed.
func TestTerminal_CtrlC(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	for _, width := range []int{60, 80, 120} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			size := screen{width, 24}
			user, program := openTerminal(t, size)
			p := NewProgress(program, ColorAuto)
			s := withDetail(makeStatus(farm.PhaseStaging, "oos-01: observe="+seen+", import certificate=failed", "sp-01: observe="+seen), 0, 1, strings.Repeat("access denied ", 12))
			// What is not read before ^C is typed, the terminal throws away.
			shown := ""
			for range 3 {
				if err := p.Show(s, start); err != nil {
					t.Fatal(err)
				}
				shown += readTerminal(user, "\x1b[J")
			}
			if _, err := user.WriteString("\x03"); err != nil {
				t.Fatal(err)
			}
			shown += readTerminal(user, "^C")
			for _, do := range []func() error{
				p.Close,
				func() error { return BeginLine(program) },
				func() error { _, err := fmt.Fprintln(program, "farmtrust: stopped watching"); return err },
				program.Close,
			} {
				if err := do(); err != nil {
					t.Fatal(err)
				}
			}
			d := &display{t: t, size: size}
			if _, err := d.Write([]byte(shown + readTerminal(user, ""))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"farmtrust: stopped watching"}, d.lines); diff != "" {
				t.Errorf("what stands on the terminal:\n%s", diff)
			}
			if d.coloured {
				t.Error("the terminal is left coloured")
			}
		})
	}
}

// TestTerminal_Pages shows a long page on terminals of several widths: nothing but a
// command is wider, and no word is torn.
func TestTerminal_Pages(t *testing.T) {
	t.Setenv("TERM", "xterm")
	const thumbprint = "4418E02C1B63B63AB5BA803474449267AD88C040"
	s := farm.Status{Phase: farm.PhaseStaging, Report: farm.Report{Farm: "contoso", StartedAt: start, Target: thumbprint, FriendlyName: "OOS S2S 2026", NotAfter: start.AddDate(1, 0, 0)}}
	for i := range 7 {
		s.Report.Servers = append(s.Report.Servers, farm.ServerReport{Host: fmt.Sprintf("oos-%02d.department.contoso.com", i), Role: farm.OfficeRole, Steps: []farm.StepReport{
			{Step: farm.StepImport, State: farm.StateFailed, Attempts: 9, LastError: "the store " + thumbprint + " is busy", Detail: strings.Repeat("the disk of the server is full ", 6)},
		}})
		s.Report.Findings = append(s.Report.Findings, farm.Finding{Severity: farm.Warn, Code: "x", Server: s.Report.Servers[i].Host, Text: strings.Repeat("certificate "+thumbprint+" is near its end ", i+1)})
	}
	s = withWait(s, &farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Text: "approve", Options: []farm.Option{{Choice: farm.Approve, Effect: strings.Repeat("restarts a server ", 9)}}})
	for _, width := range []int{60, 80, 120} {
		for name, page := range map[string]report.Page{"brief": report.BriefRun(s, start), "all": report.RunAt(s, start)} {
			t.Run(fmt.Sprintf("%s, %d", name, width), func(t *testing.T) {
				user, program := openTerminal(t, screen{width, 24})
				var got string
				read := make(chan struct{})
				go func() { defer close(read); got = readTerminal(user, "") }()
				if err := errors.Join(WritePage(program, page, ColorNever), program.Close()); err != nil {
					t.Fatal(err)
				}
				<-read
				var whole strings.Builder
				if err := WritePage(&whole, page, ColorNever); err != nil {
					t.Fatal(err)
				}
				assertFits(t, got, whole.String(), width)
			})
		}
	}
}

// assertFits asserts that what a terminal shows fits it, and has all words that there
// are without one.
func assertFits(t *testing.T, got, whole string, width int) {
	t.Helper()
	for line := range strings.Lines(got) {
		if line = strings.TrimRight(line, "\r\n"); len(line) >= width && !strings.HasPrefix(strings.TrimSpace(line), "farmtrust ") {
			t.Errorf("%d characters: %q", len(line), line)
		}
	}
	words := map[string]bool{}
	for word := range strings.FieldsSeq(got) {
		words[strings.ToLower(word)] = true
	}
	for word := range strings.FieldsSeq(whole) {
		if !words[strings.ToLower(word)] {
			t.Errorf("%q is torn", word)
		}
	}
}
