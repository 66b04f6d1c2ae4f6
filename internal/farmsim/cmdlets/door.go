// Package cmdlets lets a PowerShell that really runs work on a simulated
// server: its stand-ins for Windows' and the products' cmdlets, and the door
// through which they reach the operations of the model.
//
// It starts no PowerShell, which package engine does, and knows no rule of a
// product: how parameters bind and whether a cmdlet asks, PowerShell decides by
// the interfaces that the stand-ins declare; all else is the model's.
package cmdlets

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Door is an HTTP address on the loopback interface. Each process that may use
// it has a token of its own, which stands for its session on a server.
type Door struct {
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	visits map[string]*Visit
}

// Visit is one process at the door.
type Visit struct {
	// Token is what the process shows.
	Token string

	door    *Door
	session *model.Session
	mu      sync.Mutex
	err     error
	broken  func()
	// inner are processes that this one has started as another account.
	inner []*Visit
}

// Open opens a door, which serves until [Door.Close].
func Open() (*Door, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the door of the simulated servers: %w", err)
	}
	const patience = 10 * time.Second
	d := &Door{listener: listener, visits: map[string]*Visit{}}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: patience}
	go func() { _ = d.server.Serve(listener) }() // It ends with ErrServerClosed.
	return d, nil
}

// Address is where the door is, as host:port.
func (d *Door) Address() string { return d.listener.Addr().String() }

// Close closes the door.
func (d *Door) Close() error { return d.server.Close() }

// Admit lets a process in that acts in session. broken is called, once, when
// nothing that the process does can succeed any more, as after a reboot.
func (d *Door) Admit(session *model.Session, broken func()) *Visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := &Visit{Token: rand.Text(), door: d, session: session, broken: broken}
	d.visits[v.Token] = v
	return v
}

// End lets the process in no more, and returns why the visit broke, or nil.
func (v *Visit) End() error {
	v.door.mu.Lock()
	delete(v.door.visits, v.Token)
	v.door.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, inner := range v.inner {
		if err := inner.End(); v.err == nil {
			v.err = err
		}
	}
	return v.err
}

// fail ends the visit with an error that is not one of a cmdlet.
func (v *Visit) fail(err error) {
	v.mu.Lock()
	first := v.err == nil
	if first {
		v.err = err
	}
	v.mu.Unlock()
	if first {
		v.broken()
	}
}

func (d *Door) visit(r *http.Request) *Visit {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.visits[token]
}

// request is what a stand-in asks for.
type request struct {
	Cmdlet string `json:"cmdlet"`
	// Confirmed is false when the cmdlet asked and nobody could answer.
	Confirmed  bool            `json:"confirmed"`
	Parameters json.RawMessage `json:"parameters"`
}

// failure is an error of a cmdlet.
type failure struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	Category  string `json:"category"`
	Exception string `json:"exception"`
	HResult   int32  `json:"hresult"`
}

// maxRequest is far above the largest request, which brings a PFX, in bytes.
const maxRequest = 8 << 20

// ServeHTTP implements [http.Handler].
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.visit(r)
	if v == nil {
		http.Error(w, "no process has this token", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := v.answer(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		v.fail(err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A process that has gone needs no answer.
	_, _ = w.Write(answer)
}

func (v *Visit) answer(body []byte) ([]byte, error) {
	var asked request
	if err := decode(body, &asked); err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	run, ok := operations()[asked.Cmdlet]
	if asked.Cmdlet == enterTask {
		run, ok = tell(func(*model.Session) (string, error) { return v.enter() }), true
	}
	if !ok {
		return nil, fmt.Errorf("no operation stands behind %q", asked.Cmdlet)
	}
	result, err := any(nil), error(nil)
	if asked.Confirmed {
		result, err = run(v.session, asked.Parameters)
	} else {
		err = v.session.Prompt()
	}
	var refused *model.Error
	switch {
	case errors.As(err, &refused):
		return json.Marshal(map[string]failure{"error": {
			ID: refused.ID, Message: refused.Message, Category: refused.Category, Exception: refused.Exception, HResult: refused.HResult,
		}})
	case err != nil:
		return nil, fmt.Errorf("%s: %w", asked.Cmdlet, err)
	}
	return json.Marshal(map[string]any{"result": result})
}

// operation is what stands behind a stand-in.
type operation func(s *model.Session, parameters json.RawMessage) (any, error)

// on makes an operation of a function of typed parameters. A parameter that it
// does not know is an error: nothing that a cmdlet is told may be lost.
func on[P any](run func(*model.Session, P) (any, error)) operation {
	return func(s *model.Session, raw json.RawMessage) (any, error) {
		var parameters P
		if err := decode(raw, &parameters); err != nil {
			return nil, fmt.Errorf("not simulated: %w", err)
		}
		return run(s, parameters)
	}
}

// tell makes an operation of a function without parameters.
func tell[R any](ask func(*model.Session) (R, error)) operation {
	return on(func(s *model.Session, _ struct{}) (any, error) { return ask(s) })
}

func decode(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
