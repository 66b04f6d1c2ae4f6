package console

import (
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// starter is how commands are written where nothing else is known of how
// people reach Temporal.
const starter = "starter"

// wait writes what is waited for, what it is about, and how a person decides.
func (p *page) wait(s farm.Status) {
	w := s.Wait
	if w == nil {
		return
	}
	p.gap()
	p.line("waits for %s%s", w.For, until(w.Until))
	p.table([]string{w.Text})
	p.parked(w.Blocked)
	if w.For == farm.ForApproval {
		p.differences(farm.CutoverDifferences(s.Report.Differences))
	}
	p.gap()
	p.line("to decide")
	for _, command := range commands(starter, s) {
		p.table([]string{command})
	}
}

func (p *page) parked(all []farm.Blocked) {
	for _, one := range all {
		p.gap()
		p.line("%s on %s", one.Step, one.Server)
		p.table([]string{one.Text}, []string{next(one)})
	}
}

// next says until when a parked step waits, and what follows.
func next(one farm.Blocked) string {
	if one.Until.IsZero() {
		return one.Then
	}
	return "waits" + until(one.Until) + ", " + one.Then
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + minute(t)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// waiting is a wait in a few lines, for those who watch: what is waited for,
// then the commands.
func waiting(program string, s farm.Status) []string {
	w := s.Wait
	if w == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("waits for %s%s: %s", w.For, until(w.Until), w.Text)}
	for _, one := range w.Blocked {
		lines = append(lines, fmt.Sprintf("%s on %s: %s; %s", one.Step, one.Server, one.Text, next(one)))
	}
	return append(lines, commands(program, s)...)
}

// commands are those that decide what is waited for, as people type them.
func commands(program string, s farm.Status) []string {
	command := func(format string, args ...any) string {
		return program + " " + fmt.Sprintf(format, args...) + " --reason WHY"
	}
	name := s.Report.Farm
	var all []string
	switch s.Wait.For {
	case farm.ForApproval:
		all = append(all, command("approve %s %s", name, s.Wait.Digest))
	case farm.ForDecision:
		all = append(all, command("retry %s", name))
		for _, one := range s.Wait.Blocked {
			if skippable(s, one) {
				all = append(all, command("skip %s --server %s", name, one.Server))
			}
		}
	}
	if s.Phase != farm.PhaseRollingBack && s.Phase != farm.PhaseRetiring {
		all = append(all, command("rollback %s", name))
	}
	return append(all, command("abort %s", name))
}

// skippable says whether leaving the server out is worth a try: no rotation
// goes on without a SharePoint server. Whether it does without an office
// server, the rotation says.
func skippable(s farm.Status, one farm.Blocked) bool {
	for _, server := range s.Report.Servers {
		if server.Host == one.Server {
			return server.Role == farm.OfficeRole
		}
	}
	return false
}
