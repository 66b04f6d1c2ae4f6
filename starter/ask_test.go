package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/workflows"
)

// errUnknown ends the controller of a name that no worker knew, in earlier versions.
var errUnknown = temporal.NewNonRetryableApplicationError("farm not configured", workflows.UnknownFarmError, nil)

func TestAskWithin_SaysAfterTwoSecondsThatItWaitsAndEndsAfterTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		a := &app{err: &said, parsed: true}
		begin := time.Now()
		err := a.askWithin(t.Context(), "contoso", func(ctx context.Context) error {
			<-ctx.Done()
			return serviceerror.NewDeadlineExceeded("no worker took it")
		})
		if took := time.Since(begin); took != 10*time.Second || a.exitCodeOf(err) != exitCannotTell {
			t.Errorf("ended after %s with %v", took, err)
		}
		assertEqual(t, said.String(), "contoso: no worker has answered yet; waiting for 10s at most\n")
	})
}
