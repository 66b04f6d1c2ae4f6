package wsman

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// lineLimit is what cmd.exe takes, in UTF-16 units. A longer line is not run:
// there is no output and the exit code is 0 (mondoohq/mql #10552).
const lineLimit = 8191

// Text is the whole command line: Line and Arguments with blanks between.
func (c Command) Text() string {
	return strings.Join(append([]string{c.Line}, c.Arguments...), " ")
}

// startCommand is a command of a shell.
type command struct {
	Command
	ctx   context.Context
	end   context.CancelFunc
	stdin *input

	// finished is closed when result and err are there.
	finished chan struct{}
	result   Result
	err      error
	// output is what is left to be received. It is guarded by shells.mu.
	output []piece
	// received says that the last reply has gone out.
	received bool
}

// piece is a part of a stream.
type piece struct {
	stream string
	data   []byte
}

func (c *command) isOver() bool {
	select {
	case <-c.finished:
		return true
	default:
		return false
	}
}

func commandOf(r *request) Command {
	return Command{Line: strings.TrimSpace(r.Body.CommandLine.Command), Arguments: r.Body.CommandLine.Arguments}
}

// startCommand starts a command.
func (s *shells) startCommand(r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	defer done()
	ctx, end := context.WithCancel(sh.ctx)
	c := &command{Command: commandOf(r), ctx: ctx, end: end, stdin: newInput(), finished: make(chan struct{})}
	if c.Line == "" {
		end()
		return outcome{err: InvalidParameter()}
	}
	// Some clients choose the identifier (WinRM gem).
	c.User, c.Auth, c.Shell, c.ID, c.Stdin = who.user, who.auth, sh.id, or(r.Body.CommandLine.ID, newID()), c.stdin
	if fault := s.checkQuotas(sh, c); fault != nil {
		end()
		return outcome{err: fault}
	}
	context.AfterFunc(ctx, func() { c.stdin.failInput(context.Cause(ctx)) })
	s.running.Go(func() { s.runCommand(sh, c) })
	return outcome{envelope: r.respond(`<rsp:CommandResponse><rsp:CommandId>` + escape(c.ID) + `</rsp:CommandId></rsp:CommandResponse>`)}
}

// checkQuotas takes the command into the shell if the user's quota allows.
func (s *shells) checkQuotas(sh *shell, c *command) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[sh.id] != sh {
		return UnknownShell()
	}
	if sh.commands[c.ID] != nil {
		return InvalidParameter() // assumed
	}
	if s.countOf(sh.user, func(sh *shell) int { return sh.started }) >= s.options.MaxOperations {
		return QuotaLimit(MaxOperations, s.options.MaxOperations)
	}
	sh.started++
	sh.commands[c.ID] = c
	return nil
}

func (s *shells) runCommand(sh *shell, c *command) {
	defer close(c.finished)
	if len(utf16.Encode([]rune(c.Text()))) <= lineLimit {
		c.result, c.err = s.host.Run(c.ctx, c.Command)
	}
	c.stdin.closeInput()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.output = append(
		cut("stdout", sh.codePage.encodeText(c.result.Stdout), s.options.StreamBytes),
		cut("stderr", sh.codePage.encodeText(c.result.Stderr), s.options.StreamBytes)...)
}

// cut divides output into pieces of at most size bytes, wherever that is
// within a character: streams are bytes to the protocol.
func cut(name string, data []byte, size int) []piece {
	var pieces []piece
	for len(data) > 0 {
		n := min(size, len(data))
		pieces = append(pieces, piece{stream: name, data: data[:n]})
		data = data[n:]
	}
	return pieces
}

// findShell returns the command that a request is about.
func (s *shells) findShell(sh *shell, id string) *command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sh.commands[id]
}

// sendAnswer passes input to a command. Input for a command that has finished is
// thrown away (assumed).
func (s *shells) sendInput(r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	defer done()
	for _, in := range r.Body.Streams {
		c := s.findShell(sh, in.CommandID)
		if c == nil {
			return outcome{err: UnknownCommand()}
		}
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(in.Data))
		if err != nil || in.Name != "stdin" {
			return outcome{err: invalidXML()}
		}
		if !c.stdin.writeInput(data, in.ended()) {
			return outcome{err: Busy()}
		}
	}
	return outcome{envelope: r.respond(`<rsp:SendResponse/>`)}
}

// signalCommand ends a command, whatever the signal: ctrl_c and terminate are what
// clients send, and a client that asks for another wants it gone too. The
// startCommand is forgotten (captured: a Receive afterwards finds none).
func (s *shells) signalCommand(r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	defer done()
	id := r.Body.Signal.CommandID
	s.mu.Lock()
	defer s.mu.Unlock()
	c := sh.commands[id]
	if c == nil {
		return outcome{err: UnknownCommand()} // assumed
	}
	delete(sh.commands, id)
	c.end()
	return outcome{envelope: r.respond(`<rsp:SignalResponse/>`)}
}

// receiveOutput waits for the output of a command until ctx ends.
func (s *shells) receiveOutput(ctx context.Context, r *request, who *principal) outcome {
	sh, done, fault := s.touchShell(r, who)
	if fault != nil {
		return outcome{err: fault}
	}
	defer done()
	id := r.Body.Desired.CommandID
	if id == "" {
		return outcome{err: InvalidParameter()} // captured
	}
	c := s.findShell(sh, id)
	if c == nil {
		return outcome{err: UnknownCommand()}
	}
	select {
	case <-c.finished:
	case <-c.ctx.Done():
		return outcome{err: Aborted()}
	case <-ctx.Done():
		return outcome{err: TimedOut()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.nextOutput(r, r.maxSize(s.options.MaxEnvelopeKB*1024))
}

// nextOutput is the reply with the next part of the output. The caller holds mu.
func (c *command) nextOutput(r *request, size int) outcome {
	if c.received {
		return outcome{err: UnknownCommand()} // "the command has completed execution"
	}
	var d Disruption
	if err := c.err; err != nil {
		c.err = nil
		if !errors.As(err, &d) {
			var f *Fault
			c.received = !errors.As(err, &f) || f.Code != TimedOut().Code
			return outcome{err: err}
		}
		if d.Kind != "" && d.Kind != Slow && d.Kind != Dropped {
			return outcome{err: d} // nothing is carried out: the output stays
		}
	}
	var b strings.Builder
	b.WriteString(`<rsp:ReceiveResponse>`)
	size -= 4096 // for the envelope around, and for the end below
	for len(c.output) > 0 {
		p := c.output[0]
		element := fmt.Sprintf(`<rsp:Stream Name="%s" CommandId="%s">%s</rsp:Stream>`, p.stream, escape(c.ID), base64.StdEncoding.EncodeToString(p.data))
		if b.Len() > len(`<rsp:ReceiveResponse>`) && b.Len()+len(element) > size {
			break
		}
		b.WriteString(element)
		c.output = c.output[1:]
	}
	b.WriteString(c.commandState() + `</rsp:ReceiveResponse>`)
	o := outcome{envelope: r.respond(b.String())}
	if d.Kind != "" {
		o.err = d
	}
	return o
}

// commandState ends a reply: the command runs on as long as output is left, and is
// done when the last of it has gone out (captured).
func (c *command) commandState() string {
	id := escape(c.ID)
	if len(c.output) > 0 {
		return `<rsp:CommandState CommandId="` + id + `" State="` + stateRunning + `"/>`
	}
	c.received = true
	end := func(name string) string {
		return `<rsp:Stream Name="` + name + `" CommandId="` + id + `" End="true"></rsp:Stream>`
	}
	return end("stdout") + end("stderr") + `<rsp:CommandState CommandId="` + id + `" State="` + stateDone +
		`"><rsp:ExitCode>` + strconv.Itoa(c.result.Exit) + `</rsp:ExitCode></rsp:CommandState>`
}
