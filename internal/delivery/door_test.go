package delivery_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// openHandler returns what the door serves in front of a deliverer, for sources that may
// send as much as is possible at all. It is called with the name of the source.
func openHandler(t *testing.T, d testDeliverer, sources ...string) func(source, body string) *httptest.ResponseRecorder {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := secret.Replace(file, []byte("a secret that is long enough")); err != nil {
		t.Fatal(err)
	}
	var listen config.Listen
	for _, name := range sources {
		listen.Sources = append(listen.Sources, config.Sender{
			EventSource: config.EventSource{Name: name, Format: event.CloudEvents},
			Proof:       config.Proof{Bearer: []secret.Ref{secret.Ref("file:" + file)}}, Rate: 10_000,
		})
	}
	handler, err := intake.NewHandler(intake.Options{
		Listen: listen, Deliverer: d, Log: zap.NewNop(), Now: time.Now, Ready: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(source, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/"+source, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/cloudevents-batch+json")
		r.Header.Set("Authorization", "Bearer a secret that is long enough")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		return answer
	}
}

// differing are events for a farm, each about another certificate.
func differing(farmName string, from, to int) string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/pki","type":"com.contoso.certificate.near-expiry.v1","data":{"farm":%q,"serialNumberHex":"0%X"}}`, i, farmName, i))
	}
	return "[" + strings.Join(all, ",") + "]"
}

func TestDoor_AFloodAtOneFarmDelaysNoOther(t *testing.T) {
	farms := []farm.Farm{withEvents("north"), withEvents("south")}
	for claim, flooding := range map[string]string{"from another source": "flooding", "from the same source": "quiet"} {
		t.Run(claim, func(t *testing.T) {
			deliver(t, &fakeTemporal{}, farms, func(t *testing.T, d testDeliverer) {
				send := openHandler(t, d, "flooding", "quiet")
				for i := range 5 {
					if answer := send(flooding, differing("north", i*1000, (i+1)*1000)); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "10" {
						t.Fatalf("1,000 events for north are answered %d %s", answer.Code, answer.Body)
					}
				}
				began := time.Now()
				if answer := send("quiet", differing("south", 1, 2)); answer.Code != http.StatusAccepted || time.Since(began) > 0 {
					t.Errorf("the event for south is answered %d after %s: %s", answer.Code, time.Since(began), answer.Body)
				}
				heard := d.hearing()
				if len(heard["north"]) != 60 || len(heard["south"]) != 1 {
					t.Errorf("north heard %d and south %d events, want 60 and 1", len(heard["north"]), len(heard["south"]))
				}
			})
		})
	}
}

// While Temporal takes none of north's events, the places of its source are taken, and no
// others.
func TestDoor_AFarmThatCannotBeReachedDelaysNoOther(t *testing.T) {
	farms := []farm.Farm{withEvents("north"), withEvents("south")}
	deliver(t, &fakeTemporal{}, farms, func(t *testing.T, d testDeliverer) {
		send := openHandler(t, d, "flooding", "quiet")
		release := d.hold("north")
		answers := make(chan int)
		for i := range 100 {
			go func() { answers <- send("flooding", differing("north", i, i+1)).Code }()
		}
		synctest.Wait()
		began := time.Now()
		if answer := send("quiet", differing("south", 1, 2)); answer.Code != http.StatusAccepted || time.Since(began) > 0 {
			t.Errorf("the event for south is answered %d after %s: %s", answer.Code, time.Since(began), answer.Body)
		}
		for range 100 {
			if got := <-answers; got != http.StatusServiceUnavailable {
				t.Errorf("an event that is not stored is answered %d", got)
			}
		}
		release()
	})
}
