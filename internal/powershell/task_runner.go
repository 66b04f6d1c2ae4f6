package powershell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// InvokeSharePointTask makes the SharePoint task run a verb; see [ByTask].
type InvokeSharePointTask struct {
	// Verb is the name of a script that the task contains, Parameters a JSON
	// object with the parameters of that script.
	Verb       string
	Parameters json.RawMessage
	// Hash identifies the version of the task's script; see [HashTask].
	Hash string
	// Seconds is how long to wait for the result.
	Seconds int
}

// TaskResult is the result of [InvokeSharePointTask].
type TaskResult struct {
	// Outcome is what the task's script wrote; see [FormatTaskOutcome].
	Outcome []byte `json:"outcome"`
}

// taskOutcome is what the task's script writes about one request: ID is that of
// the request, Script the hash of the script.
type taskOutcome struct {
	ID     string `json:"id"`
	Script string `json:"script"`
	outcome
}

// FormatTaskOutcome returns what the task's script with this hash writes about
// a request that ended with result, or with the error failed unless that is
// nil, and whose cmdlets warned, for simulated servers.
func FormatTaskOutcome(id, hash string, result any, failed *ScriptError, warnings ...string) ([]byte, error) {
	o := taskOutcome{ID: id, Script: hash}
	o.Warnings = warnings
	if failed != nil {
		o.Error = failed.outcomeError()
		return json.Marshal(o)
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("format outcome of the task: %w", err)
	}
	o.Result = raw
	return json.Marshal(o)
}

// ByTask returns a runner that makes r's servers run scripts by way of the
// SharePoint task. It accepts only the scripts of [TaskVerbs]. Errors are those
// of the scripts, and those whose ID says that the task itself failed.
func ByTask(r Runner) Runner { return ByTaskOf(r, TaskScript()) }

// ByTaskOf is [ByTask] for a task's script that [TaskScriptOn] returned.
func ByTaskOf(r Runner, script string) Runner { return taskRunner{r, HashTask(script)} }

type taskRunner struct {
	runner Runner
	hash   string
}

const (
	// taskTimeout is how long to wait for a result: SharePoint's cmdlets take
	// tens of seconds to load, and requests queue.
	taskTimeout = 5 * time.Minute
	// returnMargin is the part of the caller's deadline that is left for the
	// result to travel back.
	returnMargin = 10 * time.Second
)

// Run implements [Runner].
func (t taskRunner) Run(ctx context.Context, target Target, call Call, result any) error {
	if !slices.Contains(taskVerbs, call.Script) || len(call.Secrets) > 0 {
		return fmt.Errorf("run %s on %s: the SharePoint task does not run this script", call.Script, target.Host)
	}
	params, err := json.Marshal(call.Params)
	if err != nil {
		return fmt.Errorf("encode parameters of %s: %w", call.Script, err)
	}
	timeout := taskTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(min(timeout, time.Until(deadline)-returnMargin), time.Second)
	}
	done, err := Run(ctx, t.runner, target, InvokeSharePointTask{
		Verb: call.Script, Parameters: params, Hash: t.hash, Seconds: int(timeout.Seconds()),
	})
	if err != nil {
		return err
	}
	return t.readOutcome(target.Host, call, done.Outcome, result)
}

// readOutcome decodes what the task wrote into result, or returns the error.
func (t taskRunner) readOutcome(server string, call Call, raw []byte, result any) error {
	var found taskOutcome
	if err := checkLimits(raw, maxOutcome, maxText); err != nil {
		return garbledError(server, fmt.Errorf("%s: the task's outcome: %w", call.Script, err))
	}
	if err := decodeStrict(raw, &found); err != nil {
		return garbledError(server, fmt.Errorf("%s: decode the task's outcome: %w", call.Script, err))
	}
	if found.Script != t.hash {
		return garbledError(server, fmt.Errorf("%s: %w", call.Script, errOtherScript))
	}
	return found.decodeInto(server, call, result)
}

var errOtherScript = errors.New("the task's outcome comes from another script")
