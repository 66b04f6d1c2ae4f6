package activities

import (
	"context"
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/interceptor"
)

// maxResult bounds the result of an activity, in bytes of JSON: Temporal takes two
// megabytes in one piece, and encryption adds a little. What a workflow hands on together
// with something else has limits of its own, see [farm.MaxObserved]: a result that
// Temporal has taken and that cannot be handed on would fail the workflow's task for ever,
// because each replay finds it in the history.
//
// Source: Temporal, limit.blobSize.error.
const maxResult = 7 << 18

// boundResult has an activity fail whose result is too large to be handed on.
func boundResult(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
	result, err := next(ctx, in)
	if err != nil || result == nil {
		return result, err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("measure the result: %w", err)
	}
	if len(text) > maxResult {
		subject, server := subjectOf(in.Args)
		return nil, terminalError(TooMuch, "what was found on %s has %d KiB, and %d KiB are kept: no farm in good order shows so much; "+
			"farmtrust check %s names the server that does", nameSubject(subject, server), len(text)>>10, maxResult>>10, subject)
	}
	return result, nil
}

// nameSubject names the server that an activity is about, or its farm.
func nameSubject(farmName, server string) string {
	if server != "" {
		return server
	}
	return "farm " + farmName
}
