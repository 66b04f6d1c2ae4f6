package powershell

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// What the lines on standard output begin with that are meant for us. All
// others are a product's chatter.
const (
	resultMark   = "@@RESULT "
	languageMark = "@@LANGUAGE "
	badMark      = "@@BAD "
)

// answer is the JSON behind the result mark.
type answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Error  *answerError    `json:"error,omitempty"`
}

// answerError is a [ScriptError] as the dispatcher writes it.
type answerError struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	Category  string `json:"category"`
	Exception string `json:"exception"`
	HResult   int32  `json:"hresult"`
	Line      int    `json:"line"`
}

// Answer returns what a script prints that ends with result, for servers that
// are simulated.
func Answer(nonce string, result any) ([]byte, error) {
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return answerLine(nonce, answer{Result: raw})
}

// AnswerError returns what a script prints that fails with e, for servers
// that are simulated. Server and Script of e do not travel.
func AnswerError(nonce string, e ScriptError) ([]byte, error) {
	return answerLine(nonce, answer{Error: e.answer()})
}

func (e *ScriptError) answer() *answerError {
	return &answerError{
		ID: e.ID, Message: e.Message, Category: e.Category,
		Exception: e.Exception, HResult: e.HResult, Line: e.Line,
	}
}

func answerLine(nonce string, a answer) ([]byte, error) {
	if !isNonce(nonce) {
		return nil, errors.New("answer: nonce is not 8 to 64 letters and digits")
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return fmt.Appendf(nil, "%s%s %s\r\n", resultMark, nonce, base64.StdEncoding.EncodeToString(raw)), nil
}

// ReadAnswer finds the answer to the call that was sealed with nonce in what
// the command printed, and decodes it into result.
//
// Without that one line a call has failed whatever its exit code, which only
// serves the message. The error is a *[ScriptError] or a *[TransportError] of
// kind [Garbled] or [Constrained].
func ReadAnswer(server, script, nonce string, stdout, stderr []byte, exit int, result any) error {
	garbled := func(err error) error { return &TransportError{Server: server, Kind: Garbled, Err: err} }
	found, err := findAnswer(nonce, stdout)
	if err != nil {
		return garbled(fmt.Errorf("%s: %w", script, err))
	}
	if found == nil {
		return noAnswer(server, script, stdout, stderr, exit)
	}
	return found.into(server, script, result)
}

// into decodes an answer's result, or returns its error.
func (a answer) into(server, script string, result any) error {
	if (a.Result == nil) == (a.Error == nil) {
		return &TransportError{Server: server, Kind: Garbled, Err: fmt.Errorf("%s: answer is not one of result and error", script)}
	}
	if e := a.Error; e != nil {
		return &ScriptError{
			Server: server, Script: script, ID: e.ID, Message: e.Message, Category: e.Category,
			Exception: e.Exception, HResult: e.HResult, Line: e.Line,
		}
	}
	if err := decodeStrict(a.Result, result); err != nil {
		return &TransportError{Server: server, Kind: Garbled, Err: fmt.Errorf("%s: decode result: %w", script, err)}
	}
	return nil
}

// findAnswer returns nil when no line carries the nonce.
func findAnswer(nonce string, stdout []byte) (*answer, error) {
	var found *answer
	for line := range marked(stdout, resultMark) {
		encoded, ok := strings.CutPrefix(line, nonce+" ")
		if !ok {
			continue // The answer to another call; ours may follow.
		}
		if found != nil {
			return nil, errors.New("two answers to one call")
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("answer is not base64: %w", err)
		}
		found = &answer{}
		if err := decodeStrict(raw, found); err != nil {
			return nil, fmt.Errorf("decode answer: %w", err)
		}
	}
	return found, nil
}

// marked yields what follows mark on each line that begins with it.
func marked(stdout []byte, mark string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range bytes.Lines(stdout) {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
			if rest, ok := bytes.CutPrefix(line, []byte(mark)); ok && !yield(strings.TrimRight(string(rest), "\r\n")) {
				return
			}
		}
	}
}

// noAnswer explains a command that ended without an answer.
func noAnswer(server, script string, stdout, stderr []byte, exit int) error {
	for mode := range marked(stdout, languageMark) {
		return &TransportError{Server: server, Kind: Constrained, Err: fmt.Errorf(
			"%s: PowerShell runs in language mode %q; allow full language for the connected account (AppLocker or WDAC policy)",
			script, printable(mode, 40))}
	}
	for what := range marked(stdout, badMark) {
		return &TransportError{Server: server, Kind: Garbled, Err: fmt.Errorf(
			"%s: %s arrived damaged; nothing ran", script, printable(what, 40))}
	}
	err := fmt.Errorf("%s: no answer (exit code %d)", script, exit)
	if said := diagnostics(stderr); said != "" {
		err = fmt.Errorf("%w; the server said: %s", err, said)
	}
	return &TransportError{Server: server, Kind: Garbled, Err: err}
}
