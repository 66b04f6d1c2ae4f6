package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// These are all commands that are ever printed. The tests of the command line
// check that it parses them.
func TestEveryCommand(t *testing.T) {
	want := []string{
		"farmtrust approve contoso 1a2b3c4d5e6f --reason WHY",
		"farmtrust retry contoso --reason WHY",
		"farmtrust skip contoso --server oos-02.contoso.com --reason WHY",
		"farmtrust skip contoso --server oos-02.contoso.com --force --reason WHY",
		"farmtrust rollback contoso --reason WHY",
		"farmtrust undo contoso --reason WHY",
		"farmtrust forward contoso --reason WHY",
		"farmtrust abort contoso --reason WHY",
		"farmtrust resume contoso --reason WHY",
		"farmtrust forget contoso --reason WHY",
		"farmtrust release contoso --reason WHY",
		"farmtrust withdraw contoso --reason WHY",
		"farmtrust cancel contoso --reason WHY",
		"farmtrust postpone contoso --until 18h --reason WHY",
		"farmtrust rotate contoso",
		"farmtrust rotate contoso --accept pending-reboot@oos-02.contoso.com --reason WHY",
		"farmtrust rotate contoso --compromised --accept pending-reboot --reason WHY",
		"farmtrust retry contoso --accept pending-reboot@oos-02.contoso.com --reason WHY",
		"farmtrust status contoso",
		"farmtrust report contoso",
		"farmtrust status contoso --all",
		"farmtrust status contoso --watch",
		"farmtrust plan contoso",
	}
	var got []string
	for _, c := range report.EveryCommand("contoso", "1a2b3c4d5e6f", "oos-02.contoso.com") {
		got = append(got, c.Line(report.Program))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// flagsOf is a command without its values.
func flagsOf(c report.Command) string {
	flags := []string{c.Args[0]}
	for _, arg := range c.Args[1:] {
		if strings.HasPrefix(arg, "--") {
			flags = append(flags, arg)
		}
	}
	return strings.Join(flags, " ")
}

// Each option of a wait is a command that can be pasted, with its effect; nothing else is
// offered.
func TestDecisionCommands(t *testing.T) {
	var got []string
	s := blockedRun()
	s.Wait.Options = append(s.Wait.Options, farm.Option{Choice: "of a newer version", Effect: "unknown"})
	for _, c := range report.DecisionCommands(s) {
		got = append(got, c.Heading()[:12]+" -> "+c.Line(report.Program))
	}
	want := []string{
		"retry: tries -> farmtrust retry contoso --reason WHY",
		"skip oos-02. -> farmtrust skip contoso --server oos-02.contoso.com --force --reason WHY",
		"roll back: r -> farmtrust rollback contoso --reason WHY",
		"abort: leave -> farmtrust abort contoso --reason WHY",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestRunAt_SaysHowFarAwayTheDeadlineIs(t *testing.T) {
	for left, want := range map[time.Duration]string{
		58 * time.Second: "(in 58s)", 90 * time.Minute: "(in 90 minutes)", 20 * time.Hour: "(in 20 hours)", 7 * 24 * time.Hour: "(in 7 days)",
	} {
		s := blockedRun()
		s.Wait.Until = now.Add(left)
		page := writePage(t, report.RunAt(s, now))
		if want := "if nobody decides by " + farm.FormatTime(now.Add(left)) + " " + want; !strings.Contains(page.text, want) {
			t.Errorf("the page does not say %q:\n%s", want, page.text)
		}
	}
}

func TestPages_ShowNoCommandThatIsNotListed(t *testing.T) {
	var listed []string
	for _, c := range report.EveryCommand("contoso", "1a2b3c4d5e6f", "oos-02.contoso.com") {
		listed = append(listed, flagsOf(c))
	}
	for name, page := range allPages() {
		for _, block := range page.Blocks {
			for _, c := range block.Commands {
				if !slices.Contains(listed, flagsOf(c)) {
					t.Errorf("%s: %s is not listed", name, c.Line(report.Program))
				}
			}
		}
	}
}

// requestsOn are the requests that a page offers.
func requestsOn(page report.Page) []controller.RequestKind {
	var kinds []controller.RequestKind
	for _, block := range page.Blocks {
		for _, c := range block.Commands {
			// Some are decisions about a run, and not requests of the farm.
			if verb := c.Args[0]; verb != "status" && verb != "plan" && verb != string(farm.Approve) && verb != string(farm.Cancel) {
				kinds = append(kinds, controller.RequestKind(c.Args[0]))
			}
		}
	}
	return kinds
}

func TestFarm_OffersOnlyWhatIsAccepted(t *testing.T) {
	for name, s := range farmStates() {
		t.Run(name, func(t *testing.T) {
			offered := requestsOn(report.Farm(s, now))
			for _, kind := range offered {
				if err := s.CheckRequest(now, controller.Request{Kind: kind, By: "ada", Reason: "WHY"}, ""); err != nil {
					t.Errorf("offers what is refused: %v", err)
				}
			}
			state := report.NewFarmState(s, now)
			if got := slices.Contains(offered, controller.RequestRollback); got != state.CanRollBack {
				t.Errorf("offers a rollback: %t, but to programs it says %t", got, !got)
			}
			if got := slices.Contains(offered, controller.RequestUndo); got != state.CanUndo {
				t.Errorf("offers an undo: %t, but to programs it says %t", got, !got)
			}
		})
	}
}

func TestCommand_Line(t *testing.T) {
	for name, c := range map[string]struct {
		program, farmName, want string
	}{
		"plain":                   {"farmtrust", "contoso-berlin_1.2", "farmtrust resume contoso-berlin_1.2 --reason WHY"},
		"blank":                   {"farmtrust", "contoso berlin", `farmtrust resume "contoso berlin" --reason WHY`},
		"nothing":                 {"farmtrust", "", `farmtrust resume "" --reason WHY`},
		"semicolon":               {"farmtrust", "a;rm -rf", `farmtrust resume "a;rm -rf" --reason WHY`},
		"variable and backtick":   {"farmtrust", "$(id)`id`", "farmtrust resume '$(id)`id`' --reason WHY"},
		"both kinds of quotes":    {"farmtrust", `it's "it"`, `farmtrust resume 'it'\''s "it"' --reason WHY`},
		"line break":              {"farmtrust", "a\nb", `farmtrust resume "a b" --reason WHY`},
		"program with a variable": {"TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust", "contoso", "TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust resume contoso --reason WHY"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, report.ResumeCommand(c.farmName).Line(c.program)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPages_CallTheProgramAsTheyAreTold(t *testing.T) {
	page := report.Farm(idleState(), now)
	page.Program = "TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust"
	w := writePage(t, page)
	want := "TEMPORAL_ADDRESS=127.0.0.1:7233 farmtrust undo contoso --reason WHY"
	for writer, text := range map[string]string{"text": w.text, "Markdown": w.markdown, "HTML": w.html} {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not show %q:\n%s", writer, want, text)
		}
	}
}
