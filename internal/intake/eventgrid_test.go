package intake_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// vault is a source that Event Grid sends to.
func vault(t *testing.T, g config.EventGrid) config.Sender {
	t.Helper()
	s := bearer(t, "vault", "contoso")
	s.Proof = config.Proof{QueryKey: s.Proof.Bearer}
	s.Format, s.EventGrid = event.Azure, g
	return s
}

const vaultPath = "vault?key=the%20new%20secret%20of%20the%20source"

// question is the event by which Event Grid validates a subscription, from its
// documentation.
func question(t *testing.T) string {
	t.Helper()
	body, err := os.ReadFile("../event/testdata/SubscriptionValidationEvent.msdoc.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func askedFor(subscription string) []string {
	return []string{"Aeg-Event-Type", "SubscriptionValidation", "Aeg-Subscription-Name", subscription, "Content-Type", "application/json; charset=utf-8"}
}

func TestEventGrid_ASubscriptionIsValidated(t *testing.T) {
	w := newWorld(t, "rp-eastus2.eventgrid.azure.net")
	d := openDoor(t, []config.Sender{vault(t, config.EventGrid{Subscriptions: []string{"farmtrust"}})}, w.outside)
	got := d.post(t, vaultPath, question(t), askedFor("FARMTRUST")...)
	if got.status != http.StatusOK || strings.TrimSpace(got.text) != `{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}` {
		t.Errorf("got %+v", got)
	}
	d.post(t, vaultPath, question(t), askedFor("other")...).require(t, 401, `subscription \"other\" is not one that is expected: add it to eventGrid.subscriptions`)
	d.post(t, "vault?key=x", question(t), askedFor("farmtrust")...).require(t, 401, "the key is wrong")
	for claim, body := range map[string]string{
		"no JSON": "x", "none": "[]", "two": "[" + strings.Trim(strings.TrimSpace(question(t)), "[]") + "," + strings.Trim(strings.TrimSpace(question(t)), "[]") + "]",
		"another event": strings.Replace(question(t), "SubscriptionValidationEvent", "SubscriptionDeletedEvent", 1),
		"no code":       strings.Replace(question(t), "validationCode", "code", 1),
		"a long code":   strings.Replace(question(t), "512d38b6", strings.Repeat("5", 300), 1),
	} {
		t.Run(claim, func(t *testing.T) {
			d.post(t, vaultPath, body, askedFor("farmtrust")...).require(t, 400, "is not one SubscriptionValidationEvent")
		})
	}
	if asked := w.all(); len(asked) > 0 {
		t.Errorf("called %s, which nobody asked for", asked)
	}
	if kept := d.store.of("vault"); len(kept) > 0 {
		t.Errorf("stored %s", kept)
	}
	body, err := os.ReadFile("../event/testdata/eventgrid-schema.CertificateNearExpiry.captured.json")
	if err != nil {
		t.Fatal(err)
	}
	d.post(t, vaultPath, string(body), "Content-Type", "application/json; charset=utf-8", "Aeg-Event-Type", "Notification").require(t, 202, "mycert13")
}

func TestEventGrid_TheValidationURLIsCalledWhereItIsAskedFor(t *testing.T) {
	const address = "https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/myeventsub/validate?id=0000000000-0000-0000-0000-00000000000000&t=2022-10-28T04:23:35.1981776Z&apiVersion=2018-05-01-preview&token=1A1A1A1A"
	w := newWorld(t, "rp-eastus2.eventgrid.azure.net", "evil.contoso.com", "rp-eastus2.eventgrid.azure.net.contoso.com")
	w.set(address, "ok")
	d := openDoor(t, []config.Sender{vault(t, config.EventGrid{CallValidationURL: true})}, w.outside)
	for _, bad := range []string{
		"http://rp-eastus2.eventgrid.azure.net:553/", "https://evil.contoso.com/", "https://rp-eastus2.eventgrid.azure.net.contoso.com/",
		"https://rp-eastus2.eventgrid.azure.net@evil.contoso.com/", "https://user@rp-eastus2.eventgrid.azure.net/", "https://rp-eastus2.eventgrid.azure.net:22/",
		"https://eventgrid.azure.net/", "file:///etc/passwd", "https://169.254.169.254/", "%", "",
	} {
		d.post(t, vaultPath, strings.Replace(question(t), address, bad, 1), askedFor("any")...).require(t, 200, "512d38b6")
	}
	d.post(t, vaultPath, question(t), askedFor("any")...).require(t, 200, "512d38b6")
	select {
	case got := <-w.calls:
		if got != address {
			t.Errorf("called %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the validation URL was not called")
	}
	if asked := w.all(); len(asked) != 1 {
		t.Errorf("called %s", asked)
	}
}

func TestGreet_AnOriginMaySend(t *testing.T) {
	d := openDoor(t, []config.Sender{vault(t, config.EventGrid{}), bearer(t, "pki"), windows(t)})
	ask := func(source string, headers ...string) (int, http.Header) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, d.url+"/events/"+source, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for pair := range slices.Chunk(headers, 2) {
			request.Header.Set(pair[0], pair[1])
		}
		response, err := d.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode, response.Header
	}
	for _, source := range []string{"vault", "pki"} {
		status, header := ask(source, "WebHook-Request-Origin", "eventgrid.azure.net", "WebHook-Request-Rate", "120", "WebHook-Request-Callback", "https://evil.contoso.com/")
		if got := fmt.Sprintf("%d %s %s %s", status, header.Get("WebHook-Allowed-Origin"), header.Get("WebHook-Allowed-Rate"), header.Get("Allow")); got != "200 eventgrid.azure.net 60000 POST" {
			t.Errorf("%s: got %s", source, got)
		}
	}
	if status, header := ask("pki", "WebHook-Request-Origin", "a.contoso.com"); status != 200 || header.Get("WebHook-Allowed-Rate") != "" {
		t.Errorf("got %d %v", status, header)
	}
	if status, _ := ask("pki", "WebHook-Request-Origin", "a\tb"); status != 400 {
		t.Errorf("got %d for what is no host", status)
	}
	if status, _ := ask("pki"); status != 405 {
		t.Errorf("got %d without an origin", status)
	}
	if status, _ := ask("windows", "WebHook-Request-Origin", "a.contoso.com"); status != 405 {
		t.Errorf("got %d from a source that sends no CloudEvents", status)
	}
}
