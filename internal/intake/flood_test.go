package intake_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/intake"
)

// Whatever a source sends, it costs bounded memory, and no other source notices.
func TestFlood(t *testing.T) {
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprint(i))
	}
	batch := cloudEvents(ids...)
	for name, c := range map[string]struct {
		rate  int
		token string
	}{
		"above the source's rate": {20, newSecret},
		"within the largest rate": {10_000, newSecret},
		"without the secret":      {10_000, "another"},
	} {
		t.Run(name, func(t *testing.T) {
			flooding, quiet := bearer(t, "flooding"), bearer(t, "quiet", "contoso")
			flooding.Rate = c.rate
			s := newStore()
			h, err := intake.NewHandler(intake.Options{
				Listen: config.Listen{Sources: []config.Sender{flooding, quiet}}, Deliverer: s,
				Ready: func(context.Context) error { return nil }, Log: zap.NewNop(), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			s.set(nil, time.Millisecond) // as Temporal takes
			before := heap()
			stop, sent := flood(h, batch, c.token)
			began, highest := time.Now(), uint64(0)
			for i := 0; time.Since(began) < time.Second || sent.Load() < 10_000; i++ {
				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, newPost("quiet", cloudEvent(fmt.Sprint(i)), newSecret))
				if answer.Code != http.StatusAccepted {
					t.Fatalf("another source is answered %d %s", answer.Code, answer.Body)
				}
				highest = max(highest, heap())
				time.Sleep(10 * time.Millisecond)
			}
			took := time.Since(began)
			stop()
			stored := len(s.of("flooding"))
			t.Logf("%d events in %s, %d stored, heap %d MiB above", sent.Load(), took, stored, (max(highest, before)-before)>>20)
			// The last message is taken whole.
			limit := len(ids) + int(float64(c.rate)*(1+took.Seconds()))
			if c.token != newSecret {
				limit = 0
			}
			if stored > limit {
				t.Errorf("%d events were stored, more than %d", stored, limit)
			}
			if highest > before+128<<20 {
				t.Errorf("the heap grew from %d to %d MiB", before>>20, highest>>20)
			}
		})
	}
}

// flood sends a batch of 1,000 events again and again, from many sides at once, until
// stop is called. It counts the events.
func flood(h http.Handler, batch, token string) (stop func(), sent *atomic.Int64) {
	var senders sync.WaitGroup
	done := make(chan struct{})
	sent = &atomic.Int64{}
	for range 64 {
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				h.ServeHTTP(httptest.NewRecorder(), newPost("flooding", batch, token))
				sent.Add(1000)
				runtime.Gosched()
			}
		})
	}
	return func() { close(done); senders.Wait() }, sent
}

func newPost(source, body, token string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/events/"+source, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/cloudevents-batch+json")
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
