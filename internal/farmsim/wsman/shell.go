package wsman

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// defaultIdle is how long an unused shell lives (captured).
const defaultIdle = 7200 * time.Second

// shells are the shells of one server.
type shells struct {
	ctx     context.Context
	options Options
	host    Host
	running sync.WaitGroup // the commands

	mu sync.Mutex
	m  map[string]*shell
}

func newShells(ctx context.Context, o Options, h Host) *shells {
	return &shells{ctx: ctx, options: o, host: h, m: map[string]*shell{}}
}

// shell is a shell of a user. Its fields after mu are guarded by shells.mu.
type shell struct {
	id, user, client string
	input, output    string
	idle             time.Duration
	codePage         codePage
	opened           time.Time
	ctx              context.Context
	end              context.CancelFunc

	commands map[string]*command
	started  int // commands ever; they count against the user's operations
	busy     int // requests in progress, during which the shell is not idle
	expiry   *time.Timer
}

// createShell opens a shell for the user.
func (s *shells) createShell(r *request, who *principal, client, url string) outcome {
	idle := defaultIdle
	if text := strings.TrimSpace(r.Body.Shell.IdleTimeout); text != "" {
		d, err := parseDuration(text)
		if err != nil || d <= 0 {
			return outcome{err: InvalidParameter()} // assumed
		}
		idle = min(d, defaultIdle) // IdleTimeout of winrm/config/winrs is the most (documentation)
	}
	ctx, end := context.WithCancel(s.ctx)
	sh := &shell{
		id: newID(), user: who.user, client: client, idle: idle, opened: time.Now(), ctx: ctx, end: end,
		input: or(r.Body.Shell.Input, "stdin"), output: or(r.Body.Shell.Output, "stdout stderr"),
		codePage: codePageOf(find(r.Header.Options, "WINRS_CODEPAGE")), commands: map[string]*command{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.countOf(who.user, func(*shell) int { return 1 }) >= s.options.MaxShellsPerUser {
		end()
		return outcome{err: QuotaLimit(MaxShells, s.options.MaxShellsPerUser)}
	}
	s.m[sh.id] = sh
	sh.expiry = time.AfterFunc(idle, func() { s.expireShell(sh) })
	return outcome{envelope: r.respond(`<x:ResourceCreated><a:Address>` + escape(url) + `</a:Address><a:ReferenceParameters><w:ResourceURI>` +
		shellResource + `</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">` + sh.id +
		`</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>` + sh.describe())}
}

func or(text, otherwise string) string {
	if text = strings.TrimSpace(text); text == "" {
		return otherwise
	}
	return text
}

// countOf sums over the shells of a user; names differ in case only by
// accident. The caller holds mu.
func (s *shells) countOf(user string, of func(*shell) int) int {
	n := 0
	for _, sh := range s.m {
		if strings.EqualFold(sh.user, user) {
			n += of(sh)
		}
	}
	return n
}

// describe is the shell as captures show it.
func (sh *shell) describe() string {
	age := int(time.Since(sh.opened).Seconds())
	return `<rsp:Shell><rsp:ShellId>` + sh.id + `</rsp:ShellId><rsp:ResourceUri>` + shellResource + `</rsp:ResourceUri><rsp:Owner>` +
		escape(sh.user) + `</rsp:Owner><rsp:ClientIP>` + escape(sh.client) + `</rsp:ClientIP><rsp:IdleTimeOut>` + formatDuration(sh.idle) +
		`</rsp:IdleTimeOut><rsp:InputStreams>` + escape(sh.input) + `</rsp:InputStreams><rsp:OutputStreams>` + escape(sh.output) +
		`</rsp:OutputStreams><rsp:ShellRunTime>` + fmt.Sprintf("P%dDT%dH%dM%dS", age/86400, age/3600%24, age/60%60, age%60) +
		`</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>`
}

// touchShell returns the shell of a request and keeps it from idling out until the
// returned function is called. Another user's shell does not exist (assumed).
func (s *shells) touchShell(r *request, who *principal) (*shell, func(), *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.m[r.shellID()]
	if sh == nil || !strings.EqualFold(sh.user, who.user) {
		return nil, nil, UnknownShell()
	}
	sh.busy++
	return sh, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		sh.busy--
		if s.m[sh.id] == sh {
			sh.expiry.Reset(sh.idle)
		}
	}, nil
}

// expireShell forgets a shell that has been idle for too long. A shell is idle when
// no request is about it, even if a command runs (assumed).
func (s *shells) expireShell(sh *shell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.busy == 0 {
		s.forgetShell(sh)
	}
}

// forgetShell ends the shell's commands. The caller holds mu.
func (s *shells) forgetShell(sh *shell) {
	delete(s.m, sh.id)
	sh.expiry.Stop()
	sh.end()
}

func (s *shells) getShell(r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	defer done()
	return outcome{envelope: r.respond(sh.describe())}
}

func (s *shells) deleteShell(r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetShell(sh)
	return outcome{envelope: r.respond("")}
}

func (s *shells) deleteAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.m {
		s.forgetShell(sh)
	}
}

// updateStats returns the open shells and the running commands.
func (s *shells) countShells() (open, running int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.m {
		for _, c := range sh.commands {
			if !c.isOver() {
				running++
			}
		}
	}
	return len(s.m), running
}

// commandLine is the text of the command that a request starts or is about.
func (s *shells) commandLine(r *request) string {
	if r.Header.Action == actionCommand {
		return commandOf(r).Text()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.m[r.shellID()]; sh != nil {
		if c := sh.commands[r.commandID()]; c != nil {
			return c.Text()
		}
	}
	return ""
}
