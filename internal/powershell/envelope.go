package powershell

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Envelope is what travels to the bootstrap over standard input.
type Envelope struct {
	// Prelude runs first and finds the rest; see [Prelude].
	Prelude string
	// Name is the name of the script, Script its text.
	Name, Script string
	// Nonce identifies the result of this call: 8 to 64 letters and digits.
	Nonce string
	// Params is a JSON object.
	Params json.RawMessage
	// Secrets travel unencoded in frames of their own, never in JSON and never
	// as a cmdlet's parameter, so that no log of PowerShell records them.
	Secrets [][]byte
}

// header is the frame between the script and the secrets.
type header struct {
	Name   string          `json:"name"`
	Nonce  string          `json:"nonce"`
	Params json.RawMessage `json:"params"`
}

const (
	// lineBytes is how much one line of standard input carries, in bytes before
	// base64. It keeps lines short enough for any line buffer on the way.
	lineBytes = 768
	// endMark begins the last line, followed by the hash of all bytes.
	endMark = "#END "
	// minFrames are the prelude, the script and the header.
	minFrames = 3
)

// Seal returns the standard input that makes the bootstrap run call. The result
// will carry nonce, 8 to 64 letters and digits that are new for every call.
func Seal(call Call, nonce string) ([]byte, error) {
	e, err := NewEnvelope(call, nonce)
	if err != nil {
		return nil, err
	}
	return e.Seal()
}

// NewEnvelope returns what [Seal] seals and [Open] opens again, for simulations
// that need no standard input.
func NewEnvelope(call Call, nonce string) (Envelope, error) {
	script, err := Source(call.Script)
	if err != nil {
		return Envelope{}, err
	}
	params, err := json.Marshal(call.Params)
	if err != nil {
		return Envelope{}, fmt.Errorf("seal parameters of %s: %w", call.Script, err)
	}
	e := Envelope{
		Prelude: Prelude(), Name: call.Script, Script: script,
		Nonce: nonce, Params: params, Secrets: call.Secrets,
	}
	return e, e.validate()
}

// Seal returns the envelope as standard input; [Open] is the reverse.
func (e Envelope) Seal() ([]byte, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	head, err := json.Marshal(header{Name: e.Name, Nonce: e.Nonce, Params: e.Params})
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", e.Name, err)
	}
	frames := append([][]byte{[]byte(e.Prelude), []byte(e.Script), head}, e.Secrets...)
	var raw []byte
	for _, frame := range frames {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(len(frame))) //nolint:gosec // frames are far below 4 GiB
		raw = append(raw, frame...)
	}
	return encodeLines(raw), nil
}

func (e Envelope) validate() error {
	if !isNonce(e.Nonce) {
		return fmt.Errorf("seal %s: nonce is not 8 to 64 letters and digits", e.Name)
	}
	if trimmed := bytes.TrimSpace(e.Params); len(trimmed) == 0 || trimmed[0] != '{' {
		return fmt.Errorf("seal %s: parameters are not a JSON object", e.Name)
	}
	return nil
}

func isNonce(s string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return len(s) >= 8 && len(s) <= 64 && strings.Trim(s, alphabet) == ""
}

// encodeLines writes raw as lines of base64 and their hash. It is all ASCII, so
// code pages and byte order marks do not matter.
func encodeLines(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	var out []byte
	for len(raw) > 0 {
		n := min(lineBytes, len(raw))
		out = base64.StdEncoding.AppendEncode(out, raw[:n])
		out = append(out, '\n')
		raw = raw[n:]
	}
	out = append(out, endMark...)
	out = hex.AppendEncode(out, sum[:])
	return append(out, '\n')
}

// Open reads standard input as the bootstrap and the prelude do, for simulated
// servers. It rejects what they reject.
func Open(stdin []byte) (Envelope, error) {
	raw, err := decodeLines(stdin)
	if err != nil {
		return Envelope{}, fmt.Errorf("open envelope: %w", err)
	}
	frames, err := splitFrames(raw)
	if err != nil {
		return Envelope{}, fmt.Errorf("open envelope: %w", err)
	}
	var head header
	if err := decodeStrict(frames[2], &head); err != nil {
		return Envelope{}, fmt.Errorf("open envelope: header: %w", err)
	}
	e := Envelope{
		Prelude: string(frames[0]), Script: string(frames[1]), Name: head.Name,
		Nonce: head.Nonce, Params: head.Params, Secrets: frames[minFrames:],
	}
	if err := e.validate(); err != nil {
		return Envelope{}, fmt.Errorf("open envelope: %w", err)
	}
	return e, nil
}

func decodeLines(stdin []byte) ([]byte, error) {
	var raw []byte
	for line := range bytes.Lines(stdin) {
		line = bytes.TrimRight(line, "\r\n")
		if mark, ok := bytes.CutPrefix(line, []byte(endMark)); ok {
			sum := sha256.Sum256(raw)
			if !strings.EqualFold(string(bytes.TrimSpace(mark)), hex.EncodeToString(sum[:])) {
				return nil, errors.New("standard input does not match its hash")
			}
			return raw, nil
		}
		var err error
		if raw, err = base64.StdEncoding.AppendDecode(raw, line); err != nil {
			return nil, fmt.Errorf("a line is not base64: %w", err)
		}
	}
	return nil, errors.New("standard input ends before its hash")
}

func splitFrames(raw []byte) ([][]byte, error) {
	var frames [][]byte
	for len(raw) > 0 {
		if len(raw) < 4 {
			return nil, errors.New("a frame ends inside its length")
		}
		n := binary.LittleEndian.Uint32(raw)
		raw = raw[4:]
		if uint64(n) > uint64(len(raw)) {
			return nil, errors.New("a frame is longer than what is left")
		}
		frames = append(frames, raw[:n:n])
		raw = raw[n:]
	}
	if len(frames) < minFrames {
		return nil, fmt.Errorf("%d frames where %d are needed", len(frames), minFrames)
	}
	return frames, nil
}

// decodeStrict decodes exactly one JSON value without unknown fields.
func decodeStrict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON value")
	}
	return nil
}
