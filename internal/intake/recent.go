package intake

import (
	"sync"
	"time"
)

// maxAge is how long what was read from a file counts before it is read again: a changed
// secret takes effect at once, and a flood of requests does not read thousands of files.
const maxAge = time.Second

// recent is what is read from files again and again.
type recent[T any] struct {
	read func() (T, error)
	now  func() time.Time

	mu    sync.Mutex
	at    time.Time
	value T
	err   error
}

// get returns what the files hold, or held less than a second ago.
func (r *recent[T]) get() (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if age := now.Sub(r.at); r.at.IsZero() || age < 0 || age >= maxAge {
		r.value, r.err = r.read()
		r.at = now
	}
	return r.value, r.err
}
