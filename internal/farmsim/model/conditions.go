package model

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ConditionKind is a way in which a machine, or what it depends on, is not well.
type ConditionKind string

const (
	// ServiceFails keeps a service from starting.
	ServiceFails ConditionKind = "service does not start"
	// ServiceStops lets a service start, and stops it again after a delay.
	ServiceStops ConditionKind = "service stops again"
	// IISResetFails makes iisreset fail and leave IIS stopped.
	IISResetFails ConditionKind = "iisreset fails"
	// PoolDown keeps the application pool of the machine's sites stopped.
	PoolDown ConditionKind = "application pool down"
	// SQLAway keeps the SQL Server of the machine's SharePoint farm away.
	SQLAway ConditionKind = "SQL Server away"
)

// Condition is something wrong with a machine until it is used up or lifted. It
// survives a reboot.
type Condition struct {
	Kind ConditionKind `json:"kind"`
	// Service is the one that does not start, or stops.
	Service string `json:"service,omitempty"`
	// Starts is how many starts it spoils; -1 without end.
	Starts int `json:"starts,omitempty"`
	// Delay is how long a service runs that stops again, or how long SQL Server is
	// away or an application pool down; zero for these means until the condition
	// is lifted.
	Delay time.Duration `json:"delay,omitempty"`
}

// Impose makes a condition true on a machine from now on. With stop, what it is
// about stops at once; else it shows at the next start.
func (w *World) Impose(host string, c Condition, stop bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.settleAll()
	m, err := w.findMachine(host)
	if err != nil {
		return err
	}
	switch c.Kind {
	case SQLAway:
		return w.imposeSQL(m, c, now)
	case ServiceFails, ServiceStops:
		if m.services[c.Service] == nil {
			return fmt.Errorf("%s has no service %q", host, c.Service)
		}
	default:
		if !m.hasIIS() {
			return fmt.Errorf("%s has no IIS", host)
		}
	}
	m.conditions = append(m.conditions, c)
	if stop {
		m.suffer(c, now)
	}
	return nil
}

// suffer stops what a condition is about.
func (m *machine) suffer(c Condition, now time.Time) {
	switch c.Kind {
	case PoolDown:
		m.stopPool(c, now)
	case IISResetFails:
		m.stopService(WAS)
	default:
		if !m.runs(c.Service) {
			return
		}
		m.stopService(c.Service)
		m.logEvent(now, SystemLog, "Service Control Manager", fmt.Sprintf("The %s service terminated unexpectedly.", displayNames[c.Service]))
	}
}

// forEver is longer than any test.
const forEver = 100 * 365 * 24 * time.Hour

func (w *World) imposeSQL(m *machine, c Condition, now time.Time) error {
	f := w.sharePointFarm(m)
	if f == nil {
		return errors.New(m.Host + " is in no SharePoint farm")
	}
	f.sqlAwayUntil = now.Add(cmp.Or(c.Delay, forEver))
	return nil
}

// isSQLAway reports whether the farm's SQL Server does not answer.
func (f *sharePointFarm) isSQLAway(now time.Time) bool { return now.Before(f.sqlAwayUntil) }

// LiftConditions ends every condition. Application pools and SQL Server are back
// at once; a service that stopped stays stopped until it is started.
func (w *World) LiftConditions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settleAll()
	for _, m := range w.machines {
		m.conditions, m.poolDownUntil = nil, time.Time{}
		for _, s := range m.services {
			s.stopsAt = time.Time{}
		}
	}
	for _, f := range w.sharePoint {
		f.sqlAwayUntil = time.Time{}
	}
}

// takeCondition reports whether a start meets a condition, and counts it.
func (m *machine) takeCondition(kind ConditionKind, service string) (Condition, bool) {
	at := slices.IndexFunc(m.conditions, func(c Condition) bool { return c.Kind == kind && c.Service == service })
	if at < 0 {
		return Condition{}, false
	}
	found := m.conditions[at]
	if found.Starts > 0 {
		m.conditions[at].Starts--
	}
	if m.conditions[at].Starts == 0 {
		m.conditions = slices.Delete(m.conditions, at, at+1)
	}
	return found, true
}
