package farmsim

import (
	"context"
	"errors"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// disrupt is asked for each connection and each request, before anything is
// known of its script. A machine that is down refuses.
func (s *server) disrupt(p wsman.Point) wsman.Disruption {
	if !s.farm.World.Up(s.host) {
		return wsman.Disruption{Kind: wsman.Refused}
	}
	kinds := []fault.Kind{fault.Unauthorized, fault.SOAPFault}
	if p.Stage == wsman.Connecting {
		kinds = []fault.Kind{fault.Refused}
	}
	f, due := s.farm.Faults.Connection(s.host, kinds...)
	if !due {
		return wsman.Disruption{}
	}
	return f.Disruption()
}

// injectFault carries out the fault that a script meets before or after it has
// acted. What it prints takes the place of the script's output.
func (s *server) injectFault(ctx context.Context, e powershell.Envelope, when fault.When) (printed []byte, err error) {
	if slow, due := s.farm.Faults.Step(s.host, e.Name, when, fault.Slow); due {
		if err := waitFor(ctx, time.Duration(slow.Delay)); err != nil {
			return nil, err
		}
	}
	if c, due := s.farm.Faults.Step(s.host, e.Name, when, fault.Conditions()...); due {
		if err := s.farm.World.Impose(s.host, c.Condition(), when == fault.After); err != nil {
			return nil, err
		}
	}
	f, due := s.farm.Faults.Step(s.host, e.Name, when,
		fault.Refused, fault.Dropped, fault.Unauthorized, fault.SOAPFault, fault.Hang, fault.ScriptError, fault.Reboot)
	switch {
	case !due:
		return nil, nil
	case f.Kind == fault.ScriptError:
		return powershell.FormatError(e.Nonce, powershell.ScriptError{
			ID: f.Error.ID, Message: f.Error.Message, Category: f.Error.Category,
			Exception: f.Error.Exception, HResult: f.Error.HResult,
		})
	case f.Kind == fault.Reboot:
		return nil, errors.Join(f.Disruption(), s.farm.Reboot(s.host, time.Duration(f.Delay)))
	}
	return nil, f.Disruption()
}
