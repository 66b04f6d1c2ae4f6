package console

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

var began = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

func notATerminal() (screen, bool) { return screen{}, false }

// status is a rotation with one line per server, such as
// "oos-01: import certificate=changed, grant key=running".
func status(phase farm.Phase, lines ...string) farm.Status {
	s := farm.Status{Phase: phase, Report: farm.Report{Farm: "contoso", StartedAt: began}}
	for _, l := range lines {
		host, rest, _ := strings.Cut(l, ": ")
		server := farm.ServerReport{Host: host}
		for item := range strings.SplitSeq(rest, ", ") {
			if step, state, ok := strings.Cut(item, "="); ok {
				server.Steps = append(server.Steps, farm.StepReport{Step: farm.Step(step), State: farm.State(state)})
			}
		}
		s.Report.Servers = append(s.Report.Servers, server)
	}
	return s
}

func TestElsewhereThanOnATerminalEachChangeIsToldOnce(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, notATerminal)
	issuers := status(farm.PhaseCutover, "oos-01: import certificate=changed", "sp-01: trust issuers=changed")
	issuers.Report.Servers[1].Steps[0].Detail = "SharePoint Server: created"
	both := status(farm.PhaseCutover, "oos-01: import certificate=changed", "sp-01: trust issuers=changed")
	both.Report.Servers[1].Steps[0].Detail = "SharePoint Server: created; SQL Server: created"
	for i, s := range []farm.Status{
		status(farm.PhaseObserving, "oos-01: ", "sp-01: "),
		status(farm.PhaseStaging, "oos-01: import certificate=running", "sp-01: "),
		status(farm.PhaseStaging, "oos-01: import certificate=changed", "sp-01: "),
		status(farm.PhaseStaging, "oos-01: import certificate=changed", "sp-01: "),
		issuers,
		status(farm.PhaseCutover, "oos-01: import certificate=changed", "sp-01: trust issuers=running"),
		both,
		{Phase: farm.PhaseDone, Report: both.Report},
	} {
		if err := p.Show(s, began.Add(time.Duration(i)*1500*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	want := `   0.0s  observing
   1.5s  staging
   3.0s  oos-01  import certificate  changed
   6.0s  switching
   6.0s  sp-01  trust issuers  changed  SharePoint Server: created
   9.0s  sp-01  trust issuers  changed  SharePoint Server: created; SQL Server: created
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// display is a terminal that knows what [Progress] uses, and fails the test on
// anything else.
type display struct {
	t     *testing.T
	size  screen
	lines []string
	row   int
}

var sequence = regexp.MustCompile(`^\x1b\[(\d*)([AKJ])`)

func (d *display) Write(b []byte) (int, error) {
	text := string(b)
	column := 0
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			d.control(m[1], m[2], column)
			text = text[len(m[0]):]
			continue
		}
		switch c := text[0]; {
		case strings.HasPrefix(text, "\r\n"):
			d.row, column, text = d.row+1, 0, text[1:]
		case c < ' ' || c > '~':
			d.t.Fatalf("unknown character %q", text)
		default:
			d.put(column, c)
			column++
		}
		text = text[1:]
	}
	return len(b), nil
}

func (d *display) control(n, letter string, column int) {
	switch letter {
	case "A":
		up, err := strconv.Atoi(n)
		if err != nil || up > d.row || up >= d.size.height {
			d.t.Fatalf("moves %s lines up from row %d of a screen of %d", n, d.row, d.size.height)
		}
		d.row -= up
	case "K":
		d.lines[d.row] = d.lines[d.row][:min(column, len(d.lines[d.row]))]
	case "J":
		d.lines = d.lines[:d.row]
	}
}

func (d *display) put(column int, c byte) {
	if column >= d.size.width {
		d.t.Fatalf("writes beyond column %d", d.size.width)
	}
	for len(d.lines) <= d.row {
		d.lines = append(d.lines, "")
	}
	line := []byte(d.lines[d.row])
	for len(line) <= column {
		line = append(line, ' ')
	}
	line[column] = c
	d.lines[d.row] = string(line)
}

func TestOnATerminalTheTableIsRepaintedInPlace(t *testing.T) {
	d := &display{t: t, size: screen{width: 60, height: 24}}
	p := newProgress(d, func() (screen, bool) { return d.size, true })
	show := func(s farm.Status, after time.Duration, want ...string) {
		t.Helper()
		if err := p.Show(s, began.Add(after)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Error(diff)
		}
	}
	show(status(farm.PhaseObserving, "oos-01: observe=running", "sp-01: "), 0,
		"contoso: observing, 0.0s",
		"  oos-01  >             observe: running",
		"  sp-01   .")
	failed := status(farm.PhaseStaging, "oos-01: observe=seen, import certificate=failed", "sp-01: observe=seen, trust root authority=changed")
	failed.Report.Servers[0].Steps[1].Detail = "access denied: the account must be a local administrator"
	show(failed, 9*time.Second,
		"contoso: staging, 9.0s",
		"  oos-01  =!            import certificate: failed, acce...",
		"  sp-01   =+            trust root authority: changed")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if len(d.lines) != 0 {
		t.Errorf("after Close the terminal still shows %q", d.lines)
	}
}

func TestATerminalTooSmallForAllShowsTheUrgentOnes(t *testing.T) {
	d := &display{t: t, size: screen{width: 80, height: 6}}
	p := newProgress(d, func() (screen, bool) { return d.size, true })
	var lines []string
	for i := range 30 {
		lines = append(lines, fmt.Sprintf("oos-%02d: observe=seen", i+1))
	}
	lines[20] += ", restart=running"
	lines[28] += ", restart=failed"
	for range 3 {
		if err := p.Show(status(farm.PhaseRestarting, lines...), began); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"contoso: restarting, 0.0s",
		"  oos-29  =!            restart: failed",
		"  oos-21  =>            restart: running",
		"  oos-01  =             observe: seen",
		"  and 27 other servers",
	}
	if diff := cmp.Diff(want, d.lines); diff != "" {
		t.Error(diff)
	}
}

func TestAnyScreenIsNotOverrun(t *testing.T) {
	s := status(farm.PhaseWaiting, "oos-01: observe=seen", "oos-02: ", "oos-03: ", "sp-01: observe=running")
	for _, wait := range []*farm.Wait{nil, approval("1a2b3c4d5e6f")} {
		s.Wait = wait
		for height := 1; height < 12; height++ {
			for _, width := range []int{1, 2, 4, 10, 200} {
				lines := frame(s, waiting(starter, s), began, screen{width, height})
				for _, l := range lines {
					if len(l) >= width {
						t.Errorf("%dx%d: %q is too long", width, height, l)
					}
				}
				if len(lines) >= max(height, 3) {
					t.Errorf("%dx%d: %d lines", width, height, len(lines))
				}
			}
		}
	}
}

func TestFollowingEndsWithTheRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		answers := []farm.Status{status(farm.PhaseObserving), status(farm.PhaseStaging), status(farm.PhaseDone)}
		asked := 0
		last, err := newProgress(&out, notATerminal).Follow(t.Context(), time.Second, func(context.Context) (farm.Status, bool, error) {
			asked++
			if asked == 1 {
				return farm.Status{}, false, nil // not started yet
			}
			return answers[asked-2], true, nil
		})
		if err != nil || last.Phase != farm.PhaseDone {
			t.Errorf("got %q, %v", last.Phase, err)
		}
		if got := strings.Count(out.String(), "\n"); got != 2 {
			t.Errorf("got %d lines, want one for each phase: %s", got, out.String())
		}
	})
}

func TestFollowingStopsWhenAskedToOrWhenItCannotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		last, err := newProgress(&strings.Builder{}, notATerminal).Follow(ctx, time.Second, func(context.Context) (farm.Status, bool, error) {
			return status(farm.PhaseStaging), true, nil
		})
		if err != nil || last.Phase != farm.PhaseStaging {
			t.Errorf("got %q, %v, want the last status", last.Phase, err)
		}
		lost := errors.New("lost")
		_, err = newProgress(&strings.Builder{}, notATerminal).Follow(t.Context(), time.Second, func(context.Context) (farm.Status, bool, error) {
			return farm.Status{}, false, lost
		})
		if !errors.Is(err, lost) {
			t.Errorf("got %v", err)
		}
	})
}
