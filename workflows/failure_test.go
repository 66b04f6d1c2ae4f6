package workflows_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// sent is an error as Temporal sends it.
func sent(err error) error {
	converter := temporal.GetDefaultFailureConverter()
	return converter.FailureToError(converter.ErrorToFailure(err))
}

func TestRotationResultOf(t *testing.T) {
	result := farm.RotationResult{
		Report: farm.Report{Farm: "contoso", Outcome: farm.Incomplete}, Snapshot: &farm.Snapshot{Target: farm.Certificate{Thumbprint: "B"}},
	}
	var none farm.RotationResult
	for name, c := range map[string]struct {
		result farm.RotationResult
		err    error
		want   *farm.RotationResult
	}{
		"completed":                           {result, nil, &result},
		"failed":                              {none, sent(temporal.NewNonRetryableApplicationError("x", workflows.IncompleteError, nil, result)), &result},
		"failed, inside another error":        {none, fmt.Errorf("child: %w", sent(temporal.NewNonRetryableApplicationError("x", workflows.RefusedError, nil, result))), &result},
		"cancelled":                           {none, sent(temporal.NewCanceledError(result)), &result},
		"terminated":                          {none, sent(errors.New("terminated")), nil},
		"cancelled before it began":           {none, sent(temporal.NewCanceledError()), nil},
		"failed without details":              {none, sent(temporal.NewNonRetryableApplicationError("no such farm", workflows.UnknownFarmError, nil)), nil},
		"failed with details of another kind": {none, sent(temporal.NewNonRetryableApplicationError("x", "X", nil, "text")), nil},
		"failed with an empty result":         {none, sent(temporal.NewNonRetryableApplicationError("x", "X", nil, none)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var want farm.RotationResult
			if c.want != nil {
				want = *c.want
			}
			got, ok := workflows.RotationResultOf(c.result, c.err)
			if ok != (c.want != nil) {
				t.Errorf("reported %t, want %t", ok, c.want != nil)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
