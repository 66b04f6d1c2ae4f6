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
type callLog struct {
	mu    sync.Mutex
	lines []string
	acts  []callRecord
	// secrets are what calls carried that is meant to be secret.
	secrets [][]byte
}

// act is one script that ran to its end on a server.
type callRecord struct {
	host, script, text, params, result string

	changed bool
	at      time.Time
}

func (l *callLog) line(host, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, host+": "+text)
}

func (l *callLog) addCall(host string, call powershell.Envelope, result any) {
	a := callRecord{host: host, script: call.Name, text: call.Prelude + call.Script, params: callParams(call), at: time.Now()}
	if raw, err := json.Marshal(result); err == nil {
		a.result, a.changed = string(raw), changedSomething(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acts = append(l.acts, a)
	l.secrets = append(l.secrets, call.Secrets...)
}

// asked is what a script was asked for. How long a task may take differs from
// attempt to attempt, and is no part of it.
func callParams(call powershell.Envelope) string {
	var task powershell.InvokeSharePointTask
	if call.Name != powershell.ScriptOf(task) || json.Unmarshal(call.Params, &task) != nil {
		return string(call.Params)
	}
	return task.Verb + " " + string(task.Parameters)
}

// changed says whether a script's result tells of a change. That of a task is
// inside of what it answered.
func changedSomething(raw []byte) bool {
	var r struct {
		Changed bool
		Outcome []byte
		Result  json.RawMessage
	}
	if json.Unmarshal(raw, &r) != nil {
		return false
	}
	return r.Changed || len(r.Outcome) > 0 && changedSomething(r.Outcome) || len(r.Result) > 0 && changedSomething(r.Result)
}

func (l *callLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acts)
}

// since returns what ran from an index on.
func (l *callLog) since(i int) []callRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acts[i:])
}

// key says what a script was to do where.
func (a callRecord) key() string { return fmt.Sprintf("%s on %s with %s", a.script, a.host, a.params) }
