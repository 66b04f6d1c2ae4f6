// Package tally counts what becomes of expiry events, by source, and shows it as
// Prometheus reads it.
package tally

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Metric is what is counted.
type Metric string

const (
	// Messages counts what a source sent over HTTP, by the status of the answer.
	Messages Metric = "farmtrust_messages_total"
	// Events counts the events in it, by what became of them.
	Events Metric = "farmtrust_events_total"
)

// metrics lists all, each with the label beside the source, and what it says.
var metrics = []struct {
	name        Metric
	label, help string
}{
	{Events, "outcome", "Expiry events by what became of them: delivered, no_farm, passed or failed."},
	{Messages, "status", "Messages with expiry events that came over HTTP, by the status of the answer."},
}

// What becomes of an event.
const (
	// Delivered: farms have it.
	Delivered = "delivered"
	// NoFarm: it concerns no farm.
	NoFarm = "no_farm"
	// Passed: it asks for nothing, such as an alert that is resolved.
	Passed = "passed"
	// Failed: it could not be stored, and is to be sent again.
	Failed = "failed"
)

// Counts are what was counted since the program started; the zero value is ready. Sources
// and words are of the configuration and of farmtrust, so that there are few.
type Counts struct {
	mu sync.Mutex
	of map[series]int
}

type series struct {
	metric       Metric
	source, word string
}

// Add counts n more of a source.
func (c *Counts) Add(m Metric, source, word string, n int) {
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[series]int{}
	}
	c.of[series{m, source, word}] += n
}

// ServeHTTP shows everything in the text format 0.0.4 of Prometheus.
//
// Source: Prometheus, "Exposition formats".
func (c *Counts) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprint(w, c.text())
}

func (c *Counts) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []series
	for s := range c.of {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b series) int {
		return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.word, b.word))
	})
	var text strings.Builder
	for _, m := range metrics {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s counter\n", m.name, m.help)
		for _, s := range all {
			if s.metric == m.name {
				// Names of sources have no character that would have to be escaped.
				fmt.Fprintf(&text, "%s{source=%q,%s=%q} %d\n", m.name, s.source, m.label, s.word, c.of[s])
			}
		}
	}
	return text.String()
}
