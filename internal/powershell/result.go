package powershell

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Prefixes of the lines on standard output that are ours. Every other line is
// output of a product.
const (
	resultMark   = "@@RESULT "
	languageMark = "@@LANGUAGE "
	badMark      = "@@BAD "
)

// outcome is the JSON behind the result mark: a result or an error, and what
// cmdlets warned of.
type outcome struct {
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *outcomeError   `json:"error,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// outcomeError is a [ScriptError] as the dispatcher writes it.
type outcomeError struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	Category  string `json:"category"`
	Exception string `json:"exception"`
	HResult   int32  `json:"hresult"`
	Line      int    `json:"line"`
}

// FormatResult returns what a script prints that ends with result, and whose
// cmdlets warned, for simulated servers.
func FormatResult(nonce string, result any, warnings ...string) ([]byte, error) {
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("format result: %w", err)
	}
	return formatOutcome(nonce, outcome{Result: raw, Warnings: warnings})
}

// FormatError returns what a script prints that fails with e, for simulated
// servers. Server and Script of e are left out.
func FormatError(nonce string, e ScriptError) ([]byte, error) {
	return formatOutcome(nonce, outcome{Error: e.outcomeError(), Warnings: e.Warnings})
}

func (e *ScriptError) outcomeError() *outcomeError {
	return &outcomeError{
		ID: e.ID, Message: e.Message, Category: e.Category,
		Exception: e.Exception, HResult: e.HResult, Line: e.Line,
	}
}

func formatOutcome(nonce string, o outcome) ([]byte, error) {
	if !isNonce(nonce) {
		return nil, errors.New("format result: nonce is not 8 to 64 letters and digits")
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("format result: %w", err)
	}
	return fmt.Appendf(nil, "%s%s %s\r\n", resultMark, nonce, base64.StdEncoding.EncodeToString(raw)), nil
}

// ReadResult finds the result line of a call that was sealed with nonce in what the
// command printed, and decodes the result into result. Warnings go to call.Warn.
//
// Without that line the call has failed, whatever its exit code, which appears
// only in the message. The error is a *[ScriptError], or a *[TransportError] of
// kind [Garbled], [Oversized] or [Constrained].
func ReadResult(server string, call Call, nonce string, stdout, stderr []byte, exit int, result any) error {
	found, err := findOutcome(call.Script, nonce, stdout)
	if err != nil {
		return garbledError(server, fmt.Errorf("%s: %w", call.Script, err))
	}
	if found == nil {
		return explainNoResult(server, call.Script, stdout, stderr, exit)
	}
	return found.decodeInto(server, call, result)
}

// garbledError returns the error of a call whose result cannot be read, or is too large
// to be.
func garbledError(server string, err error) error {
	kind := Garbled
	if _, ok := errors.AsType[*OversizedError](err); ok {
		kind = Oversized
	}
	return &TransportError{Server: server, Kind: kind, Err: err}
}

// decodeInto decodes the result into result, or returns the error, and hands over the
// warnings.
func (o outcome) decodeInto(server string, call Call, result any) error {
	script := call.Script
	if (o.Result == nil) == (o.Error == nil) {
		return garbledError(server, fmt.Errorf("%s: the outcome is not one of result and error", script))
	}
	warnings := boundWarnings(o.Warnings)
	if call.Warn != nil {
		for _, text := range warnings {
			call.Warn(text)
		}
	}
	if e := o.Error; e != nil {
		return e.toScriptError(server, script, warnings)
	}
	if err := decodeStrict(o.Result, result); err != nil {
		return garbledError(server, fmt.Errorf("%s: decode result: %s", script, printableLine(err.Error(), maxDiagnostics)))
	}
	return nil
}

// toScriptError returns the error with its texts short, each on a line of its own.
func (e *outcomeError) toScriptError(server, script string, warnings []string) *ScriptError {
	return &ScriptError{
		Server: server, Script: script, ID: printableLine(e.ID, maxErrorWord), Message: printableLine(e.Message, maxErrorMessage),
		Category: printableLine(e.Category, maxErrorWord), Exception: printableLine(e.Exception, maxErrorWord),
		HResult: e.HResult, Line: e.Line, Warnings: warnings,
	}
}

// Limits of the texts of a [ScriptError], in characters. The prelude cuts messages too.
const (
	maxErrorMessage = 2000
	maxErrorWord    = 200
)

// findOutcome returns nil when no line carries the nonce.
func findOutcome(script, nonce string, stdout []byte) (*outcome, error) {
	var found *outcome
	maxBytes, maxBytesOfText := outcomeLimit(script)
	for line := range linesMarked(stdout, resultMark) {
		encoded, ok := strings.CutPrefix(line, nonce+" ")
		if !ok {
			continue // The result of another call; ours may follow.
		}
		if found != nil {
			return nil, errors.New("two results of one call")
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("result is not base64: %w", err)
		}
		if err := checkLimits(raw, maxBytes, maxBytesOfText); err != nil {
			return nil, err
		}
		found = &outcome{}
		if err := decodeStrict(raw, found); err != nil {
			return nil, fmt.Errorf("decode outcome: %s", printableLine(err.Error(), maxDiagnostics))
		}
	}
	return found, nil
}

// linesMarked yields what follows mark on each line that begins with it.
func linesMarked(stdout []byte, mark string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range bytes.Lines(stdout) {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
			if rest, ok := bytes.CutPrefix(line, []byte(mark)); ok && !yield(strings.TrimRight(string(rest), "\r\n")) {
				return
			}
		}
	}
}

// explainNoResult returns the error of a command that ended without a result.
func explainNoResult(server, script string, stdout, stderr []byte, exit int) error {
	for mode := range linesMarked(stdout, languageMark) {
		return &TransportError{Server: server, Kind: Constrained, Err: fmt.Errorf(
			"%s: PowerShell runs in language mode %q; allow full language for the connected account (AppLocker or WDAC policy)",
			script, printableLine(mode, 40))}
	}
	for what := range linesMarked(stdout, badMark) {
		return garbledError(server, fmt.Errorf("%s: %s arrived damaged; nothing ran", script, printableLine(what, 40)))
	}
	err := fmt.Errorf("%s: no result (exit code %d)", script, exit)
	if words := readDiagnostics(stderr); words != "" {
		err = fmt.Errorf("%w; the server said: %s", err, words)
	}
	return garbledError(server, err)
}
