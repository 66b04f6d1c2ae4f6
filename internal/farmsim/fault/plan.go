package fault

import (
	"slices"
	"sync"
	"time"
)

// Plan holds the faults that are still to happen. Its zero value has none. It
// is safe for concurrent use.
type Plan struct {
	mu     sync.Mutex
	faults []Fault
	lastAt time.Time
}

// Add appends faults; earlier ones happen first.
func (p *Plan) Add(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		if f.When == "" {
			f.When = Before
		}
		p.faults = append(p.faults, f)
	}
}

// Clear forgets all faults.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Pending lists the faults that are still to happen. The list is never nil, so
// that it is one in JSON too.
func (p *Plan) Pending() []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Fault{}, p.faults...)
}

// LastAt is when a fault last happened; zero when none did.
func (p *Plan) LastAt() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastAt
}

// Step takes the fault of one of the kinds that a step on a server meets now;
// no kinds means any.
func (p *Plan) Step(server, step string, when When, of ...Kind) (Fault, bool) {
	return p.takeDue(func(f Fault) bool {
		here := f.Step == step || f.Step == "" && !meetsConnections(f.Kind)
		return here && f.concerns(server) && f.When == when && (len(of) == 0 || slices.Contains(of, f.Kind))
	})
}

// Connection takes the fault of one of the kinds that a connection to a
// server, or a request on it, meets before its step is known.
func (p *Plan) Connection(server string, of ...Kind) (Fault, bool) {
	return p.takeDue(func(f Fault) bool {
		return f.Step == "" && meetsConnections(f.Kind) && f.concerns(server) && slices.Contains(of, f.Kind)
	})
}

func (f Fault) concerns(server string) bool { return f.Server == "" || f.Server == server }

// meetsConnections reports whether a fault without a step meets connections and
// requests, not steps.
func meetsConnections(kind Kind) bool {
	return kind == Refused || kind == Unauthorized || kind == SOAPFault
}

// takeDue finds the first fault that is due and counts it. One that still lets
// something pass counts that instead.
func (p *Plan) takeDue(due func(Fault) bool) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := -1
	for i := range p.faults {
		f := &p.faults[i]
		switch {
		case !due(*f):
		case f.Skip > 0:
			f.Skip--
		case at < 0:
			at = i
		}
	}
	if at < 0 {
		return Fault{}, false
	}
	taken := p.faults[at]
	p.lastAt = time.Now()
	if taken.Times > 0 {
		p.faults[at].Times--
	}
	// A condition has happened once it is true; the machine counts its starts.
	if p.faults[at].Times == 0 || taken.isCondition() {
		p.faults = slices.Delete(p.faults, at, at+1)
	}
	return taken, true
}
