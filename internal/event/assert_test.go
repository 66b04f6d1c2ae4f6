package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/event"
)

// assertPassed asserts that a message has one record, which asks for nothing, with the
// reason.
func assertPassed(t *testing.T, b event.Batch, err error, reason string) {
	t.Helper()
	if err != nil || len(b.Events) > 0 || len(b.Passed) != 1 || !strings.Contains(b.Passed[0].Reason, reason) {
		t.Errorf("got %+v, %v\nwant %s", b, err, reason)
	}
}

// assertRefused asserts that a message is refused as a class of errors, with the text.
func assertRefused(t *testing.T, err, class error, text string) {
	t.Helper()
	if !errors.Is(err, class) || !strings.Contains(err.Error(), text) {
		t.Errorf("got  %v\nwant %s", err, text)
	}
}
