package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// outsideTimeout is below the time that the sender of a message waits for an answer.
	outsideTimeout = 3 * time.Second
	// outsideRate bounds the calls for one source, in calls a second. To know a provider's
	// keys takes two.
	outsideRate = 4
	// maxOutside is the largest answer of a provider that is read, in bytes.
	maxOutside = 1 << 20
)

// newOutside returns what reaches the provider of a source, such as for its keys. It
// follows no redirect.
func newOutside(o Options) *http.Client {
	client := http.Client{}
	if o.Outside != nil {
		client = *o.Outside
	}
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client.Transport, client.Timeout = seldom{next, newBucket(outsideRate, o.Now)}, outsideTimeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("it redirects") }
	return &client
}

// seldom lets few requests through: who sends nonsense in floods, such as tokens that
// name unknown keys, must not have the door send as much.
type seldom struct {
	next  http.RoundTripper
	calls *bucket
}

// RoundTrip implements [http.RoundTripper].
func (s seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.calls.take() > 0 {
		return nil, errors.New("it was asked a moment ago")
	}
	return s.next.RoundTrip(r)
}

// fetch returns what an address answers. Its errors have the host, but not the rest of
// the address: that of a confirmation holds a token.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the address cannot be read")
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL.Host, errors.Unwrap(err)) // of a *url.Error
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", request.URL.Host, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxOutside))
}
