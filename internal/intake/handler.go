package intake

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

// When to send again, by what is the matter.
const (
	retryBusy  = time.Second
	retryOurs  = 30 * time.Second // a person must mend something here
	retryStore = 10 * time.Second // Temporal does not answer
)

// deliveriesAtOnce is how many events of a message are delivered at the same time, each
// of which is a short call to Temporal.
const deliveriesAtOnce = 8

// handler answers requests.
type handler struct {
	Options

	sources map[string]*source
	// decoding has a place for each message that is decoded at the same time, which takes
	// several times its size.
	decoding chan struct{}
	quiet    *quietLog
	readying *recent[struct{}]
}

// NewHandler returns what the door serves: POST /events/NAME for each source, and
// GET /healthz, which answers 200 while events can be delivered.
func NewHandler(o Options) (http.Handler, error) {
	h := &handler{
		Options: o, sources: map[string]*source{}, decoding: make(chan struct{}, runtime.GOMAXPROCS(0)),
		quiet: newQuietLog(o.Log, o.Now),
	}
	h.readying = &recent[struct{}]{now: o.Now, read: h.askReady}
	for _, c := range o.Listen.Sources {
		s, err := newSource(o, c)
		if err != nil {
			return nil, err
		}
		h.sources[c.Name] = s
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/events/{source}", h.serveEvents)
	mux.HandleFunc("/events/", h.serveEvents) // none of the sources
	mux.HandleFunc("GET /healthz", h.serveHealth)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { noSource().write(w) })
	return mux, nil
}

// readyTimeout bounds the question whether Temporal answers.
const readyTimeout = 3 * time.Second

func (h *handler) askReady() (struct{}, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	return struct{}{}, h.Ready(ctx)
}

func (h *handler) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if _, err := h.readying.get(); err != nil {
		h.quiet.warn("ready", "events cannot be delivered now", zap.Error(err))
		sendAgain(retryStore, "events cannot be delivered now").write(w)
		return
	}
	answer{status: http.StatusOK}.write(w)
}

func (h *handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	s, known := h.sources[r.PathValue("source")]
	if !known {
		h.quiet.warn("unknown source", "events for a source that is not configured were refused", zap.String("from", r.RemoteAddr))
		noSource().write(w)
		return
	}
	a := h.take(s, r)
	if a.reason != "" {
		h.quiet.warn(s.Name+" "+http.StatusText(a.status), "events were not taken", zap.String("source", s.Name), zap.Int("status", a.status),
			zap.String("from", r.RemoteAddr), zap.String("reason", a.reason))
	}
	a.write(w)
}

// take takes the message of a request. What costs nothing is looked at first.
func (h *handler) take(s *source, r *http.Request) answer {
	if r.Method != http.MethodPost {
		return s.answerOther(r)
	}
	if s.proof.header != nil {
		if a, ok := s.admit(r, s.proof.header(r)); !ok {
			return a
		}
	}
	if !s.enter() {
		return sendAgain(retryBusy, "other messages of this source are being taken")
	}
	defer s.leave()
	ctx, cancel := context.WithTimeout(r.Context(), s.within)
	defer cancel()
	body, failed := readBody(r)
	if failed != nil {
		return *failed
	}
	if s.proof.body != nil {
		if a, ok := s.admit(r, s.proof.body(r, body)); !ok {
			return a
		}
	}
	if s.greet != nil {
		if a, ok := s.greet(r, body); ok {
			return a
		}
	}
	return h.takeBody(ctx, s, event.Message{Header: r.Header, Body: body})
}

// answerOther answers a request that brings no events.
func (s *source) answerOther(r *http.Request) answer {
	if s.greet != nil {
		if a, ok := s.greet(r, nil); ok {
			return a
		}
	}
	a := refuse(http.StatusMethodNotAllowed, "send events by POST")
	a.header = http.Header{"Allow": {http.MethodPost}}
	return a
}

// readBody reads the whole body, up to what a message may have.
func readBody(r *http.Request) ([]byte, *answer) {
	failed := func(a answer) ([]byte, *answer) { return nil, &a }
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return failed(refuse(http.StatusUnsupportedMediaType, "the body is compressed: send it as it is"))
	}
	// One byte more than allowed shows that there is more.
	body, err := io.ReadAll(io.LimitReader(r.Body, event.MaxBody+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), len(body) > event.MaxBody, r.ContentLength > event.MaxBody:
		return failed(refuse(http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB: send fewer events at once"))
	case err != nil:
		return failed(sendAgain(retryBusy, "the body did not come whole"))
	}
	return body, nil
}

// outcome is what became of one event.
type outcome struct {
	// Event is what it says, in short.
	Event string `json:"event"`
	// Farms have it.
	Farms []string `json:"farms,omitempty"`
	// Reason says why no farm has it.
	Reason string `json:"reason,omitempty"`
}

// taken is the body of the answer to a message that was taken.
type taken struct {
	Events []outcome `json:"events"`
	// Passed are the records that ask for nothing, each with the reason.
	Passed []passed `json:"passed,omitempty"`
}

type passed struct {
	Place  string `json:"place"`
	Reason string `json:"reason"`
}

func (h *handler) takeBody(ctx context.Context, s *source, m event.Message) answer {
	batch, err := h.decode(ctx, s, m)
	switch {
	case ctx.Err() != nil:
		return sendAgain(retryBusy, "other messages are being taken")
	case err != nil:
		return undecoded(err)
	}
	if wait := s.rate.takeMore(max(0, len(batch.Events)-1)); wait > 0 {
		return tooMany(wait)
	}
	body := taken{Events: make([]outcome, len(batch.Events))}
	if err := h.deliver(ctx, s, batch.Events, body.Events); err != nil {
		return unstored(err)
	}
	for _, p := range batch.Passed {
		body.Passed = append(body.Passed, passed{p.Place, p.Reason})
		h.quiet.say(zap.InfoLevel, s.Name+" passed", "nothing to do: "+p.Reason, zap.String("source", s.Name), zap.String("place", p.Place))
	}
	return answer{status: http.StatusAccepted, body: body}
}

func (h *handler) decode(ctx context.Context, s *source, m event.Message) (event.Batch, error) {
	select {
	case h.decoding <- struct{}{}:
		defer func() { <-h.decoding }()
		return s.Decode(m)
	case <-ctx.Done():
		return event.Batch{}, ctx.Err()
	}
}

// deliver delivers all events, as many as it can: those that were stored are known when
// the message is sent again.
func (h *handler) deliver(ctx context.Context, s *source, events []event.Expiry, into []outcome) error {
	var g errgroup.Group
	g.SetLimit(deliveriesAtOnce)
	for i, e := range events {
		g.Go(func() error {
			receipt, err := h.Deliverer.Deliver(ctx, e, delivery.Source{Name: s.Name, Farms: s.Farms})
			into[i] = outcome{Event: e.String(), Farms: receipt.Farms, Reason: receipt.Reason}
			return err
		})
	}
	return g.Wait()
}
