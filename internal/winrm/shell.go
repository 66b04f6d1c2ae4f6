package winrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/masterzen/winrm/soap"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	// maxResponses bounds all responses to requests for output together, in bytes: what
	// may be printed, in base64, and what surrounds it in some hundred responses, most of
	// which say that there is no output yet.
	maxResponses = 2 * powershell.MaxOutput
	// minPoll is how long a request for output lasts at least when it brought
	// none, in case a server does not hold it.
	minPoll = 250 * time.Millisecond
)

// operation is what a request asks for, as errors name it.
type operation string

const (
	opCreate  operation = "create"
	opCommand operation = "command"
	opSend    operation = "send"
	opReceive operation = "receive"
	opDelete  operation = "delete"
)

// output is what a command printed and how it ended.
type output struct {
	stdout, stderr []byte
	exit           int
	// inputLost is not nil when standard input may not have arrived as a whole.
	inputLost error
}

// shell is one remote shell with one command in it (MS-WSMV 3.1.4).
type shell struct {
	dialer   *dialer
	session  *session
	messages messages
	// id names the shell; it is empty until the server has made it.
	id string
}

func newShell(d *dialer, s *session) *shell {
	return &shell{dialer: d, session: s, messages: newMessages(s.url, d.timeouts.Operation)}
}

// runBootstrap runs the bootstrap with stdin in a new shell, and returns when it
// has ended or failed.
func (s *shell) runBootstrap(ctx context.Context, stdin []byte) (output, error) {
	if err := s.createShell(ctx); err != nil {
		return output{}, err
	}
	commandID, err := s.startCommand(ctx, powershell.CommandLine())
	if err != nil {
		return output{}, err
	}
	inputLost, err := s.sendInput(ctx, commandID, stdin)
	if err != nil {
		return output{}, err
	}
	return s.receiveOutput(ctx, commandID, inputLost)
}

func (s *shell) createShell(ctx context.Context) error {
	r, err := s.sendMessage(ctx, opCreate, s.messages.createShell())
	if err != nil {
		return err
	}
	if r.shellID == "" {
		return missingID(opCreate)
	}
	s.id = r.shellID
	return nil
}

func (s *shell) startCommand(ctx context.Context, commandLine string) (commandID string, err error) {
	r, err := s.sendMessage(ctx, opCommand, s.messages.startCommand(s.id, commandLine))
	if err == nil && r.commandID == "" {
		err = missingID(opCommand)
	}
	return r.commandID, err
}

func missingID(op operation) error {
	return &problem{kind: powershell.Garbled, err: fmt.Errorf("%s: the response does not name what it made", op)}
}

// sendInput sends stdin in pieces of one request each, the last with the end mark.
// A fault without a meaning of its own is inputLost and not err: the command may
// have ended before it read its input, and then its output says why.
func (s *shell) sendInput(ctx context.Context, commandID string, stdin []byte) (inputLost, err error) {
	for len(stdin) > 0 {
		n := min(sendSize, len(stdin))
		_, err := s.sendMessage(ctx, opSend, s.messages.sendInput(s.id, commandID, stdin[:n], n == len(stdin)))
		f, isFault := errors.AsType[*fault](err)
		switch {
		case isFault && f.isTimeout():
			// The server has the bytes, but PowerShell has not read them yet, as
			// Ansible interprets it. If it were not so, the hash would not match.
		case isFault && f.errorKind() == "":
			return err, nil
		case err != nil:
			return nil, err
		}
		stdin = stdin[n:]
	}
	return nil, nil
}

// receiveOutput asks for output until the command has ended.
func (s *shell) receiveOutput(ctx context.Context, commandID string, inputLost error) (output, error) {
	out := output{inputLost: inputLost}
	for received := 0; ; {
		asked := time.Now()
		r, err := s.sendMessage(ctx, opReceive, s.messages.receiveOutput(s.id, commandID))
		if f, isFault := errors.AsType[*fault](err); err != nil && (!isFault || !f.isTimeout()) {
			return output{}, err
		}
		received += r.size
		out.stdout, out.stderr = append(out.stdout, r.stdout...), append(out.stderr, r.stderr...)
		switch {
		case received > maxResponses:
			return output{}, oversizedProblem("the script's output", maxResponses)
		case r.done:
			out.exit = r.exit
			return out, nil
		case len(r.stdout)+len(r.stderr) > 0:
			continue
		case inputLost != nil:
			return output{}, inputLost // and no output explains it
		}
		if err := sleepContext(ctx, minPoll-time.Since(asked)); err != nil {
			return output{}, err
		}
	}
}

// close deletes the shell, over a new session if its own is lost, and ends the
// connection.
func (s *shell) close(ctx context.Context) error {
	defer func() { s.session.close(); s.session.endLogon() }()
	if s.id == "" {
		return nil
	}
	if s.session.isBroken() {
		fresh, err := s.dialer.openSession(ctx)
		if err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		s.session = fresh
	}
	_, err := s.sendMessage(ctx, opDelete, s.messages.deleteShell(s.id))
	if f, isFault := errors.AsType[*fault](err); isFault && f.code == codeNoSuchShell {
		return nil // already gone
	}
	return err
}

// sendMessage sends one message and reads the server's response. A fault is an error
// that wraps a [*fault], returned with the response that carried it.
func (s *shell) sendMessage(ctx context.Context, op operation, message *soap.SoapMessage) (response, error) {
	text := message.String()
	if len(text) > envelopeSize {
		return response{}, fmt.Errorf("%s: a message of %d bytes exceeds the envelope size %d", op, len(text), envelopeSize)
	}
	limit := s.dialer.timeouts.Operation + s.dialer.timeouts.Response
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	reply, err := s.session.sendRequest(bounded, s.session.authorization, []byte(text))
	switch {
	case err != nil && bounded.Err() != nil && ctx.Err() == nil:
		return response{}, fmt.Errorf("%s: no response within %s", op, limit)
	case err != nil:
		return response{}, fmt.Errorf("%s: %w", op, err)
	case reply.status == http.StatusUnauthorized && s.session.explainRefusal != nil:
		err := s.session.explainRefusal(reply)
		s.session.close() // each further request would be another attempt
		return response{}, err
	}
	if s.session.logon != nil {
		s.session.logon.accepted()
	}
	r, err := readResponse(reply.body)
	switch {
	case err != nil && reply.status == http.StatusOK:
		return response{}, &problem{kind: powershell.Garbled, err: fmt.Errorf("%s: %s", op, printableText(err.Error()))}
	case err != nil:
		return response{}, statusProblem(reply, op.kindOfStatus())
	case r.fault != nil:
		return r, faultProblem(op, r.fault)
	case reply.status != http.StatusOK:
		return response{}, statusProblem(reply, op.kindOfStatus())
	}
	return r, nil
}

// kindOfStatus returns what an HTTP error without a fault means for op.
func (op operation) kindOfStatus() powershell.Kind {
	if op == opCreate {
		return powershell.Unreachable // nothing has begun
	}
	return powershell.Interrupted
}

// faultProblem classifies a fault. One without a meaning of its own interrupts the
// call; if there is no command yet, it means that the server cannot do what it was
// asked to.
func faultProblem(op operation, f *fault) error {
	p := &problem{kind: f.errorKind(), code: f.code, err: fmt.Errorf("%s: %w", op, f)}
	switch {
	case p.kind != "":
	case op == opCreate, op == opCommand:
		p.kind = powershell.Garbled
	default:
		p.kind = powershell.Interrupted
	}
	return p
}

// sleepContext waits for d, or returns ctx.Err().
func sleepContext(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
