package reliability

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// ledger writes down what reaches the servers.
type ledger struct {
	mu    sync.Mutex
	lines []string
	acts  []act
	// secrets are what calls carried that is meant to be secret.
	secrets [][]byte
}

// act is one script that ran to its end on a server.
type act struct {
	host, script, text, params, result string

	changed bool
	at      time.Time
}

func (l *ledger) line(host, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, host+": "+text)
}

func (l *ledger) act(host string, call powershell.Envelope, result any) {
	a := act{host: host, script: call.Name, text: call.Prelude + call.Script, params: asked(call), at: time.Now()}
	if raw, err := json.Marshal(result); err == nil {
		a.result, a.changed = string(raw), changed(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acts = append(l.acts, a)
	l.secrets = append(l.secrets, call.Secrets...)
}

// asked is what a script was asked for. How long a task may take differs from
// attempt to attempt, and is no part of it.
func asked(call powershell.Envelope) string {
	var task powershell.InvokeSharePointTask
	if call.Name != powershell.ScriptOf(task) || json.Unmarshal(call.Params, &task) != nil {
		return string(call.Params)
	}
	return task.Verb + " " + string(task.Parameters)
}

// changed reports whether a script's result tells of a change. That of a task is
// inside its outcome.
func changed(raw []byte) bool {
	var r struct {
		Changed bool
		Outcome []byte
		Result  json.RawMessage
	}
	if json.Unmarshal(raw, &r) != nil {
		return false
	}
	return r.Changed || len(r.Outcome) > 0 && changed(r.Outcome) || len(r.Result) > 0 && changed(r.Result)
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acts)
}

// since returns what ran from an index on.
func (l *ledger) since(i int) []act {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acts[i:])
}

// key says what a script was to do where.
func (a act) key() string { return fmt.Sprintf("%s on %s with %s", a.script, a.host, a.params) }
