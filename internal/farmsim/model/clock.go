package model

import (
	"sort"
	"time"
)

// clockSet is a moment in real time at which a machine's clock was set, and how far ahead
// of real time it has been since.
type clockSet struct {
	at    time.Time
	ahead time.Duration
}

// SetClocks sets the clocks of all machines to be ahead of real time. What has happened
// before keeps the times that the clocks showed then, as files and logs do.
func (w *World) SetClocks(ahead time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, m := range w.machines {
		m.clockSet = append(m.clockSet, clockSet{now, ahead})
	}
}

// clock converts real time to what the machine's own clock showed then.
func (m *machine) clock(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	ahead := m.Skew
	if next := sort.Search(len(m.clockSet), func(i int) bool { return m.clockSet[i].at.After(t) }); next > 0 {
		ahead = m.clockSet[next-1].ahead
	}
	return t.Add(ahead).UTC().Round(0)
}
