package intake_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/mtls"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// store is what keeps events, and can be away, as Temporal can.
type store struct {
	mu sync.Mutex
	// away is why nothing can be stored, and waits how long each event takes.
	away  error
	waits time.Duration
	// kept has the IDs of what was stored, by source.
	kept map[string][]string
	// begun is closed when the first event comes.
	begun sync.Once
	came  chan struct{}
}

func newStore() *store { return &store{kept: map[string][]string{}, came: make(chan struct{})} }

func (s *store) Deliver(ctx context.Context, e event.Expiry, from delivery.Source) (delivery.Receipt, error) {
	s.begun.Do(func() { close(s.came) })
	s.mu.Lock()
	away, waits := s.away, s.waits
	s.mu.Unlock()
	select {
	case <-time.After(waits):
	case <-ctx.Done():
		return delivery.Receipt{}, ctx.Err()
	}
	if away != nil {
		return delivery.Receipt{}, away
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[from.Name] = append(s.kept[from.Name], e.ID)
	if len(from.Farms) == 0 {
		return delivery.Receipt{Reason: "no farm has this certificate"}, nil
	}
	return delivery.Receipt{Farms: from.Farms}, nil
}

func (s *store) set(away error, waits time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.waits = away, waits
}

// of returns what was stored of a source.
func (s *store) of(source string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept[source])
}

// door is an open door, and what a sender and its administrator have of it.
type door struct {
	*intake.Door

	store  *store
	folder string
	set    mtls.Set
	url    string
	client *http.Client
	// stop closes the door.
	stop func()
}

// newDoor returns a door with a certificate that is not open yet.
func newDoor(t *testing.T) *door {
	t.Helper()
	set, err := mtls.New([]string{"127.0.0.1"}, "sender.contoso.com")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{store: newStore(), folder: t.TempDir(), set: set}
	d.writePair(t, set.Server)
	return d
}

// options are what a door with TLS is opened with for these sources.
func (d *door) options(sources []config.Sender) intake.Options {
	return intake.Options{
		Listen: config.Listen{
			Address: "127.0.0.1:0", Certificate: d.path("door.pem"), Key: secret.Ref("file:" + d.path("door.key")), Sources: sources,
		},
		Deliverer: d.store, Ready: func(context.Context) error { return nil }, Log: zap.NewNop(), Now: time.Now,
	}
}

// openDoor opens a door with TLS for these sources until the test ends. Edits change
// what it is opened with.
func openDoor(t *testing.T, sources []config.Sender, edits ...func(*intake.Options)) *door {
	t.Helper()
	d := newDoor(t)
	o := d.options(sources)
	for _, edit := range edits {
		edit(&o)
	}
	var err error
	if d.Door, err = intake.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	d.url = "https://" + d.Addr().String()
	if o.Listen.Certificate == "" {
		d.url = "http://" + d.Addr().String()
	}
	d.client = d.newClient(t, d.set)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx) }()
	d.stop = stop
	t.Cleanup(func() {
		stop()
		d.client.CloseIdleConnections()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *door) path(name string) string { return filepath.Join(d.folder, name) }

func (d *door) writePair(t *testing.T, p mtls.Pair) {
	t.Helper()
	writeFile(t, d.path("door.pem"), p.Certificate)
	writeFile(t, d.path("door.key"), p.Key)
}

// newClient returns a client that trusts the door by a set's authority, and has these
// certificates.
func (d *door) newClient(t *testing.T, trusted mtls.Set, own ...mtls.Pair) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted.Authority)
	settings := &tls.Config{RootCAs: roots}
	for _, p := range own {
		c, err := tls.X509KeyPair(p.Certificate, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		settings.Certificates = append(settings.Certificates, c)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := secret.Replace(path, content); err != nil {
		t.Fatal(err)
	}
}

// reply is what a sender hears.
type reply struct {
	status     int
	retryAfter string
	challenge  string
	text       string
}

// post sends a body to a source, with headers as pairs of name and value.
func (d *door) post(t *testing.T, to, body string, headers ...string) reply {
	t.Helper()
	r, err := d.try(d.client, http.MethodPost, "/events/"+to, strings.NewReader(body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (d *door) try(c *http.Client, method, path string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequest(method, d.url+path, body)
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/cloudevents+json")
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	response, err := c.Do(request)
	if err != nil {
		return reply{}, err
	}
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header.Get("Retry-After"), response.Header.Get("Www-Authenticate"), string(text)}, errors.Join(err, response.Body.Close())
}

// cloudEvent is an event about a certificate that expires.
func cloudEvent(id string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/contoso/pki","type":"com.contoso.certificate.near-expiry.v1","data":{"thumbprint":"0123456789ABCDEF0123456789ABCDEF01234567"}}`, id)
}

func cloudEvents(ids ...string) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = cloudEvent(id)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// Secrets of sources.
const (
	oldSecret = "the old secret of the source"
	newSecret = "the new secret of the source"
)

// sender is a source that proves itself in some way.
func sender(name string, p config.Proof) config.Sender {
	return config.Sender{EventSource: config.EventSource{Name: name, Format: event.CloudEvents}, Proof: p, Rate: 1000}
}

// bearer is a source that proves itself by a bearer token.
func bearer(t *testing.T, name string, farms ...string) config.Sender {
	t.Helper()
	s := sender(name, config.Proof{Bearer: twoSecrets(t)})
	s.Farms = farms
	return s
}

// twoSecrets are an old and a new secret in files.
func twoSecrets(t *testing.T) []secret.Ref {
	t.Helper()
	folder := t.TempDir()
	var refs []secret.Ref
	for name, content := range map[string]string{"old": oldSecret, "new": newSecret} {
		writeFile(t, filepath.Join(folder, name), []byte(content+"\n"))
		refs = append(refs, secret.Ref("file:"+filepath.Join(folder, name)))
	}
	return refs
}

func withToken(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// require fails if a reply has another status, or lacks a text.
func (r reply) require(t *testing.T, status int, text string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.text, text) {
		t.Fatalf("got %d %q, want %d and %q", r.status, r.text, status, text)
	}
	if json.Valid([]byte(r.text)) || r.text == "" {
		return
	}
	t.Errorf("%q is not JSON", r.text)
}

func TestDoor_AnswersOnceTheEventIsStored(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso"), bearer(t, "other")})
	d.post(t, "pki", cloudEvent("1"), withToken(newSecret)...).require(t, 202, `"farms":["contoso"]`)
	d.post(t, "other", cloudEvents("2", "3"), withToken(newSecret)...).require(t, 202, `"reason":"no farm has this certificate"`)
	if got := fmt.Sprint(d.store.of("pki"), len(d.store.of("other"))); got != "[1] 2" {
		t.Errorf("stored: %s", got)
	}
}

func TestDoor_SaysToSendAgainWhatIsNotStored(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")})
	d.store.set(errors.New("Temporal is away"), 0)
	got := d.post(t, "pki", cloudEvent("1"), withToken(newSecret)...)
	if got.require(t, 503, "not all events could be stored"); got.retryAfter == "" {
		t.Error("it does not say when to send again")
	}
	if strings.Contains(got.text, "Temporal") {
		t.Errorf("the sender learns more than it needs to: %s", got.text)
	}
	d.store.set(nil, 0)
	d.post(t, "pki", cloudEvent("1"), withToken(newSecret)...).require(t, 202, "contoso")
}

func TestDoor_RefusesWhatCanNeverSucceed(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki", "contoso")})
	token := withToken(newSecret)
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		text    string
	}{
		"no JSON":                {"no", nil, 400, "is not JSON"},
		"another content type":   {"<a/>", []string{"Content-Type", "text/xml"}, 415, "send "},
		"a compressed body":      {cloudEvent("1"), []string{"Content-Encoding", "gzip"}, 415, "send it as it is"},
		"a body over 1 MiB":      {`"` + strings.Repeat("x", event.MaxBody), nil, 413, "send fewer events at once"},
		"JSON of unknown depths": {strings.Repeat("[", 1000) + strings.Repeat("]", 1000), nil, 400, "nested"},
	} {
		t.Run(name, func(t *testing.T) {
			d.post(t, "pki", c.body, append(slices.Clone(token), c.headers...)...).require(t, c.status, c.text)
		})
	}
	if got := d.store.of("pki"); len(got) > 0 {
		t.Errorf("stored %v", got)
	}
}

func TestDoor_RefusesAnotherAddressOrMethod(t *testing.T) {
	d := openDoor(t, []config.Sender{bearer(t, "pki")})
	for _, address := range []string{"/events/pkj", "/events/pki/", "/events/", "/events", "/"} {
		got, err := d.try(d.client, http.MethodPost, address, strings.NewReader(cloudEvent("1")), withToken(newSecret)...)
		if err != nil {
			t.Fatal(err)
		}
		got.require(t, 404, "send to /events/NAME, with a name under listen.sources")
	}
	got, err := d.try(d.client, http.MethodGet, "/events/pki", nil)
	if err != nil {
		t.Fatal(err)
	}
	got.require(t, 405, "POST")
}

func TestDoor_Health(t *testing.T) {
	var mu sync.Mutex
	var away error
	clock := time.Now()
	d := openDoor(t, []config.Sender{bearer(t, "pki")}, func(o *intake.Options) {
		o.Ready = func(context.Context) error { mu.Lock(); defer mu.Unlock(); return away }
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
	})
	ask := func() int {
		got, err := d.try(d.client, http.MethodGet, "/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.status
	}
	if got := ask(); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	mu.Lock()
	away, clock = errors.New("Temporal is away"), clock.Add(time.Minute)
	mu.Unlock()
	if got := ask(); got != 503 {
		t.Errorf("got %d while nothing can be delivered, want 503", got)
	}
}

func TestDoor_LogsWhatAsksForNothing(t *testing.T) {
	var log bytes.Buffer
	d := openDoor(t, []config.Sender{windows(t)}, func(o *intake.Options) { o.Log = logTo(&log) })
	d.post(t, "windows", `[{"event_id":4624},{"event_id":4625}]`, withToken(newSecret)...).require(t, 202, "passed")
	if text := log.String(); strings.Count(text, "nothing to do: ") != 1 || !strings.Contains(text, "4624") {
		t.Errorf("log:\n%s", text)
	}
}

func TestDoor_LogsAWrongAddress(t *testing.T) {
	var log bytes.Buffer
	d := openDoor(t, []config.Sender{bearer(t, "pki")}, func(o *intake.Options) { o.Log = logTo(&log) })
	d.post(t, "pki/", cloudEvent("1"), withToken(newSecret)...).require(t, 404, "listen.sources")
	if text := log.String(); !strings.Contains(text, "events for a source that is not configured were refused") {
		t.Errorf("log:\n%s", text)
	}
}

func TestDoor_LogsNoSecret(t *testing.T) {
	var log bytes.Buffer
	d := openDoor(t, []config.Sender{bearer(t, "pki"), sender("vault", config.Proof{QueryKey: twoSecrets(t)})}, func(o *intake.Options) { o.Log = logTo(&log) })
	const wrong = "the secret of somebody else"
	d.post(t, "pki", cloudEvent("1"), withToken(wrong)...).require(t, 401, "wrong")
	d.post(t, "vault?key="+strings.ReplaceAll(wrong, " ", "+"), cloudEvent("1")).require(t, 401, "wrong")
	d.post(t, "vault?key="+strings.ReplaceAll(newSecret, " ", "+"), "no").require(t, 400, "JSON")
	if text := log.String(); !strings.Contains(text, "events were not taken") || strings.Contains(text, "secret of") || strings.Contains(text, "secret+of") {
		t.Errorf("log:\n%s", text)
	}
}
