package powershell

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The SharePoint task is a scheduled task on a front end whose sessions cannot
// reach SQL Server. An administrator registers it under an account that can.
// Its one fixed script holds the texts of these scripts, and runs nothing else.
var taskVerbs = []string{"Add-RootAuthority", "Get-SharePointFarm", "Remove-RootAuthority", "Restore-TrustedIssuer", "Set-TrustedIssuer"}

// TaskVerbs lists the scripts that the SharePoint task runs, sorted.
func TaskVerbs() []string { return slices.Clone(taskVerbs) }

// taskFunctions are the parts of the prelude that the verbs need, and no more:
// an administrator reads what is signed.
var taskFunctions = []string{
	"scripts/prelude/common.ps1", "scripts/prelude/answer.ps1", "scripts/prelude/hash.ps1",
	"scripts/prelude/public.ps1", "scripts/prelude/machine.ps1", "scripts/prelude/sharepoint.ps1",
}

// TaskScript returns the script of the SharePoint task, as it is signed and
// installed.
func TaskScript() string {
	return TaskScriptOn(text("scripts/prelude/windows/machine.ps1") + "\n" + text("scripts/prelude/windows/sharepoint.ps1"))
}

// TaskScriptOn returns the task's script with the functions that only Windows
// can run replaced by those given, as [PreludeOn] does.
func TaskScriptOn(machine string) string {
	parts := []string{
		text("scripts/task/head.ps1"), joined(taskFunctions) + machine, text("scripts/task/shape.ps1"), text("scripts/task/queue.ps1"),
		"# The verbs: farmtrust's own scripts, word for word.\n$FarmTrustVerbs = @{}\n",
	}
	for _, name := range taskVerbs {
		parts = append(parts, fmt.Sprintf("$FarmTrustVerbs['%s'] = {\n%s}\n", name, text("scripts/"+name+".ps1")))
	}
	return strings.Join(append(parts, text("scripts/task/run.ps1")), "\n")
}

// TaskFiles returns the one part of the prelude for Windows that runs on any
// system: the files that go to and come from the task.
func TaskFiles() string { return text("scripts/prelude/windows/task.ps1") }

// TaskInstaller returns the script that installs the SharePoint task.
func TaskInstaller() string { return TaskInstallerOn(text("scripts/install/windows.ps1")) }

// TaskInstallerOn returns the installing script with the functions that only
// Windows can run replaced by those given.
func TaskInstallerOn(machine string) string {
	return strings.Join([]string{text("scripts/install/head.ps1"), text("scripts/prelude/hash.ps1"), machine, text("scripts/install/run.ps1")}, "\n")
}

// HashTask returns what a script of the task is known by: the SHA-256 of its
// text, whatever its line ends, without a signature.
func HashTask(script string) string {
	script = strings.ReplaceAll(script, "\r", "")
	script, _, _ = strings.Cut(script, "\n# SIG # Begin signature block")
	sum := sha256.Sum256([]byte(strings.TrimRightFunc(script, unicode.IsSpace)))
	return hex.EncodeToString(sum[:])
}

// InvokeSharePointTask has the SharePoint task run a verb; see [ByTask].
type InvokeSharePointTask struct {
	// Verb is the name of a script that the task holds, Parameters a JSON
	// object of that script's parameters.
	Verb       string
	Parameters json.RawMessage
	// Hash is that of the task's script; see [HashTask].
	Hash string
	// Seconds is how long to wait for the answer.
	Seconds int
}

// Script implements [Params].
func (InvokeSharePointTask) Script() string { return "Invoke-SharePointTask" }

// Answer implements [Params].
func (InvokeSharePointTask) Answer() (r TaskResult) { return r }

// TaskResult is the result of [InvokeSharePointTask].
type TaskResult struct {
	// Answer is what the task's script wrote; see [AnswerTask].
	Answer []byte `json:"answer"`
}

// taskAnswer is what the task's script writes about one request: ID is the
// request's, Script the hash of the script.
type taskAnswer struct {
	ID     string `json:"id"`
	Script string `json:"script"`
	answer
}

// AnswerTask returns what the task's script of a hash writes about a request
// that ended with result, or was refused, for servers that are simulated.
func AnswerTask(id, hash string, result any, refused *ScriptError) ([]byte, error) {
	a := taskAnswer{ID: id, Script: hash}
	if refused != nil {
		a.Error = refused.answer()
		return json.Marshal(a)
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	a.Result = raw
	return json.Marshal(a)
}

// ByTask returns a runner that has r's servers run scripts by way of the
// SharePoint task. It takes only those scripts that the task holds; errors are
// those of the scripts, and those whose ID says that the task itself failed.
func ByTask(r Runner) Runner { return ByTaskOf(r, TaskScript()) }

// ByTaskOf is [ByTask] for a script of the task that is made with
// [TaskScriptOn].
func ByTaskOf(r Runner, script string) Runner { return taskRunner{r, HashTask(script)} }

type taskRunner struct {
	runner Runner
	hash   string
}

const (
	// taskPatience is how long an answer is waited for: SharePoint's cmdlets
	// take tens of seconds to load, and requests queue.
	taskPatience = 5 * time.Minute
	// taskMargin is left of the caller's deadline for the answer's way back.
	taskMargin = 10 * time.Second
)

// Run implements [Runner].
func (t taskRunner) Run(ctx context.Context, target Target, call Call, result any) error {
	if !slices.Contains(taskVerbs, call.Script) || len(call.Secrets) > 0 {
		return fmt.Errorf("run %s on %s: the SharePoint task does not take it", call.Script, target.Host)
	}
	params, err := json.Marshal(call.Params)
	if err != nil {
		return fmt.Errorf("encode parameters of %s: %w", call.Script, err)
	}
	patience := taskPatience
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(min(patience, time.Until(deadline)-taskMargin), time.Second)
	}
	found, err := Run(ctx, t.runner, target, InvokeSharePointTask{
		Verb: call.Script, Parameters: params, Hash: t.hash, Seconds: int(patience.Seconds()),
	})
	if err != nil {
		return err
	}
	return t.read(target.Host, call.Script, found.Answer, result)
}

func (t taskRunner) read(server, script string, raw []byte, result any) error {
	garbled := func(err error) error {
		return &TransportError{Server: server, Kind: Garbled, Err: fmt.Errorf("%s: %w", script, err)}
	}
	var found taskAnswer
	if err := decodeStrict(raw, &found); err != nil {
		return garbled(fmt.Errorf("decode the task's answer: %w", err))
	}
	if found.Script != t.hash {
		return garbled(errors.New("the task's answer comes from another script"))
	}
	return found.into(server, script, result)
}
