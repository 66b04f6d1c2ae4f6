// Package audit keeps an append-only log of what was decided about farms and changed on
// them, outside Temporal: lines of JSON, each protected by the hash in the next one and by
// a code that only workers can make.
//
// It does not decide what is recorded, and it never deletes: [Verify] finds what somebody
// else has changed or cut off.
package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/keyring"
)

// Event is what a line tells of.
type Event string

const (
	// Begin and End are before and after an attempt at a step that may change a server.
	// A Begin without its End is of a worker that was cut off.
	Begin Event = "begin"
	End   Event = "end"
	// Refusal is a step that was not begun, because the run may not, or a decision that does
	// not count.
	Refusal Event = "refusal"
	// Decision is what a person decided about a farm or a run, or asked for, and counts.
	Decision Event = "decision"
	// Opened is the first line of a worker that starts, and of each file.
	Opened Event = "opened"
	// Torn follows what a crash has left of a line, which Detail has the SHA-256 of.
	Torn Event = "torn"
)

// The outcomes of a step, and of a decision that counts.
const (
	Accepted  = "accepted"
	Changed   = "changed"
	Unchanged = "unchanged"
	Failed    = "failed"
)

// Record is what a line tells. It never holds a secret.
type Record struct {
	Event Event  `json:"event"`
	Farm  string `json:"farm,omitempty"`
	// Workflow and Run are the IDs of what asked for it.
	Workflow string `json:"workflow,omitempty"`
	Run      string `json:"run,omitempty"`
	// Step is the activity, and Attempt counts from 1.
	Step    string `json:"step,omitempty"`
	Server  string `json:"server,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Action is what a person decided, By who, and Verified how that was proven.
	Action   string `json:"action,omitempty"`
	By       string `json:"by,omitempty"`
	Verified string `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Digest   string `json:"digest,omitempty"`
	// Target is the thumbprint of the certificate that a step is about.
	Target string `json:"target,omitempty"`
	// Outcome is how it ended, and Detail says more.
	Outcome string        `json:"outcome,omitempty"`
	Detail  string        `json:"detail,omitempty"`
	Changes []farm.Change `json:"changes,omitempty"`
	// Cut reports whether the line would have been too long, and changes are left out.
	Cut bool `json:"cut,omitempty"`
}

// entry is the content of a line: what its hash is made of.
type entry struct {
	// Log is the chain, a random name of the first line. Seq counts its lines from 1,
	// over all files.
	Log string `json:"log"`
	Seq uint64 `json:"seq"`
	// Prev is the hash of the line before; empty in the first one.
	Prev string    `json:"prev"`
	At   time.Time `json:"at"`
	// Worker and Build are who wrote it, Key the ID of the key of its code.
	Worker string `json:"worker"`
	Build  string `json:"build"`
	Key    string `json:"key"`
	Record
}

// Limits keep a line below what the Windows event log takes: 31,839 characters.
// Source: Microsoft, "ReportEventW function".
const (
	maxText    = 2000
	maxChanges = 40
	maxLine    = 30 << 10
)

// purpose separates the key of the log from other keys of the ring.
const purpose = "farmtrust audit log"

// What stands behind the content of a line: `,"hash":"64 digits","mac":"64 digits"}`.
const (
	hashMark   = `,"hash":"`
	macMark    = `","mac":"`
	lineEnd    = `"}`
	hashDigits = 2 * sha256.Size
	tailLength = len(hashMark) + hashDigits + len(macMark) + hashDigits + len(lineEnd)
)

// sealLine returns the line of an entry, without its newline, and its hash.
func sealLine(e entry, key keyring.Key) (line, hash string, err error) {
	e.Record = limitRecord(e.Record)
	content, err := json.Marshal(e)
	if err == nil && len(content) > maxLine {
		e.Changes, e.Cut = nil, true
		content, err = json.Marshal(e)
	}
	if err != nil {
		return "", "", fmt.Errorf("write an entry of the audit log: %w", err)
	}
	body := strings.TrimSuffix(string(content), "}")
	hash = hashOf(body)
	return body + hashMark + hash + macMark + codeOf(hash, key) + lineEnd, hash, nil
}

// hashOf is the hash of the content of a line, which has the hash of the line before.
func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// codeOf authenticates a hash, and with it every line up to there.
func codeOf(hash string, key keyring.Key) string {
	derived := key.Derive(purpose)
	code := hmac.New(sha256.New, derived[:])
	code.Write([]byte(hash))
	return hex.EncodeToString(code.Sum(nil))
}

// line is a line as it was read. Its hash is that of its content, or reading fails.
type line struct {
	entry

	hash, mac string
}

// readLine reads a line, without its newline, and checks its hash against its content.
func readLine(text string) (line, error) {
	at := len(text) - tailLength
	if at < 1 || !strings.HasPrefix(text[at:], hashMark) || !strings.HasSuffix(text, lineEnd) {
		return line{}, fmt.Errorf("it is not a line of an audit log")
	}
	body, tail := text[:at], text[at+len(hashMark):]
	l := line{hash: tail[:hashDigits], mac: tail[hashDigits+len(macMark) : hashDigits+len(macMark)+hashDigits]}
	if tail[hashDigits:hashDigits+len(macMark)] != macMark || l.hash != hashOf(body) {
		return line{}, fmt.Errorf("its content is not what its hash is of: it was altered")
	}
	if err := json.Unmarshal([]byte(body+"}"), &l.entry); err != nil {
		return line{}, fmt.Errorf("it is not a line of an audit log: %w", err)
	}
	return l, nil
}

// hasCode reports whether the code of a line is that of a key.
func (l line) hasCode(key keyring.Key) bool {
	return hmac.Equal([]byte(l.mac), []byte(codeOf(l.hash, key)))
}

// mark names the line, and everything before it.
func (l line) mark() Mark { return Mark{Log: l.Log, Seq: l.Seq, Hash: l.hash} }

// limitRecord cuts texts: those of a server may have any length.
func limitRecord(r Record) Record {
	for _, text := range []*string{
		&r.Farm, &r.Workflow, &r.Run, &r.Step, &r.Server, &r.Action, &r.By, &r.Verified, &r.Reason, &r.Digest, &r.Target, &r.Outcome, &r.Detail,
	} {
		*text = limitText(*text)
	}
	if len(r.Changes) > maxChanges {
		r.Changes, r.Cut = r.Changes[:maxChanges], true
	}
	limited := make([]farm.Change, len(r.Changes))
	for i, c := range r.Changes {
		limited[i] = farm.Change{Name: limitText(c.Name), Before: limitText(c.Before), After: limitText(c.After)}
	}
	if r.Changes = limited; len(limited) == 0 {
		r.Changes = nil
	}
	return r
}

func limitText(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
