package intake_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// onlyTo is an outside world in which nobody answers, and which notes who else than these
// hosts is called.
type onlyTo struct {
	hosts  string
	others chan string
}

func (o onlyTo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || !strings.HasSuffix(r.URL.Hostname(), o.hosts) {
		select {
		case o.others <- r.URL.String():
		default:
		}
	}
	return nil, errors.New("nobody answers")
}

// fuzzDoor returns what answers a body that is sent to a source, with all hosts within reach.
func fuzzDoor(f *testing.F, s config.Sender, hosts string, headers ...string) func(*testing.T, []byte) int {
	f.Helper()
	kept, others := &store{}, make(chan string, 1)
	handler, err := intake.NewHandler(intake.Options{
		Listen: config.Listen{Sources: []config.Sender{s}}, Deliverer: kept, Log: zap.NewNop(), Now: time.Now,
		Outside: &http.Client{Transport: onlyTo{hosts, others}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, body []byte) int {
		r := httptest.NewRequest(http.MethodPost, "/events/"+s.Name, bytes.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if all := kept.of(s.Name); len(all) > 0 {
			t.Fatalf("stored %s", all)
		}
		select {
		case address := <-others:
			t.Errorf("called %s", address)
		default:
		}
		return w.Code
	}
}

func FuzzSNS(f *testing.F) {
	s := topic(true)
	s.Rate = 10_000
	send := fuzzDoor(f, s, snsHost)
	f.Add([]byte(`{"Type":"Notification","TopicArn":"` + topicARN + `","Timestamp":"` + time.Now().UTC().Format(time.RFC3339) + `","Signature":"AA==","SignatureVersion":"2","SigningCertURL":"` + signerPage + `"}`))
	f.Add([]byte(`{"Type":"SubscriptionConfirmation","TopicArn":"` + topicARN + `","SubscribeURL":"https://evil.contoso.com/"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := send(t, body); got != 401 && got != 413 && got != 503 {
			t.Errorf("answered %d, although nothing is signed", got)
		}
	})
}

func FuzzEventGridValidation(f *testing.F) {
	question, err := os.ReadFile("../event/testdata/SubscriptionValidationEvent.msdoc.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Setenv("FARMTRUST_TEST_KEY", newSecret)
	s := sender("vault", config.Proof{Bearer: []secret.Ref{"env:FARMTRUST_TEST_KEY"}})
	s.Format, s.Rate, s.EventGrid = event.Azure, 10_000, config.EventGrid{CallValidationURL: true}
	send := fuzzDoor(f, s, ".eventgrid.azure.net", "Authorization", "Bearer "+newSecret, "Aeg-Event-Type", "SubscriptionValidation")
	f.Add(question)
	f.Add(bytes.Replace(question, []byte("rp-eastus2.eventgrid.azure.net:553"), []byte("evil.contoso.com#.eventgrid.azure.net"), 1))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := send(t, body); got != 200 && got != 400 && got != 413 && got != 503 {
			t.Errorf("answered %d", got)
		}
	})
}
