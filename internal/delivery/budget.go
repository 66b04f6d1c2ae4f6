package delivery

import "time"

// budget is how many events a farm may still be sent: burst at first, and one more each
// signalInterval. What could not be sent is given back, which rate.Limiter cannot.
type budget struct {
	left float64
	at   time.Time
}

func newBudget(now time.Time) *budget { return &budget{left: burst, at: now} }

// take takes one, or returns how long there will be none.
func (b *budget) take(now time.Time) (wait time.Duration) {
	earned := float64(max(now.Sub(b.at), 0)) / float64(signalInterval)
	b.left, b.at = min(b.left+earned, burst), now
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(signalInterval))
	}
	b.left--
	return 0
}

// giveBack returns one that was taken.
func (b *budget) giveBack() { b.left = min(b.left+1, burst) }
