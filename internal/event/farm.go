package event

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// UnknownFarmError means that an event concerns no farm, or more than one.
type UnknownFarmError struct {
	Event Expiry
	// Farms are the names of the farms that it concerns: none or several.
	Farms []string
}

// Error names the remedy in the configuration.
func (e *UnknownFarmError) Error() string {
	switch {
	case len(e.Farms) > 1:
		return fmt.Sprintf("unknown farm: %s concerns the farms %s; make certificate.events more exact in all but one",
			e.Event, strings.Join(e.Farms, ", "))
	case e.Event.Farm != "":
		return fmt.Sprintf("unknown farm: %s names farm %q, which is not configured; correct the name, or add the farm", e.Event, e.Event.Farm)
	default:
		return fmt.Sprintf("unknown farm: no farm's certificate.events match %s; add {vault: %q, certificate: %q} to one of them",
			e.Event, e.Event.Vault, e.Event.Certificate)
	}
}

// FarmOf returns the one farm that the event concerns: the one that it names, else
// the one whose events match. None or several is an [*UnknownFarmError]. Names are
// compared as in Key Vault, without regard to case.
func (e Expiry) FarmOf(farms []farm.Farm) (farm.Farm, error) {
	var found []farm.Farm
	for _, f := range farms {
		if e.Farm != "" && strings.EqualFold(e.Farm, f.Name) || e.Farm == "" && e.matchesAny(f.Certificate.Events) {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		err := &UnknownFarmError{Event: e}
		for _, f := range found {
			err.Farms = append(err.Farms, f.Name)
		}
		return farm.Farm{}, err
	}
	return found[0], nil
}

func (e Expiry) matchesAny(all []farm.EventMatch) bool {
	like := func(want, got string) bool { return want == "" || strings.EqualFold(want, got) }
	return slices.ContainsFunc(all, func(m farm.EventMatch) bool {
		return !m.IsZero() && like(m.Vault, e.Vault) && like(m.Certificate, e.Certificate)
	})
}
