package winrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

const (
	// envelopeSize is the largest envelope that we send and ask for, in bytes:
	// the default of MaxEnvelopeSizekb that Microsoft documents; newer servers
	// have more.
	envelopeSize = 150 << 10
	// maxOutput bounds all answers with output together, in bytes.
	maxOutput = 16 << 20
	// shellIdle is how long the server keeps a shell that nobody asks about,
	// instead of its default of two hours.
	shellIdle = 3 * time.Minute
	// minPoll is how long a request for output lasts at least when it brought
	// none, in case a server does not hold it.
	minPoll = 250 * time.Millisecond
)

// errEnded is all that masterzen learns of a failure: it goes by the text of
// errors, and asks again for ever if it finds "OperationTimeout" in one.
// transport.err has the cause.
var errEnded = errors.New("the call has ended")

// transport is the [winrm.Transporter] of one call: all of masterzen's messages
// pass through it. It amends them, keeps their order, and turns what comes back
// into answers or errors.
type transport struct {
	operation, answer time.Duration
	// stdinSent is closed once standard input is on the server or lost;
	// masterzen asks for output from the start.
	stdinSent chan struct{}

	// mu makes requests follow one another.
	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // masterzen's Post has none
	session *session
	// lastSend says that the next piece of standard input is the last.
	lastSend bool
	received int
	// err ended the call; lost is why standard input may be incomplete.
	err, lost error
}

var _ winrm.Transporter = (*transport)(nil)

// Transport implements [winrm.Transporter]. The session is open already.
func (t *transport) Transport(*winrm.Endpoint) error { return nil }

// Post implements [winrm.Transporter].
func (t *transport) Post(_ *winrm.Client, message *soap.SoapMessage) (string, error) {
	text := message.String()
	action := actionOf(text)
	if action == receiveAction {
		<-t.stdinSent
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return "", errEnded
	}
	answer, err := t.carry(action, text)
	if err != nil {
		t.err = err
		return "", errEnded
	}
	return answer, nil
}

// use makes t send by session under ctx from now on, past earlier errors.
func (t *transport) use(ctx context.Context, s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.session, t.err = ctx, s, nil
}

// announce says whether the next piece of standard input is the last.
func (t *transport) announce(last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastSend = last
}

// inputLost returns why standard input may be incomplete; nil if it is not.
func (t *transport) inputLost() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// failure returns why the call ended.
func (t *transport) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *transport) carry(action, text string) (string, error) {
	text, err := amend(action, text, t.lastSend)
	if err != nil {
		return "", err
	}
	if len(text) > envelopeSize {
		return "", fmt.Errorf("a message of %d bytes exceeds the envelope size %d", len(text), envelopeSize)
	}
	ask := t.exchange
	if action == receiveAction {
		ask = t.receive
	}
	a, err := ask(action, text)
	switch {
	case err != nil:
		return "", err
	case action == createAction && a.shell == "", action == commandAction && a.command == "":
		return "", &problem{kind: powershell.Garbled, err: fmt.Errorf("%s: the answer does not say what it made", name(action))}
	}
	return a.retell(action), nil
}

// receive asks for output until there is some, or the command has ended.
func (t *transport) receive(action, text string) (answer, error) {
	for {
		started := time.Now()
		a, err := t.exchange(action, text)
		if err != nil {
			return answer{}, err
		}
		t.received += a.size
		switch {
		case t.received > maxOutput:
			return answer{}, &problem{kind: powershell.Garbled, err: fmt.Errorf("the script's output exceeds %d bytes", maxOutput)}
		case a.progress():
			return a, nil
		case t.lost != nil:
			return answer{}, t.lost // and the command does not explain itself
		}
		if err := pause(t.ctx, minPoll-time.Since(started)); err != nil {
			return answer{}, err
		}
	}
}

// exchange sends one message and reads what the server says to it. The error
// is nil for a fault that does not end the call.
func (t *transport) exchange(action, text string) (answer, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.operation+t.answer)
	defer cancel()
	r, err := t.session.post(ctx, t.session.authorization, []byte(text))
	switch {
	case err != nil && ctx.Err() != nil && t.ctx.Err() == nil:
		return answer{}, fmt.Errorf("%s: no answer within %s", name(action), t.operation+t.answer)
	case err != nil:
		return answer{}, fmt.Errorf("%s: %w", name(action), err)
	case r.status == http.StatusUnauthorized && t.session.refused != nil:
		return answer{}, t.session.refused(r)
	}
	a, err := readAnswer(string(r.body))
	switch {
	case err != nil && r.status == http.StatusOK:
		return answer{}, &problem{kind: powershell.Garbled, err: fmt.Errorf("%s: %s", name(action), printable(err.Error()))}
	case err == nil && a.fault != nil:
		return a, t.tolerate(action, a.fault)
	case err == nil && r.status == http.StatusOK:
		return a, nil
	case action == createAction:
		return answer{}, statusProblem(r, powershell.Unreachable)
	default:
		return answer{}, statusProblem(r, powershell.Interrupted)
	}
}

// tolerate returns nil for the faults that do not end a call.
func (t *transport) tolerate(action string, f *fault) error {
	switch {
	case action == receiveAction && f.noOutputYet():
		return nil
	case action == sendAction && f.noOutputYet():
		// The server took the bytes, but PowerShell has not read them yet; so
		// Ansible understands it. Were it otherwise, the hash would not match.
		return nil
	case action == deleteAction && f.code == codeNoSuchShell:
		return nil // gone already
	}
	p := &problem{kind: f.kind(), code: f.code, err: fmt.Errorf("%s: %w", name(action), f)}
	switch {
	case p.kind != "":
		return p
	case action == createAction || action == commandAction:
		p.kind = powershell.Garbled
		return p
	case action == sendAction:
		// The command may have ended before it read its input, and its output
		// says why.
		p.kind, t.lost = powershell.Interrupted, p
		return nil
	default:
		p.kind = powershell.Interrupted
		return p
	}
}

// pause waits, or returns ctx.Err().
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
