package intake

import (
	"sync"
	"time"
)

// bucket bounds the events of a source: it fills with the source's rate, up to what comes
// in one second, and each event takes one. What a sender has put into one message is
// taken whole, and makes it wait the longer afterwards: a message that is larger than the
// bucket would never come in otherwise.
type bucket struct {
	rate float64
	now  func() time.Time

	mu    sync.Mutex
	level float64
	at    time.Time
}

func newBucket(rate int, now func() time.Time) *bucket {
	return &bucket{rate: float64(rate), now: now, level: float64(rate), at: now()}
}

// take takes one event. Where there is none left it returns how long that lasts.
func (b *bucket) take() (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.level = min(b.rate, b.level+max(0, now.Sub(b.at).Seconds())*b.rate)
	b.at = now
	if b.level < 1 {
		return b.untilOne()
	}
	b.level--
	return 0
}

// takeMore takes further events of a message that [bucket.take] let in, even those that
// are not there yet. It does not where another message has done so meanwhile, and returns
// how long to wait.
func (b *bucket) takeMore(n int) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.level < 0 {
		return b.untilOne()
	}
	b.level -= float64(n)
	return 0
}

// untilOne is how long it takes until there is an event to take.
func (b *bucket) untilOne() time.Duration {
	return time.Duration((1 - b.level) / b.rate * float64(time.Second))
}
