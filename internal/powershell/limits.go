package powershell

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits of what one server can say in one call. A server may be hostile: what it says
// is decoded in the memory of the worker, and becomes part of what Temporal stores. The
// largest honest results are below a quarter of each.
const (
	// maxOutcome bounds the JSON of a result or an error with its warnings, in bytes.
	maxOutcome = 64 << 10
	// maxList bounds the elements of each list and the fields of each object.
	maxList = 1000
	// maxText bounds each text, in bytes.
	maxText = 16 << 10
	// thumbprintLength is how many digits a thumbprint has: it marks runs for searches, and
	// Temporal fails the task of a workflow whose mark is too long.
	thumbprintLength = 40
	// maxDepth bounds how deep lists and objects are in each other.
	maxDepth = 10
)

// MaxOutput is how much a call may print, in bytes, lines of the products
// included.
const MaxOutput = 512 << 10

// OversizedError says what of an answer is larger than it may be.
type OversizedError struct {
	// What is "the result", "a list", "a text", or another part of an answer.
	What string
	// Limit is how large it may be, of which Unit says what is counted.
	Limit int
	Unit  string
}

func (e *OversizedError) Error() string {
	return fmt.Sprintf("%s has more than %d %s, which no server in good order answers", e.What, e.Limit, e.Unit)
}

// outcomeLimit returns how large the outcome of a script may be, and a text in it. The
// outcome of the SharePoint task is a text in the outcome of the script that asks for it.
func outcomeLimit(script string) (outcome, text int) {
	if script == ScriptOf(InvokeSharePointTask{}) {
		text = base64.StdEncoding.EncodedLen(maxOutcome)
		return text + 1<<10, text
	}
	return maxOutcome, maxText
}

// checkLimits returns an error if the JSON of an outcome is larger than it may be, before
// any of it takes more memory than its text does.
func checkLimits(raw []byte, outcome, text int) error {
	if len(raw) > outcome {
		return &OversizedError{What: "the result", Limit: outcome, Unit: "bytes"}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var open []container
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if token == json.Delim(']') || token == json.Delim('}') {
			open = open[:len(open)-1]
			continue
		}
		limit := text
		if n := len(open); n > 0 {
			field, ok := open[n-1].take(token)
			if !ok {
				return &OversizedError{What: "a list", Limit: maxList, Unit: "elements"}
			}
			if field == "thumbprint" {
				limit = thumbprintLength
			}
		}
		switch token := token.(type) {
		case json.Delim:
			if open = append(open, container{isObject: token == '{'}); len(open) > maxDepth {
				return &OversizedError{What: "the result", Limit: maxDepth, Unit: "levels"}
			}
		case string:
			if len(token) > limit {
				return &OversizedError{What: "a text", Limit: limit, Unit: "bytes"}
			}
		}
	}
}

// container is a list or an object that is being read.
type container struct {
	isObject bool
	tokens   int
	name     string // of the last field
}

// take takes a token into the container: an element, or the name or the value of a field.
// It returns the name of the field whose value it is, empty for anything else; false if
// the container has too many.
func (c *container) take(token json.Token) (field string, ok bool) {
	c.tokens++
	switch isName := c.tokens%2 == 1; {
	case !c.isObject:
		return "", c.tokens <= maxList
	case isName:
		c.name, _ = token.(string)
		return "", c.tokens <= 2*maxList
	}
	return c.name, true
}
