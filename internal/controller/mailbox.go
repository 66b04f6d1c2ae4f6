package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Mailbox holds what has arrived and is not acted on yet, and what came of the
// events before.
type Mailbox struct {
	// Pending are the events that nothing came of yet, oldest first.
	Pending []Event `json:"pending,omitempty"`
	// Results is what came of recent events, oldest first. It also recognises
	// events that are delivered again.
	Results []EventResult `json:"results,omitempty"`
	// Request is what an operator asked for and was not started yet.
	Request *Request `json:"request,omitempty"`
	// Answered are the IDs of recent requests, oldest first. A reset of the controller
	// delivers again what was asked for since the moment that it goes back to.
	Answered []string `json:"answered,omitempty"`
	// Withdrawn are the IDs of recent requests that were given up before they were
	// accepted, oldest first.
	Withdrawn []string `json:"withdrawn,omitempty"`
}

// Withdrawal takes back a request, which may not have arrived yet: what was asked for
// while no worker ran arrives with the first that does.
type Withdrawal struct {
	// ID is of the update that asked.
	ID string `json:"id"`
}

// WithdrawRequest drops the request that an update asked for, or does not accept it
// when it arrives.
func (s *State) WithdrawRequest(w Withdrawal) {
	m := &s.Mailbox
	if m.Request != nil && m.Request.ID == w.ID {
		m.Request = nil
	}
	if len(w.ID) > maxEventText {
		return // no update has such an ID
	}
	m.Withdrawn = append(m.Withdrawn, w.ID)
	m.Withdrawn = m.Withdrawn[max(0, len(m.Withdrawn)-rememberedRequests):]
}

// IsWithdrawn reports whether a request was given up before it was accepted.
func (m *Mailbox) IsWithdrawn(id string) bool { return slices.Contains(m.Withdrawn, id) }

// Event is an expiry event: a hint to inspect the farm.
type Event struct {
	// ID is the same for every delivery of one event.
	ID string `json:"id"`
	// Summary says in words what the event says.
	Summary string `json:"summary"`
}

// maxEventText bounds an event's ID and its summary, in bytes: signals must not be able
// to fill a controller's state.
const maxEventText = 1000

// limit shortens texts that are too long. An ID stays one of its own.
func (e *Event) limit() {
	if len(e.ID) > maxEventText {
		sum := sha256.Sum256([]byte(e.ID))
		e.ID = hex.EncodeToString(sum[:])
	}
	if len(e.Summary) > maxEventText {
		e.Summary = strings.ToValidUTF8(e.Summary[:maxEventText], "") + "..."
	}
}

// EventResult is what came of an event: a run, or the reason why nothing is
// done.
type EventResult struct {
	EventID string    `json:"eventId"`
	At      time.Time `json:"at"`
	// WorkflowID and RunID name the run that the event led to; empty when it
	// led to none. RunID is also empty for a run that was started by hand.
	WorkflowID string `json:"workflowId,omitempty"`
	RunID      string `json:"runId,omitempty"`
	// Reason says why nothing is done, or what the run is for.
	Reason string `json:"reason"`
	// NeedsOperator reports whether nothing is done until an operator acts.
	NeedsOperator bool `json:"needsOperator,omitempty"`
}

// rememberedRequests bounds the requests that are recognised when a reset delivers
// them again.
const rememberedRequests = 100

// TakeRequest notes that a request with this ID is answered, and reports whether it
// is the first time.
func (m *Mailbox) TakeRequest(id string) bool {
	sum := sha256.Sum256([]byte(id))
	id = hex.EncodeToString(sum[:8])
	if slices.Contains(m.Answered, id) {
		return false
	}
	m.Answered = append(m.Answered, id)
	m.Answered = m.Answered[max(0, len(m.Answered)-rememberedRequests):]
	return true
}

// Configured is a worker's configuration of a farm, by its hash.
type Configured struct {
	// Worker is the worker's identity.
	Worker string `json:"worker,omitempty"`
	// Hash is the same for the same configuration of the farm.
	Hash string `json:"hash,omitempty"`
	// Since is when the controller was first told of this configuration, without
	// another one in between.
	Since time.Time `json:"since,omitzero"`
}

// Configuration tells a controller whether the worker that sends it has the
// farm in its configuration, and which one that is.
type Configuration struct {
	Configured
	// Unmanaged says why not; empty when it has.
	Unmanaged string `json:"unmanaged,omitempty"`
}

// remembered bounds pending events and results. Sources repeat an event for
// days, not indefinitely.
const remembered = 500

// ResultOf returns what came of an event; false while it is pending or was
// never received.
func (m *Mailbox) ResultOf(eventID string) (EventResult, bool) {
	i := slices.IndexFunc(m.Results, func(r EventResult) bool { return r.EventID == eventID })
	if i < 0 {
		return EventResult{}, false
	}
	return m.Results[i], true
}

// ReceiveEvent makes an event pending, unless it was received before. When too
// many are pending the oldest is dropped, which loses nothing: any one of them
// triggers an inspection. While a rotation waits that decides nothing, but it shows
// what the event is about.
func (s *State) ReceiveEvent(now time.Time, e Event) {
	m := &s.Mailbox
	e.limit()
	pending := slices.ContainsFunc(m.Pending, func(p Event) bool { return p.ID == e.ID })
	if _, answered := m.ResultOf(e.ID); pending || answered {
		return
	}
	m.Pending = append(m.Pending, e)
	s.Inspected.Due = s.Inspected.Due || s.Active != nil && !s.RunsRetirement()
	if len(m.Pending) > remembered {
		m.addResult(EventResult{EventID: m.Pending[0].ID, At: now, Reason: "superseded by later events"})
		m.Pending = m.Pending[1:]
	}
}

// AnswerEvents records what came of all pending events. The event IDs of
// result are filled in here.
func (s *State) AnswerEvents(result EventResult) {
	for _, e := range s.Mailbox.Pending {
		result.EventID = e.ID
		s.Mailbox.addResult(result)
	}
	s.Mailbox.Pending = nil
}

func (m *Mailbox) addResult(r EventResult) {
	m.Results = append(m.Results, r)
	m.Results = m.Results[max(0, len(m.Results)-remembered):]
}

// ApplyConfiguration makes the farm managed or unmanaged. One that is managed
// again, or whose configuration has changed, is inspected at once. A pending
// request of one that is unmanaged now is dropped; the operator who waits for it
// is told.
func (s *State) ApplyConfiguration(now time.Time, c Configuration) {
	if s.Unmanaged != "" && c.Unmanaged == "" {
		s.Inspected.Due = true
	}
	if s.Unmanaged = c.Unmanaged; s.Unmanaged != "" {
		if r := s.Mailbox.Request; r != nil && r.Kind != RequestForget {
			s.Mailbox.Request = nil
		}
		return
	}
	if c.Since = s.Configured.Since; c.Hash != s.Configured.Hash {
		s.Inspected.Due, c.Since = true, now
	}
	s.Configured = c.Configured
}
