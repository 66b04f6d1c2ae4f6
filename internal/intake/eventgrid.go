package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
)

// eventGrid answers Event Grid when it validates a subscription.
//
// Source: Microsoft, "Endpoint validation with Event Grid event schema" and "Endpoint
// validation with CloudEvents schema".
type eventGrid struct {
	config.EventGrid

	name    string
	rate    int
	log     *zap.Logger
	outside *http.Client
	// calling has a place for the one validation URL that is called at a time.
	calling chan struct{}
}

func newEventGrid(o Options, c config.Sender) *eventGrid {
	return &eventGrid{EventGrid: c.EventGrid, name: c.Name, rate: c.Rate, log: o.Log, outside: newOutside(o), calling: make(chan struct{}, 1)}
}

func (g *eventGrid) greet(r *http.Request, body []byte) (answer, bool) {
	if r.Method != http.MethodPost {
		return greetOrigin(r, g.rate)
	}
	if r.Header.Get("Aeg-Event-Type") != "SubscriptionValidation" {
		return answer{}, false
	}
	return g.validate(r, body), true
}

// validation is the event that asks whether a subscription is wanted.
type validation struct {
	EventType string `json:"eventType"`
	Data      struct {
		Code string `json:"validationCode"`
		URL  string `json:"validationUrl"`
	} `json:"data"`
}

// maxCode bounds the code that is sent back, in bytes; it is a UUID.
const maxCode = 256

func (g *eventGrid) validate(r *http.Request, body []byte) answer {
	subscription := r.Header.Get("Aeg-Subscription-Name")
	wanted := func(name string) bool { return strings.EqualFold(name, subscription) }
	if len(g.Subscriptions) > 0 && !slices.ContainsFunc(g.Subscriptions, wanted) {
		return refuse(http.StatusUnauthorized, fmt.Sprintf("subscription %.80q is not one that is expected: add it to eventGrid.subscriptions of this source", subscription))
	}
	var asked []validation
	if err := json.Unmarshal(body, &asked); err != nil || len(asked) != 1 ||
		asked[0].EventType != "Microsoft.EventGrid.SubscriptionValidationEvent" || asked[0].Data.Code == "" || len(asked[0].Data.Code) > maxCode {
		return refuse(http.StatusBadRequest, "the body is not one SubscriptionValidationEvent with a validationCode, although aeg-event-type says so")
	}
	g.log.Info("Event Grid validates a subscription", zap.String("source", g.name), zap.String("subscription", fmt.Sprintf("%.80s", subscription)))
	if g.CallValidationURL && asked[0].Data.URL != "" {
		g.callLater(r.Context(), asked[0].Data.URL)
	}
	return answer{status: http.StatusOK, body: map[string]string{"validationResponse": asked[0].Data.Code}}
}

// callLater calls the validation URL once the answer is on its way: it serves where
// something in between does not let the answer through.
func (g *eventGrid) callLater(ctx context.Context, address string) {
	if err := checkValidationURL(address); err != nil {
		g.log.Warn("the validation URL of Event Grid is not called", zap.String("source", g.name), zap.Error(err))
		return
	}
	select {
	case g.calling <- struct{}{}:
	default:
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer func() { <-g.calling }()
		if _, err := fetch(ctx, g.outside, address); err != nil {
			g.log.Warn("the validation URL of Event Grid was called in vain", zap.String("source", g.name), zap.Error(err))
		}
	}()
}

// checkValidationURL returns an error unless the address is one of Event Grid's own.
//
// Source: Microsoft, "Endpoint validation with Event Grid event schema": its samples have
// hosts such as rp-eastus2.eventgrid.azure.net, and port 553.
func checkValidationURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > 2048:
		return fmt.Errorf("it is no address")
	case u.Scheme != "https" || u.User != nil || !strings.HasSuffix(u.Hostname(), ".eventgrid.azure.net"):
		return fmt.Errorf("host %.80q is not one of eventgrid.azure.net, over HTTPS", u.Host)
	case !slices.Contains([]string{"", "443", "553"}, u.Port()):
		return fmt.Errorf("port %q is neither 443 nor 553", u.Port())
	default:
		return nil
	}
}
