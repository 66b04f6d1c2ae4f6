// Package fault is what can go wrong on the way to a simulated server and on
// it, as data: per server and step, so many times.
//
// It lists faults and tells when one is due; package farmsim injects them.
package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

// Kind is what goes wrong: on the wire, as package wsman names it, or on the
// server behind it.
type Kind = wsman.Kind

const (
	// Refused cuts connections before anything is said. With a step, it cuts
	// the connection on which the step arrives, before it acts.
	Refused = wsman.Refused
	// Dropped cuts the connection in the middle of the answer.
	Dropped = wsman.Dropped
	// Unauthorized answers 401.
	Unauthorized = wsman.Unauthorized
	// SOAPFault answers a SOAP fault with [Fault.Code].
	SOAPFault = wsman.SOAPFault
	// Hang never answers.
	Hang = wsman.Hang
	// Slow answers after [Fault.Delay].
	Slow = wsman.Slow
	// ScriptError makes the script end with [Fault.Error].
	ScriptError Kind = "script error"
	// Reboot takes the machine down for [Fault.Delay].
	Reboot Kind = "reboot"
	// Detached cuts the connection as the script begins. The script goes on at the
	// server, and takes [Fault.Delay] before or after it acts.
	Detached Kind = "detached"
)

// The kinds that are conditions of the machine: true from when the step meets
// them, for as many starts as [Fault.Times] says. Before the step they show at the
// next start; after it they stop at once what they are about.
const (
	// ServiceFails keeps [Fault.Service] from starting.
	ServiceFails = Kind(model.ServiceFails)
	// ServiceStops stops [Fault.Service] again after [Fault.Delay].
	ServiceStops = Kind(model.ServiceStops)
	// IISResetFails makes iisreset fail and leave IIS stopped.
	IISResetFails = Kind(model.IISResetFails)
	// PoolDown keeps the application pool of the sites stopped, for [Fault.Delay]
	// after each start unless that is zero.
	PoolDown = Kind(model.PoolDown)
	// SQLAway keeps the SQL Server of the server's SharePoint farm away for
	// [Fault.Delay], or until it is cleared with Times -1.
	SQLAway = Kind(model.SQLAway)
)

// Conditions lists the kinds that are conditions of the machine.
func Conditions() []Kind { return []Kind{ServiceFails, ServiceStops, IISResetFails, PoolDown, SQLAway} }

// Kinds lists the kinds, so that a test of every kind grows with them.
func Kinds() []Kind {
	return append([]Kind{Refused, Dropped, Unauthorized, SOAPFault, Hang, Slow, ScriptError, Reboot, Detached}, Conditions()...)
}

// When is whether a step meets a fault before or after it has acted.
type When string

// Before is the default. After loses the answer to something that was done.
const (
	Before When = "before"
	After  When = "after"
)

// Fault is one thing that goes wrong.
type Fault struct {
	// Server is the DNS name of a server; empty means any.
	Server string `json:"server,omitempty"`
	// Step is the name of a script, such as "Import-S2SCertificate"; empty
	// means any. Without a step, Refused meets new connections, and
	// Unauthorized and SOAPFault meet requests, whatever they are about.
	Step string `json:"step,omitempty"`
	Kind Kind   `json:"kind"`
	// Times is how often it happens: 0 means once, -1 without end. Of a condition it
	// is how many starts it spoils.
	Times int `json:"times,omitempty"`
	// Skip is how often it lets what it would meet pass first.
	Skip int `json:"skip,omitempty"`
	// When is before or after acting.
	When When `json:"when,omitempty"`
	// Delay is how long, for Slow, Reboot, Detached, ServiceStops, PoolDown and SQLAway.
	Delay Duration `json:"delay,omitempty"`
	// Service is a Windows service, for ServiceFails and ServiceStops.
	Service string `json:"service,omitempty"`
	// Code is the WSMan fault code, for SOAPFault.
	Code uint32 `json:"code,omitempty"`
	// Error is what the script says, for ScriptError.
	Error *Error `json:"error,omitempty"`
}

// Error is how a script ends that fails.
type Error struct {
	ID        string `json:"id"`
	Message   string `json:"message"`
	Category  string `json:"category,omitempty"`
	Exception string `json:"exception,omitempty"`
	HResult   int32  `json:"hresult,omitempty"`
}

// Disruption is what a client sees of the fault on the wire. A machine that
// reboots takes the connection with it, and so does a script that goes on alone.
func (f Fault) Disruption() wsman.Disruption {
	d := wsman.Disruption{Kind: f.Kind, Delay: time.Duration(f.Delay)}
	switch f.Kind {
	case SOAPFault:
		d.Fault = wsman.FaultOf(f.Code)
	case Reboot:
		d.Kind = Refused
	case Detached:
		d.Kind = Dropped
	}
	return d
}

// Condition is what becomes true of the machine, for one of [Conditions].
func (f Fault) Condition() model.Condition {
	return model.Condition{
		Kind: model.ConditionKind(f.Kind), Service: f.Service, Starts: f.Times, Delay: time.Duration(f.Delay),
	}
}

func (f Fault) isCondition() bool { return slices.Contains(Conditions(), f.Kind) }

// Duration is a time span, written as "1.5s" in JSON.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 1.5s", text)
	}
	*d = Duration(parsed)
	return nil
}

// Places is what faults may name; see [Fault.Check].
type Places struct {
	Servers, Steps []string
	// Services are the Windows services of each server.
	Services map[string][]string
}

// Check returns what is wrong with a fault: one that can never happen would
// make a test pass for no reason.
func (f Fault) Check(places Places) error {
	switch {
	case !slices.Contains(Kinds(), f.Kind):
		return fmt.Errorf("kind %q is not one of %s", f.Kind, quoteAll(Kinds()))
	case f.Server != "" && !slices.Contains(places.Servers, f.Server):
		return fmt.Errorf("server %q is not one of %s", f.Server, quoteAll(places.Servers))
	case f.Step != "" && !slices.Contains(places.Steps, f.Step):
		return fmt.Errorf("step %q is not one of %s", f.Step, quoteAll(places.Steps))
	case f.Times < -1:
		return fmt.Errorf("times %d is negative: write -1 for without end", f.Times)
	case f.Skip < 0:
		return fmt.Errorf("skip %d is negative", f.Skip)
	case f.When != "" && f.When != Before && f.When != After:
		return fmt.Errorf("when %q is neither before nor after", f.When)
	case f.When == After && f.Step == "" && meetsConnections(f.Kind):
		return fmt.Errorf("after acting needs a step for the kind %q", f.Kind)
	case f.Kind == Detached && f.Step == "":
		return fmt.Errorf("the kind %q needs a step", f.Kind)
	case f.Kind != SQLAway && f.Kind != PoolDown && (f.Delay < 0 || slices.Contains(delayed, f.Kind) != (f.Delay > 0)):
		return fmt.Errorf("a delay above zero belongs to slow, reboot, detached and a service that stops again, and to no other kind")
	case (f.Kind == SOAPFault) != (f.Code != 0):
		return fmt.Errorf("a code belongs to a soap fault, and to no other kind")
	case (f.Kind == ScriptError) != (f.Error != nil):
		return fmt.Errorf("an error belongs to a script error, and to no other kind")
	}
	return f.checkCondition(places)
}

// delayed are the kinds that need a delay.
var delayed = []Kind{Slow, Reboot, Detached, ServiceStops}

// checkCondition returns what is wrong with a fault in as far as it is a condition.
func (f Fault) checkCondition(places Places) error {
	services := places.Services[f.Server]
	ofService := f.Kind == ServiceFails || f.Kind == ServiceStops
	switch {
	case !ofService && f.Service != "":
		return fmt.Errorf("a service belongs to one that does not start or stops again, and to no other kind")
	case !f.isCondition():
		return nil
	case f.Server == "" || f.Step == "":
		return fmt.Errorf("the kind %q needs a server and a step", f.Kind)
	case ofService && !slices.Contains(services, f.Service):
		return fmt.Errorf("service %q is not one of %s", f.Service, quoteAll(services))
	case f.Kind == SQLAway && !slices.Contains(services, model.SPTimerV4):
		return fmt.Errorf("%s is in no SharePoint farm", f.Server)
	case f.Delay < 0:
		return fmt.Errorf("the delay %s is negative", time.Duration(f.Delay))
	case f.Kind == SQLAway && ((f.Delay > 0) == (f.Times == -1)):
		return fmt.Errorf("SQL Server is away either for a delay or with times -1")
	}
	return nil
}

func quoteAll[S ~string](list []S) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", string(s))
	}
	return b.String()
}

// Decode reads a JSON list of faults, and refuses unknown fields and anything
// after the list.
func Decode(body []byte) ([]Fault, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var faults []Fault
	if err := decoder.Decode(&faults); err != nil {
		return nil, fmt.Errorf("decode faults: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode faults: there is something after the list")
	}
	return faults, nil
}
