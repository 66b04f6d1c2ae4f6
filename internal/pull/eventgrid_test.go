package pull_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/messaging"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/eventgrid/aznamespaces"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/secret"
)

const (
	gridKey      = "an-access-key-of-the-namespace"
	maxDelivered = 3
)

// grid is a namespace of Event Grid with one topic and one subscription, as Microsoft's
// REST API of version 2024-06-01 describes it. It refuses what that does not describe.
// TestEventGrid_TheServerIsWhatMicrosoftsClientTalksTo holds it to the client that
// Microsoft publishes.
type grid struct {
	*httptest.Server

	mu     sync.Mutex
	events []*gridEvent
	dead   []string
	tokens int
	// released are the delays with which events were released.
	released []string
}

type gridEvent struct {
	content   json.RawMessage
	token     string
	delivered int
	visible   bool
}

func startGrid(t *testing.T) *grid {
	t.Helper()
	g := &grid{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *grid) publish(contents ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range contents {
		g.events = append(g.events, &gridEvent{content: json.RawMessage(c), visible: true})
	}
}

// showAll ends the delays of events that were released.
func (g *grid) showAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		e.visible = true
	}
}

// state returns how many events wait, how many are hidden, and which are dead.
func (g *grid) state() (waiting, hidden int, dead []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.events {
		if e.visible {
			waiting++
		} else {
			hidden++
		}
	}
	return waiting, hidden, slices.Clone(g.dead)
}

// releases returns how often an event was given back.
func (g *grid) releases() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.released)
}

func (g *grid) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const topic = "/topics/vault"
	query := r.URL.Query()
	action, isSubscription := strings.CutPrefix(r.URL.Path, topic+"/eventsubscriptions/farmtrust:")
	switch {
	case r.Header.Get("Authorization") != "SharedAccessKey "+gridKey:
		g.answer(w, http.StatusUnauthorized, map[string]any{"error": map[string]string{"code": "Unauthorized", "message": "The key is not one of " + gridKey}})
	case r.Method != http.MethodPost || query.Get("api-version") != "2024-06-01":
		g.answer(w, http.StatusBadRequest, map[string]any{"error": map[string]string{"code": "BadRequest"}})
	case r.URL.Path == topic+":publish":
		var e json.RawMessage
		if json.NewDecoder(r.Body).Decode(&e) != nil {
			g.answer(w, http.StatusBadRequest, map[string]any{})
			return
		}
		g.publish(string(e))
		g.answer(w, http.StatusOK, map[string]any{})
	case !isSubscription:
		g.answer(w, http.StatusNotFound, map[string]any{"error": map[string]string{"code": "NotFound"}})
	case action == "receive":
		g.receive(w, r)
	default:
		g.settle(w, r, action)
	}
}

func (g *grid) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // to a client of the test
}

// receive locks events, and moves those away that were delivered often enough.
func (g *grid) receive(w http.ResponseWriter, r *http.Request) {
	max, err := strconv.Atoi(r.URL.Query().Get("maxEvents"))
	if wait := r.URL.Query().Get("maxWaitTime"); err != nil || max < 1 || max > 100 || wait != "" && wait != "60" && wait != "10" {
		g.answer(w, http.StatusBadRequest, map[string]any{})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	value := []any{}
	g.events = slices.DeleteFunc(g.events, func(e *gridEvent) bool {
		if !e.visible || len(value) == max {
			return false
		}
		if e.delivered == maxDelivered {
			g.dead = append(g.dead, string(e.content))
			return true
		}
		g.tokens++
		e.visible, e.token, e.delivered = false, fmt.Sprint("lock-", g.tokens), e.delivered+1
		value = append(value, map[string]any{"brokerProperties": map[string]any{"lockToken": e.token, "deliveryCount": e.delivered}, "event": e.content})
		return false
	})
	g.answer(w, http.StatusOK, map[string]any{"value": value})
}

// settle does what is asked with each lock, and says of each whether it was one.
func (g *grid) settle(w http.ResponseWriter, r *http.Request, action string) {
	var body struct {
		LockTokens []string `json:"lockTokens"`
	}
	delay := r.URL.Query().Get("releaseDelayInSeconds")
	known := []string{"acknowledge", "release", "reject", "renewLock"}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !slices.Contains(known, action) ||
		delay != "" && !slices.Contains(aznamespaces.PossibleReleaseDelayValues(), aznamespaces.ReleaseDelay(delay)) {
		g.answer(w, http.StatusBadRequest, map[string]any{})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	done, failed := []string{}, []any{}
	for _, token := range body.LockTokens {
		i := slices.IndexFunc(g.events, func(e *gridEvent) bool { return !e.visible && e.token == token })
		if i < 0 {
			failed = append(failed, map[string]any{"lockToken": token, "error": map[string]string{"code": "TokenLost", "message": "Token has expired."}})
			continue
		}
		done = append(done, token)
		switch action {
		case "acknowledge":
			g.events = slices.Delete(g.events, i, i+1)
		case "reject":
			g.dead, g.events = append(g.dead, string(g.events[i].content)), slices.Delete(g.events, i, i+1)
		case "release":
			g.events[i].visible, g.events[i].token = delay == "" || delay == "0", ""
			g.released = append(g.released, delay)
		}
	}
	g.answer(w, http.StatusOK, map[string]any{"succeededLockTokens": done, "failedLockTokens": failed})
}

func (g *grid) source(t *testing.T) config.Pull {
	t.Setenv("TEST_GRID_KEY", gridKey)
	s := source(config.Pull{EventGrid: &config.EventGridQueue{Namespace: g.URL, Topic: "vault", Subscription: "farmtrust", Key: secret.Ref("env:TEST_GRID_KEY")}})
	s.Format = event.CloudEvents
	return s
}

func TestEventGrid_EventsLeaveTheSubscriptionWhenTheyAreStored(t *testing.T) {
	g, f := startGrid(t), &farms{away: errAway}
	g.publish(cloudEvent("1"), cloudEvent("2"), cloudEvent("3"))
	stop, logs := startPull(t, g.source(t), f)
	eventually(t, "all events are tried", func() bool { return f.failed() >= 3 })
	if waiting, hidden, _ := g.state(); waiting != 0 || hidden != 3 {
		t.Errorf("%d events wait and %d are held, want 0 and 3", waiting, hidden)
	}
	f.goAway(nil)
	eventually(t, "the subscription is empty", func() bool { waiting, hidden, _ := g.state(); return waiting+hidden == 0 })
	stop()
	f.assertEvents(t, "1", "2", "3")
	if strings.Contains(messages(logs), gridKey) {
		t.Error("the log has the access key")
	}
}

func TestEventGrid_WhatIsHeldIsGivenBackAtTheEnd(t *testing.T) {
	g, f := startGrid(t), &farms{away: errAway}
	g.publish(cloudEvent("1"))
	stop, _ := startPull(t, g.source(t), f)
	eventually(t, "the event is tried", func() bool { return f.failed() > 0 })
	stop()
	if waiting, hidden, _ := g.state(); waiting != 1 || hidden != 0 {
		t.Errorf("%d events wait and %d are held, want 1 and 0", waiting, hidden)
	}
}

// An administrator who corrects the format of the configuration finds what was not
// understood before still there.
func TestEventGrid_WhatIsNotUnderstoodIsLeftToTheSubscription(t *testing.T) {
	g, f := startGrid(t), &farms{}
	unreadable := `{"specversion":"1.0","id":"1"}`
	g.publish(unreadable, cloudEvent("2"))
	startPull(t, g.source(t), f)
	for times := range maxDelivered {
		// An event that is received and not yet released is hidden too: only the count of
		// releases tells one from the other.
		eventually(t, "the event is released", func() bool {
			return g.releases() == times+1 && len(f.events()) == 1
		})
		g.showAll()
	}
	eventually(t, "Event Grid moves it to the dead letters", func() bool { _, _, dead := g.state(); return len(dead) == 1 && dead[0] == unreadable })
	f.assertEvents(t, "2")
	g.mu.Lock()
	defer g.mu.Unlock()
	if want := []string{"60", "600", "3600"}; !slices.Equal(g.released, want) {
		t.Errorf("released for %v seconds, want %v", g.released, want)
	}
}

func TestEventGrid_ALockThatIsLostIsNotFoughtFor(t *testing.T) {
	g, f := startGrid(t), &farms{away: errAway}
	g.publish(cloudEvent("1"))
	_, logs := startPull(t, g.source(t), f)
	eventually(t, "the event is tried", func() bool { return f.failed() > 0 })
	g.showAll() // the lock has expired, and Event Grid gives the event to who asks next
	f.goAway(nil)
	eventually(t, "the event is stored and gone", func() bool { waiting, hidden, _ := g.state(); return waiting+hidden == 0 })
	assertLogged(t, logs, "a message is not held any longer")
	for _, id := range f.events() {
		if id != "1" {
			t.Errorf("stored %q", id)
		}
	}
}

func TestEventGrid_AnErrorIsOneLineWithTheRemedy(t *testing.T) {
	g := startGrid(t)
	for name, change := range map[string]func(*config.EventGridQueue){
		"Azure answered 401 Unauthorized (Unauthorized): check that the key": func(q *config.EventGridQueue) { q.Key = "env:TEST_WRONG_KEY" },
		"Azure answered 404 Not Found (NotFound): correct the address":       func(q *config.EventGridQueue) { q.Subscription = "other" },
		"secret is missing or empty":                                         func(q *config.EventGridQueue) { q.Key = "env:TEST_NO_KEY" },
	} {
		s := g.source(t)
		t.Setenv("TEST_WRONG_KEY", "wrong")
		change(s.EventGrid)
		stop, logs := startPull(t, s, &farms{})
		eventually(t, "it is logged", func() bool { return logs.Len() > 1 })
		stop()
		assertLogged(t, logs, name)
		if strings.Contains(messages(logs), gridKey) {
			t.Error("what the server says is repeated")
		}
	}
}

// The server of these tests is nobody's product, so that the client that Microsoft
// publishes must get along with it in everything that these tests rest on.
func TestEventGrid_TheServerIsWhatMicrosoftsClientTalksTo(t *testing.T) {
	g := startGrid(t)
	key, ctx := azcore.NewKeyCredential(gridKey), t.Context()
	// The SDK keeps a key from leaving over plain HTTP; here is only this machine.
	options := policy.ClientOptions{Transport: plainTransport{}}
	secure := strings.Replace(g.URL, "http://", "https://", 1)
	sender, err := aznamespaces.NewSenderClientWithSharedKeyCredential(secure, "vault", key, &aznamespaces.SenderClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := aznamespaces.NewReceiverClientWithSharedKeyCredential(secure, "vault", "farmtrust", key, &aznamespaces.ReceiverClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"kept", "returned"} {
		e, err := messaging.NewCloudEvent("https://ca.contoso.com", "com.contoso.certificate.near-expiry.v1", map[string]any{}, &messaging.CloudEventOptions{Subject: &subject, Time: new(time.Now())})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sender.SendEvent(ctx, &e, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := receiver.ReceiveEvents(ctx, &aznamespaces.ReceiveEventsOptions{MaxEvents: new(int32(10)), MaxWaitTime: new(int32(10))})
	if err != nil || len(got.Details) != 2 {
		t.Fatalf("received %d, %v", len(got.Details), err)
	}
	lock := func(i int) []string { return []string{*got.Details[i].BrokerProperties.LockToken} }
	if renewed, err := receiver.RenewEventLocks(ctx, lock(0), nil); err != nil || len(renewed.SucceededLockTokens) != 1 {
		t.Errorf("renewed %v, %v", renewed, err)
	}
	if done, err := receiver.AcknowledgeEvents(ctx, lock(0), nil); err != nil || len(done.SucceededLockTokens) != 1 {
		t.Errorf("acknowledged %v, %v", done, err)
	}
	again, err := receiver.AcknowledgeEvents(ctx, lock(0), nil)
	if err != nil || len(again.FailedLockTokens) != 1 || *again.FailedLockTokens[0].Error.Code != "TokenLost" {
		t.Errorf("acknowledged once more: %v, %v", again, err)
	}
	if released, err := receiver.ReleaseEvents(ctx, lock(1), &aznamespaces.ReleaseEventsOptions{ReleaseDelayInSeconds: to.Ptr(aznamespaces.ReleaseDelayNoDelay)}); err != nil || len(released.SucceededLockTokens) != 1 {
		t.Errorf("released %v, %v", released, err)
	}

	// What Microsoft's client has published, the product takes.
	f := &farms{}
	startPull(t, g.source(t), f)
	eventually(t, "the other event is taken", func() bool { return len(f.events()) == 1 })
}

// plainTransport sends what is meant for HTTPS over HTTP.
type plainTransport struct{}

func (plainTransport) Do(r *http.Request) (*http.Response, error) {
	r.URL.Scheme = "http"
	return http.DefaultClient.Do(r)
}
