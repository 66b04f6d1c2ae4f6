// Package notify tells operators what they need to know, by a CloudEvent that is POSTed to
// a receiver of theirs.
//
// It decides nothing: package controller says what is told, and when. It calls no other
// address than the configured one, and follows no redirect.
package notify

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
	"net/url"
	"strconv"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/secret"
)

const (
	// contentType is that of one event in the structured mode of the HTTP binding of
	// CloudEvents 1.0, whose JSON format is always UTF-8.
	contentType = "application/cloudevents+json; charset=utf-8"
	// typePrefix and typeSuffix stand around the kind of a notice in the type of an event.
	typePrefix, typeSuffix = "io.github.farmtrust.", ".v1"
	// answerTimeout is how long a receiver may take to answer. It has to store a message,
	// not to act on it.
	answerTimeout = 15 * time.Second
	// maxAfter is how long a receiver may put the next attempt off.
	maxAfter = time.Hour
	// maxAnswer is how much of an answer is read, in bytes, so that the connection can be
	// used again.
	maxAnswer = 4 << 10
)

// Receiver is who tells operators.
type Receiver struct {
	// URL is where notices are POSTed.
	URL string
	// Bearer is the token that authenticates farmtrust there; empty for none. It is read
	// for each notice, so that a changed one counts at once.
	Bearer secret.Ref
	// CA are PEM certificates that the receiver's is verified against; nil for the CAs that
	// the system trusts.
	CA []byte
}

// Notifier tells a receiver about the farms of a site.
type Notifier struct {
	receiver Receiver
	site     string
	client   *http.Client
}

// New returns a notifier. It connects to nothing yet.
func New(r Receiver, site string) *Notifier {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: answerTimeout, MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	if r.CA != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(r.CA)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Notifier{receiver: r, site: site, client: &http.Client{
		Timeout: answerTimeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// cloudEvent is a notice as a CloudEvent 1.0.
//
// Source: CNCF, "CloudEvents - Version 1.0.2" and its JSON event format.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Data is what an event says of a farm.
type Data struct {
	Farm string `json:"farm"`
	Site string `json:"site,omitempty"`
	controller.Notice
	// Command shows the farm, and what can be done.
	Command string `json:"command"`
}

func (n *Notifier) newEvent(farmName string, notice controller.Notice) cloudEvent {
	source := "/farmtrust/farms/" + url.PathEscape(farmName)
	if n.site != "" {
		source = "/farmtrust/sites/" + url.PathEscape(n.site) + "/farms/" + url.PathEscape(farmName)
	}
	return cloudEvent{
		SpecVersion: "1.0", ID: notice.ID, Source: source, Type: typePrefix + string(notice.Kind) + typeSuffix, Subject: farmName,
		Time: notice.At.UTC(), DataContentType: "application/json",
		Data: Data{Farm: farmName, Site: n.site, Notice: notice, Command: "farmtrust status " + farmName},
	}
}

// Notify sends a notice once. It fails with [Error] where the receiver does not take it.
// No error holds the token, or what the receiver answered: that may be anything.
func (n *Notifier) Notify(ctx context.Context, farmName string, notice controller.Notice) error {
	request, err := n.newRequest(ctx, n.newEvent(farmName, notice))
	if err != nil {
		return err
	}
	answer, err := n.client.Do(request)
	if err != nil {
		return &Error{text: fmt.Sprintf("%s does not answer: %v", n.host(), withoutURL(err))}
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, maxAnswer); err != nil && !errors.Is(err, io.EOF) {
		return &Error{text: fmt.Sprintf("the answer of %s breaks off: %v", n.host(), withoutURL(err))}
	}
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices {
		return n.refusedError(answer)
	}
	return nil
}

func (n *Notifier) newRequest(ctx context.Context, e cloudEvent) (*http.Request, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write notice %s: %w", e.ID, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.receiver.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("notify.url: %w", withoutURL(err))
	}
	request.Header.Set("Content-Type", contentType)
	if n.receiver.Bearer == "" {
		return request, nil
	}
	token, err := n.receiver.Bearer.Resolve()
	if err != nil {
		return nil, &Error{text: fmt.Sprintf("notify.bearer: %v", err)}
	}
	request.Header.Set("Authorization", "Bearer "+string(token.Bytes()))
	return request, nil
}

// host is how errors name the receiver: its path and query may hold a key, as those of
// chats do.
func (n *Notifier) host() string {
	if u, err := url.Parse(n.receiver.URL); err == nil {
		return "the receiver of notices, " + u.Host + ","
	}
	return "the receiver of notices"
}

// withoutURL is an error of the HTTP client without the URL, which may hold a key.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// Error means that the receiver did not take a notice.
type Error struct {
	text  string
	final bool
	after time.Duration
}

// Error says who did not take it, why, and what to do.
func (e *Error) Error() string { return e.text }

// Final reports whether no attempt can succeed: the receiver does not understand the notice.
func (e *Error) Final() bool { return e.final }

// After is when the receiver wants the next attempt; zero where it does not say.
func (e *Error) After() time.Duration { return e.after }

func (n *Notifier) refusedError(answer *http.Response) error {
	e := &Error{text: fmt.Sprintf("%s answers %d", n.host(), answer.StatusCode)}
	switch code := answer.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.text += ": check notify.bearer"
	case code == http.StatusNotFound || code == http.StatusGone || code == http.StatusMethodNotAllowed || code < http.StatusBadRequest:
		e.text += ": check notify.url, which must take a POST itself: no redirect is followed"
	case code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnsupportedMediaType || code == http.StatusUnprocessableEntity:
		e.text, e.final = e.text+": it must take a CloudEvent as application/cloudevents+json", true
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = min(time.Duration(seconds)*time.Second, maxAfter)
	}
	return e
}
