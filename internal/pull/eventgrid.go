package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/version"
)

const (
	eventGridVersion = "2024-06-01"
	eventGridScope   = "https://eventgrid.azure.net/.default"
	// eventGridWait is for how long Event Grid waits for an event before it says that there
	// is none.
	eventGridWait = 60 * time.Second
	// maxEventGridBody bounds an answer: as many events as are asked for, of the size that
	// is read, and what is around them.
	maxEventGridBody = maxBatch*event.MaxBody + event.MaxBody
)

// eventGrid is a subscription of a topic of an Event Grid namespace, from which events are
// pulled. What is not understood stays there, until it was received as often as the
// subscription allows; Event Grid then moves it to where dead letters go, or drops it.
//
// Microsoft's client aznamespaces decodes events itself, and one that it cannot read would
// keep all from being received.
//
// Source: Microsoft, "Azure Event Grid data plane REST API", version 2024-06-01.
type eventGrid struct {
	pipeline     runtime.Pipeline
	subscription string
}

func eventGridPlace(c config.EventGridQueue) place {
	at := c.Namespace + "/topics/" + url.PathEscape(c.Topic) + "/eventsubscriptions/" + url.PathEscape(c.Subscription)
	return place{name: at, open: func(context.Context) (queue, error) { return openEventGrid(c, at) }}
}

func openEventGrid(c config.EventGridQueue, at string) (queue, error) {
	var signed policy.Policy
	if c.Identity != nil {
		identity, err := signIn(*c.Identity)
		if err != nil {
			return nil, err
		}
		signed = runtime.NewBearerTokenPolicy(identity, []string{eventGridScope}, nil)
	} else {
		key, err := c.Key.Resolve()
		if err != nil {
			return nil, err
		}
		signed = runtime.NewKeyCredentialPolicy(azcore.NewKeyCredential(string(key.Bytes())), "Authorization",
			&runtime.KeyCredentialPolicyOptions{Prefix: "SharedAccessKey ", InsecureAllowCredentialWithHTTP: true})
	}
	options := azureOptions()
	return &eventGrid{
		pipeline:     runtime.NewPipeline("farmtrust", version.Read().Version, runtime.PipelineOptions{PerRetry: []policy.Policy{signed}}, &options),
		subscription: at,
	}, nil
}

// receivedEvents is what Event Grid answers to receive.
type receivedEvents struct {
	Value []struct {
		BrokerProperties struct {
			LockToken     string `json:"lockToken"`
			DeliveryCount int    `json:"deliveryCount"`
		} `json:"brokerProperties"`
		Event json.RawMessage `json:"event"`
	} `json:"value"`
}

// settledLocks is what Event Grid answers to everything else.
type settledLocks struct {
	Failed []struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"failedLockTokens"`
}

func (q *eventGrid) receive(ctx context.Context, max int) (all []*message, err error) {
	var got receivedEvents
	query := url.Values{"maxEvents": {strconv.Itoa(max)}, "maxWaitTime": {strconv.Itoa(int(eventGridWait / time.Second))}}
	if err := q.post(ctx, "receive", query, nil, &got); err != nil {
		return nil, err
	}
	for _, v := range got.Value {
		all = append(all, &message{
			id: nameEvent(v.Event), handle: v.BrokerProperties.LockToken, received: v.BrokerProperties.DeliveryCount,
			header: http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, body: v.Event,
		})
	}
	return all, nil
}

// nameEvent returns the ID of an event, for logs.
func nameEvent(content []byte) string {
	var e struct{ ID string }
	_ = json.Unmarshal(content, &e) // what is not understood is refused, with its reason
	return fmt.Sprintf("%.100s", e.ID)
}

func (q *eventGrid) hold(ctx context.Context, m *message) error {
	return q.settle(ctx, "renewLock", nil, m)
}

func (q *eventGrid) finish(ctx context.Context, m *message) error {
	return q.settle(ctx, "acknowledge", nil, m)
}

func (q *eventGrid) release(ctx context.Context, m *message) error {
	return q.settle(ctx, "release", nil, m)
}

func (q *eventGrid) refuse(ctx context.Context, m *message, _ error) (string, error) {
	later := laterAfter(m.received)
	delay := url.Values{"releaseDelayInSeconds": {strconv.Itoa(int(later / time.Second))}}
	return "left in the subscription; received again in " + later.String() + ", as often as that allows", q.settle(ctx, "release", delay, m)
}

// settle does something with the lock on an event.
func (q *eventGrid) settle(ctx context.Context, action string, query url.Values, m *message) error {
	var done settledLocks
	if err := q.post(ctx, action, query, map[string][]string{"lockTokens": {m.handle}}, &done); err != nil {
		return err
	}
	if len(done.Failed) > 0 {
		return fmt.Errorf("%w: Event Grid: %s: %s", errGone, done.Failed[0].Error.Code, done.Failed[0].Error.Message)
	}
	return nil
}

// post sends an action to the subscription and reads the answer.
func (q *eventGrid) post(ctx context.Context, action string, query url.Values, body, answer any) error {
	what := action + " events of Event Grid"
	request, err := runtime.NewRequest(ctx, http.MethodPost, q.subscription+":"+action)
	if err != nil {
		return err
	}
	all := url.Values{"api-version": {eventGridVersion}}
	maps.Copy(all, query)
	request.Raw().URL.RawQuery = all.Encode()
	request.Raw().Header.Set("Accept", "application/json")
	runtime.SkipBodyDownload(request)
	if body != nil {
		if err := runtime.MarshalAsJSON(request, body); err != nil {
			return err
		}
	}
	response, err := q.pipeline.Do(request)
	if err != nil {
		return explainAzure(what, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxEventGridBody+1))
	switch {
	case err != nil:
		return explainAzure(what, err)
	case len(content) > maxEventGridBody:
		return errors.New(what + ": the answer is too large")
	case response.StatusCode != http.StatusOK:
		response.Body = io.NopCloser(bytes.NewReader(content))
		return explainAzure(what, runtime.NewResponseError(response))
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("%s: read the answer: %w", what, err)
	}
	return nil
}
