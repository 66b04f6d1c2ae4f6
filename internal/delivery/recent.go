package delivery

import "time"

// recent remembers when the latest of some keys were added, for a while and up to a number
// of them. The older half is forgotten at once, so that nothing is ever sorted.
type recent struct {
	lasts time.Duration
	half  int

	young, old map[string]time.Time
	// since is when the first of the young ones was added.
	since time.Time
}

// newRecent remembers keys for a time, up to a number of them.
func newRecent(lasts time.Duration, most int) *recent { return &recent{lasts: lasts, half: most / 2} }

// add remembers a key.
func (r *recent) add(key string, now time.Time) {
	if r.young == nil || len(r.young) >= r.half || now.Sub(r.since) >= r.lasts {
		r.young, r.old, r.since = map[string]time.Time{}, r.young, now
	}
	r.young[key] = now
}

// has reports whether a key was added within the time.
func (r *recent) has(key string, now time.Time) bool {
	at, ok := r.young[key]
	if !ok {
		at, ok = r.old[key]
	}
	return ok && now.Sub(at) < r.lasts
}
