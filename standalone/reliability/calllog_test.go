package reliability

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// callLog records every call that reaches the servers.
type callLog struct {
	mu    sync.Mutex
	lines []string
	calls []callRecord
	// secrets are the secret parts of the calls.
	secrets [][]byte
}

// callRecord is one script that ran to completion on a server.
type callRecord struct {
	host, script, text, params, result string

	changed bool
	at      time.Time
}

// addCommandLine records a command line, which must not contain a secret.
func (l *callLog) addCommandLine(host, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, host+": "+text)
}

// addCall records a script that ran to completion.
func (l *callLog) addCall(host string, call powershell.Envelope, result any) {
	a := callRecord{host: host, script: call.Name, text: call.Prelude + call.Script, params: callParams(call), at: time.Now()}
	if raw, err := json.Marshal(result); err == nil {
		a.result, a.changed = string(raw), changedSomething(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, a)
	l.secrets = append(l.secrets, call.Secrets...)
}

// callParams returns the parameters that identify a call. A task's timeout is left
// out, because it differs between attempts.
func callParams(call powershell.Envelope) string {
	var task powershell.InvokeSharePointTask
	if call.Name != powershell.ScriptOf(task) || json.Unmarshal(call.Params, &task) != nil {
		return string(call.Params)
	}
	return task.Verb + " " + string(task.Parameters)
}

// changedSomething reports whether a script's result says that it changed
// something. The result of a scheduled task is nested in the task's own output.
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
	return len(l.calls)
}

// since returns the calls from index i on.
func (l *callLog) since(i int) []callRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls[i:])
}

// key identifies the work of a call: script, server and parameters.
func (a callRecord) key() string { return fmt.Sprintf("%s on %s with %s", a.script, a.host, a.params) }
