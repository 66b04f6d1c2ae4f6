package intake

import (
	"fmt"
	"net/http"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// maxRequests is how many messages of a source are taken at the same time. With the size
// of a message it bounds the memory that a source can use, and no source has the places
// of another.
const maxRequests = 8

// How long senders wait for an answer. Who gets none sends again, although the events
// were stored.
const (
	// answerWithin is below the shortest that is known: an API destination of EventBridge
	// waits 5 seconds (AWS, "API destinations as targets in Amazon EventBridge").
	answerWithin = 4 * time.Second
	// answerInfisical is for Infisical, which waits 2 seconds.
	answerInfisical = 1500 * time.Millisecond
)

// source is who sends, with what bounds it.
type source struct {
	config.Sender

	proof proof
	// greet answers what a sender asks before it sends events; false where a message is
	// no such question. It runs before the proof on a request that is no POST, and after
	// it on a POST. Nil is for senders that ask nothing.
	greet  func(*http.Request, []byte) (answer, bool)
	rate   *bucket
	places chan struct{}
	within time.Duration
}

func newSource(o Options, c config.Sender) (*source, error) {
	s := &source{Sender: c, rate: newBucket(c.Rate, o.Now), places: make(chan struct{}, maxRequests), within: answerWithin}
	if err := s.know(o); err != nil {
		return nil, fmt.Errorf("listen.sources[%s]: %w", c.Name, err)
	}
	if c.Format == event.Infisical {
		s.within = answerInfisical
	}
	return s, nil
}

// know sets how the sender proves itself, and what it is answered before it sends events.
func (s *source) know(o Options) (err error) {
	if s.Proof.SNS != nil {
		asking := newSNS(o, s.Name, *s.Proof.SNS)
		s.proof, s.greet = proof{body: asking.prove}, asking.greet
		return nil
	}
	s.greet = newGreet(o, s.Sender)
	s.proof, err = newProof(o, s.Proof)
	return err
}

// admit lets a message in whose proof has this result, if the source's rate does: who is
// not the source uses nothing of its rate.
func (s *source) admit(r *http.Request, proven error) (answer, bool) {
	if proven != nil {
		return unproven(proven, s.proof.challenge), false
	}
	keepPlace(r)
	if wait := s.rate.take(); wait > 0 {
		return tooMany(wait), false
	}
	return answer{}, true
}

// enter takes a place. Where there is none it returns false: others wait already.
func (s *source) enter() bool {
	select {
	case s.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *source) leave() { <-s.places }
