package payload_test

import (
	"errors"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
)

func TestFailures_TextsAreEncryptedAndTypesAreNot(t *testing.T) {
	c := payload.NewConverters(payload.Options{Keys: keyring.Generated()})
	cause := temporal.NewApplicationErrorWithOptions(marker+" refuses the logon", "farmtrust.LogonRefused", temporal.ApplicationErrorOptions{Details: []any{marker}})
	failure := c.Failure.ErrorToFailure(temporal.NewNonRetryableApplicationError("step failed on "+marker, "Blocked", cause, marker))
	if wire := prototext.Format(failure); strings.Contains(wire, marker) || !strings.Contains(wire, "farmtrust.LogonRefused") {
		t.Errorf("%s", wire)
	}
	back := c.Failure.FailureToError(failure)
	var application *temporal.ApplicationError
	if !errors.As(back, &application) || application.Message() != "step failed on "+marker || !strings.Contains(back.Error(), "refuses the logon") {
		t.Errorf("%v", back)
	}
	var detail string
	if err := application.Details(&detail); err != nil || detail != marker {
		t.Errorf("detail %q, %v", detail, err)
	}
}

func TestFailures_ATextThatCannotBeReadSaysWhy(t *testing.T) {
	keys := keyring.Generated()
	failure := payload.NewConverters(payload.Options{Keys: keys}).Failure.ErrorToFailure(errors.New(marker))
	for name, c := range map[string]payload.Converters{
		payload.ErrUnknownKey.Error(): payload.NewConverters(payload.Options{Keys: keyring.Generated()}),
		payload.ErrNoKeys.Error():     payload.NewConverters(payload.Options{}),
	} {
		if got := c.Failure.FailureToError(failure).Error(); !strings.Contains(got, name) || !strings.Contains(got, keys.First().ID) {
			t.Errorf("got %q, want %q", got, name)
		}
		failure = payload.NewConverters(payload.Options{Keys: keys}).Failure.ErrorToFailure(errors.New(marker))
	}
}
