package tally_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/tally"
)

func TestCounts(t *testing.T) {
	var c tally.Counts
	c.Add(tally.Messages, "vault", "202", 1)
	c.Add(tally.Messages, "alerts", "503", 2)
	c.Add(tally.Events, "vault", tally.NoFarm, 3)
	c.Add(tally.Events, "vault", tally.Delivered, 1)
	c.Add(tally.Events, "vault", tally.Delivered, 1)
	c.Add(tally.Events, "vault", tally.Passed, 0)
	answer := httptest.NewRecorder()
	c.ServeHTTP(answer, nil)
	want := `# HELP farmtrust_events_total Expiry events by what became of them: delivered, no_farm, passed or failed.
# TYPE farmtrust_events_total counter
farmtrust_events_total{source="vault",outcome="delivered"} 2
farmtrust_events_total{source="vault",outcome="no_farm"} 3
# HELP farmtrust_messages_total Messages with expiry events that came over HTTP, by the status of the answer.
# TYPE farmtrust_messages_total counter
farmtrust_messages_total{source="alerts",status="503"} 2
farmtrust_messages_total{source="vault",status="202"} 1
`
	if diff := cmp.Diff(want, answer.Body.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := answer.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
}
