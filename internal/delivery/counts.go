package delivery

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// outcome is what became of an event, as it is counted.
type outcome string

const (
	delivered outcome = "delivered" // stored for every farm that it concerns
	repeated  outcome = "repeated"  // stored before, or one that says the same
	unmatched outcome = "unmatched" // concerns no farm
	busy      outcome = "busy"      // for a farm that was sent too much; to be sent again
	failed    outcome = "failed"    // Temporal could not store it; to be sent again
)

// outcomes lists them all.
var outcomes = []outcome{delivered, repeated, unmatched, busy, failed}

// counts counts events by source and outcome. The sources are those of a configuration.
type counts struct {
	mu       sync.Mutex
	bySource map[string]map[outcome]int
}

func (c *counts) count(source string, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySource == nil {
		c.bySource = map[string]map[outcome]int{}
	}
	if c.bySource[source] == nil {
		c.bySource[source] = map[outcome]int{}
	}
	c.bySource[source][o]++
}

// WriteMetrics writes how many events each source has sent, by what became of them, since
// the process started.
//
// Source: Prometheus, "Exposition formats", text-based format 0.0.4.
func (d *Deliverer) WriteMetrics(w io.Writer) error {
	var text strings.Builder
	text.WriteString("# HELP farmtrust_events_total Certificate-expiry events by source and by what became of them.\n# TYPE farmtrust_events_total counter\n")
	d.counts.mu.Lock()
	for _, source := range slices.Sorted(maps.Keys(d.counts.bySource)) {
		for _, o := range outcomes {
			// A source's name has no character that the format would have escaped.
			fmt.Fprintf(&text, "farmtrust_events_total{source=%q,outcome=%q} %d\n", source, o, d.counts.bySource[source][o])
		}
	}
	d.counts.mu.Unlock()
	_, err := io.WriteString(w, text.String())
	return err
}

// misses says which events no farm hears, so that a flood of them does not fill the log:
// each once, and no more than some a minute.
type misses struct {
	mu     sync.Mutex
	told   *recent
	budget *budget
	untold int
}

func newMisses() *misses { return &misses{told: newRecent(storedFor, mostRecent)} }

// tell reports whether to log an event, and how many were not logged since the last.
func (m *misses) tell(key string, now time.Time) (untold int, tell bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.budget == nil {
		m.budget = newBudget(now)
	}
	if m.told.has(key, now) || m.budget.take(now) > 0 {
		m.untold++
		return 0, false
	}
	m.told.add(key, now)
	untold, m.untold = m.untold, 0
	return untold, true
}
