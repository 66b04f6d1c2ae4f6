package activities

import (
	"context"
	"maps"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Logons keeps refused passwords from being sent again.
type Logons interface {
	// RetryLogon lets the passwords of connections be sent once more, and returns how many
	// it lets. It lets none too often, no matter who asks.
	RetryLogon(connections ...string) (let int)
}

// RetryLogon inspects a farm as [Activities.InspectFarm] does, after it has let this worker
// send a password that the farm's servers have refused once more. However often it is asked,
// no account is locked.
func (a *Activities) RetryLogon(ctx context.Context, farmName string) (farm.Inspection, error) {
	if f, known := a.Farms.Farm(farmName); known {
		a.Logons.RetryLogon(connectionsOf(f)...)
	}
	return a.InspectFarm(ctx, farmName)
}

// connectionsOf names the connections of a farm, each once.
func connectionsOf(f farm.Farm) []string {
	names := map[string]bool{}
	for _, office := range f.Offices() {
		for _, s := range office.Servers {
			names[s.Connection] = true
		}
	}
	for _, sp := range f.SharePoint {
		names[sp.FrontEnd.Connection] = true
		for _, s := range sp.Servers {
			names[s.Connection] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
