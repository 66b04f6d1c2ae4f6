package pwsh

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

// server is an HTTP server on the loopback interface through which stubs call
// operations of the model. Each PowerShell process has a token of its own,
// which stands for its logon session on a simulated server.
type server struct {
	listener net.Listener
	http     *http.Server

	mu        sync.Mutex
	processes map[string]*process
}

// process is a PowerShell process that may call.
type process struct {
	// token is what it shows.
	token string

	server *server
	call   Call

	mu  sync.Mutex
	err error
	// broken is called, once, when nothing that the process does can succeed
	// any more, as after a reboot.
	broken func()
	// children are processes that this one has started as another account.
	children []*process
}

// startServer starts a server, which serves until it is closed.
func startServer() (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve the model to stubs: %w", err)
	}
	// Stubs send what they have in one piece, on this machine.
	const headerTimeout = 10 * time.Second
	s := &server{listener: listener, processes: map[string]*process{}}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: headerTimeout}
	go func() { _ = s.http.Serve(listener) }() // It ends with ErrServerClosed.
	return s, nil
}

// address is where the server is, as host:port.
func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) close() error { return s.http.Close() }

// authorize lets a process act in the session of a call.
func (s *server) authorize(c Call, broken func()) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &process{token: rand.Text(), server: s, call: c, broken: broken}
	s.processes[p.token] = p
	return p
}

// taskScript is a scheduled task and the path of its script.
type taskScript struct{ TaskName, Path string }

// taskProcess is what the process of the SharePoint task is called.
const taskProcess = "farmtrust-sharepoint"

// startTask authorizes another process, which acts as the account of a
// scheduled task for as long as this one lasts. It returns its token and the
// script to run.
func (p *process) startTask(task taskScript) (any, error) {
	c := p.call
	var err error
	if c.Session, err = p.call.Session.TaskSession(task.TaskName); err != nil {
		return nil, fmt.Errorf("start the task %s: %w", task.TaskName, err)
	}
	if c.InstrumentFile != nil {
		if task.Path, err = c.InstrumentFile(task.Path); err != nil {
			return nil, fmt.Errorf("start the task %s: %w", task.TaskName, err)
		}
	}
	c.Session.BeginQueue(taskProcess)
	child := p.server.authorize(c, p.broken)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.children = append(p.children, child)
	return object{"$type": "TaskScript", "Token": child.token, "Path": task.Path}, nil
}

// endProcess takes the authorization back, and returns why the process broke, or nil.
func (p *process) endProcess() error {
	p.server.mu.Lock()
	delete(p.server.processes, p.token)
	p.server.mu.Unlock()
	p.call.Session.EndProcess()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, child := range p.children {
		if err := child.endProcess(); p.err == nil {
			p.err = err
		}
	}
	return p.err
}

// breakProcess breaks the process with an error that is not one of a cmdlet.
func (p *process) breakProcess(err error) {
	p.mu.Lock()
	first := p.err == nil
	if first {
		p.err = err
	}
	p.mu.Unlock()
	if first {
		p.broken()
	}
}

func (s *server) processOf(r *http.Request) *process {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[token]
}

// maxRequest is far above the largest request, which brings a PFX, in bytes.
const maxRequest = 8 << 20

// ServeHTTP lets a stub run one operation.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := s.processOf(r)
	if p == nil {
		http.Error(w, "no process has this token", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response, err := p.respondTo(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		p.breakProcess(err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A process that has ended needs no response.
	_, _ = w.Write(response)
}

// request is what a stub asks for.
type request struct {
	Cmdlet string `json:"cmdlet"`
	// Confirmed is false when the cmdlet prompted, which nothing answers here.
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

// respondTo does what a stub asks for. An error of a cmdlet is a response.
func (p *process) respondTo(body []byte) ([]byte, error) {
	var asked request
	if err := decodeStrict(body, &asked); err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	result, err := p.runOperation(asked)
	warnings := append([]string{}, p.call.Session.TakeWarnings()...)
	var refused *model.Error
	switch {
	case errors.As(err, &refused):
		return json.Marshal(map[string]any{"error": failure(*refused), "warnings": warnings})
	case err != nil:
		return nil, fmt.Errorf("%s: %w", asked.Cmdlet, err)
	}
	return json.Marshal(map[string]any{"result": result, "warnings": warnings})
}

// runOperation runs the operation that stands behind a stub, or what overrides it.
func (p *process) runOperation(asked request) (any, error) {
	do := func() (any, error) {
		operation, ok := operations()[asked.Cmdlet]
		switch {
		case !asked.Confirmed:
			return nil, p.call.Session.Prompt()
		case asked.Cmdlet == startTask:
			return operationOn(func(_ *model.Session, task taskScript) (any, error) { return p.startTask(task) })(p.call.Session, asked.Parameters)
		case ok:
			return operation(p.call.Session, asked.Parameters)
		case isProductCmdlet(asked.Cmdlet):
			return forwardCmdlet(p.call.Session, asked.Cmdlet, asked.Parameters)
		}
		return nil, errors.New("no operation stands behind this stub")
	}
	if override := p.call.Overrides[asked.Cmdlet]; override != nil {
		return override(asked.Parameters, do)
	}
	return do()
}

func decodeStrict(raw []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
