package farm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Statement is what somebody decides or asks for, and about what. Who proves to have
// decided signs its [Statement.Text], so that the proof is good for this alone.
type Statement struct {
	Farm string `json:"farm"`
	// Workflow is the ID of the workflow that is told, and Run its run ID. Run is empty for
	// the farm's controller, which goes on as other runs.
	Workflow string `json:"workflow"`
	Run      string `json:"run,omitempty"`
	// Action is the [Choice] or the kind of request, and Digest what is approved.
	Action string `json:"action"`
	Digest string `json:"digest,omitempty"`
	// Content is all of the decision or request as JSON, without its proof and without the
	// name that it claims.
	Content string `json:"content"`
	// Needs are the rights that it takes.
	Needs []Right `json:"needs"`
}

// Proof is what proves who has decided: a signature by a key of the person, or a token
// that an identity provider issued for this one statement. Neither is secret: it is good
// for the statement alone, once, and for minutes.
type Proof struct {
	// At is when it was decided, and Nonce 32 hexadecimal digits that nobody has used
	// before.
	At    time.Time `json:"at"`
	Nonce string    `json:"nonce"`
	// Signature is what "ssh-keygen -Y sign" writes, and Token an ID token of OpenID
	// Connect whose nonce is [Statement.TokenNonce]. One of them is set.
	Signature string `json:"signature,omitempty"`
	Token     string `json:"token,omitempty"`
}

// ErrNotAuthorized means that nothing proves who decided, or that the person may not.
var ErrNotAuthorized = errors.New("not authorized")

// SignatureNamespace is what keeps a signature from being one of something else: it goes
// to "ssh-keygen -Y sign -n".
const SignatureNamespace = "farmtrust"

// ProofLife is how old a proof may be when it is checked: time to look at a token's
// display, or to carry a file to where the key is.
const ProofLife = 15 * time.Minute

// Authorization is what a worker found about who made a statement. It is sealed, since a
// signature is checked while it is fresh, and a cutover may begin days later.
type Authorization struct {
	Statement Statement `json:"statement"`
	// FirstRun is the run from which resets have made the run of the statement; that run
	// itself where there was none.
	FirstRun string `json:"firstRun,omitempty"`
	// By is the name of the person as the worker's configuration has it, and How what
	// proved it. Both are empty where no approvers are configured: nothing was verified.
	By  string `json:"by,omitempty"`
	How string `json:"how,omitempty"`
	// At is when it was verified, and Nonce that of the proof.
	At    time.Time `json:"at,omitzero"`
	Nonce string    `json:"nonce,omitempty"`
	// Seal is the worker's, over everything else.
	Seal string `json:"seal,omitempty"`
}

// State returns what a decision states about a run. Retires reports whether that is a
// retirement.
func (d Decision) State(farmName, workflowID, runID string, retires bool) Statement {
	bare := d
	bare.By, bare.Proof = "", nil
	return Statement{
		Farm: farmName, Workflow: workflowID, Run: runID, Action: string(d.Choice), Digest: d.Digest,
		Content: MarshalContent(bare), Needs: d.Needs(retires),
	}
}

// MarshalContent returns a decision or a request as a [Statement] has it.
func MarshalContent(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot
	}
	return string(text)
}

// Text is what is signed, of which no line can be mistaken for another: names have no
// line breaks, and JSON escapes them.
func (s Statement) Text(at time.Time, nonce string) string {
	return strings.Join([]string{
		"farmtrust decision, version 1", "farm: " + s.Farm, "workflow: " + s.Workflow, "run: " + s.Run,
		"content: " + s.Content, "time: " + at.UTC().Format(time.RFC3339), "nonce: " + nonce, "",
	}, "\n")
}

// TokenNonce is the nonce that a token must have been asked for with: the SHA-256 of the
// text. A token that has it was issued for this statement, and is good for no other.
func (s Statement) TokenNonce(at time.Time, nonce string) string {
	sum := sha256.Sum256([]byte(s.Text(at, nonce)))
	return hex.EncodeToString(sum[:])
}
