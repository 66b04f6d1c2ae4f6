package notify_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/notify"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// notice is one that a controller makes.
var notice = controller.Notice{
	ID: "20261129T091500Z-7", Kind: controller.CertificateEnds, At: time.Date(2026, 11, 29, 9, 15, 0, 0, time.UTC),
	Text: "the certificate in use ends within three days: expires: 2026-12-02 08:00 UTC", NeedsOperator: true,
	Thumbprint: "AE3801E8AE3801E8AE3801E8AE3801E8AE3801E8", NotAfter: time.Date(2026, 12, 2, 8, 0, 0, 0, time.UTC),
}

// receiver takes CloudEvents with the SDK of the CNCF, from who has the token.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	token string
	got   []cloudevents.Event
}

func newReceiver(t *testing.T, token string) *receiver {
	t.Helper()
	r := &receiver{token: token}
	protocol, err := cloudevents.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	take, err := cloudevents.NewHTTPReceiveHandler(t.Context(), protocol, func(e cloudevents.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer "+r.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		take.ServeHTTP(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

// ca is the receiver's own certificate, as an administrator has it in a file.
func (r *receiver) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})
}

func secretFile(t *testing.T, content string) secret.Ref {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Ref("file:" + path)
}

func TestNotify_IsACloudEvent(t *testing.T) {
	r := newReceiver(t, "sesame")
	n := notify.New(notify.Receiver{URL: r.URL + "/farmtrust", Bearer: secretFile(t, "sesame\n"), CA: r.ca()}, "berlin")
	for range 2 { // as after an answer that was lost
		if err := n.Notify(t.Context(), "contoso", notice); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.got) != 2 || r.got[0].ID() != r.got[1].ID() {
		t.Fatalf("the receiver has %v, want one event twice", r.got)
	}
	e := r.got[0]
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	got := []string{e.ID(), e.Type(), e.Source(), e.Subject(), e.Time().String(), e.DataContentType()}
	want := []string{notice.ID, "io.github.farmtrust.certificate-ends.v1", "/farmtrust/sites/berlin/farms/contoso", "contoso", notice.At.String(), "application/json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}
	var data notify.Data
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(notify.Data{Farm: "contoso", Site: "berlin", Notice: notice, Command: "farmtrust status contoso"}, data); diff != "" {
		t.Errorf("its data (-want +got):\n%s", diff)
	}
}

func TestNotify_TellsWhetherAnotherAttemptMayHelp(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header http.Header
		want   string
		final  bool
		after  time.Duration
	}{
		"a receiver that is starting":                 {status: 503, want: "answers 503"},
		"one that wants to be asked later":            {status: 429, header: http.Header{"Retry-After": {"90"}}, want: "answers 429", after: 90 * time.Second},
		"one that would have it wait for a day":       {status: 503, header: http.Header{"Retry-After": {"86400"}}, want: "answers 503", after: time.Hour},
		"a token that is not the right one yet":       {status: 401, want: "check notify.bearer"},
		"an address that is not there":                {status: 404, want: "check notify.url"},
		"a redirect, which would take the token away": {status: 307, header: http.Header{"Location": {"https://elsewhere.example/"}}, want: "no redirect is followed"},
		"a receiver of something else":                {status: 415, want: "must take a CloudEvent", final: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), c.header)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte("\x1b[31mwhatever\x1b[0m"))
			}))
			defer server.Close()
			err := notify.New(notify.Receiver{URL: server.URL + "/hook?key=s3cret"}, "").Notify(t.Context(), "contoso", notice)
			refused, ok := errors.AsType[*notify.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), c.want) || refused.Final() != c.final || refused.After() != c.after {
				t.Errorf("got %q, final %t, after %s", err, refused.Final(), refused.After())
			}
			if strings.ContainsAny(err.Error(), "\x1b") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows what it must not: %q", err)
			}
		})
	}
}

func TestNotify_Refuses(t *testing.T) {
	r := newReceiver(t, "sesame")
	for name, c := range map[string]struct {
		receiver notify.Receiver
		want     string
	}{
		"a receiver that it cannot verify": {notify.Receiver{URL: r.URL + "/hook?key=s3cret"}, "certificate"},
		"a token that cannot be read":      {notify.Receiver{URL: r.URL, CA: r.ca(), Bearer: "file:/nowhere/token"}, "notify.bearer: "},
		"a receiver that is not there":     {notify.Receiver{URL: "http://127.0.0.1:1/hook?key=s3cret"}, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := notify.New(c.receiver, "").Notify(t.Context(), "contoso", notice)
			refused, ok := errors.AsType[*notify.Error](err)
			if !ok || refused.Final() || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
	if len(r.got) > 0 {
		t.Errorf("the receiver got %v", r.got)
	}
}

// A worker that stops does not wait for a receiver that never answers.
func TestNotify_EndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- notify.New(notify.Receiver{URL: server.URL}, "").Notify(ctx, "contoso", controller.Notice{Outcome: farm.Verified})
	}()
	cancel()
	if err := <-ended; err == nil {
		t.Error("it is delivered")
	}
}
