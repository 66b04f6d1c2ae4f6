package console

import (
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Rotation is a farm and its last rotation, as a list shows them.
type Rotation struct {
	Farm string `json:"farm"`
	// Keeper is what the farm's keeper does; empty where none runs.
	Keeper string `json:"keeper,omitempty"`
	// NeedsPerson says that keeper or rotation wait for a person.
	NeedsPerson bool `json:"needsPerson,omitempty"`
	// State is the rotation's phase while it runs, and how it ended else;
	// empty where there was none.
	State      string          `json:"state"`
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	StartedAt  time.Time       `json:"startedAt,omitzero"`
	// EndedAt is zero while it runs.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// Overview writes what each farm's keeper does, and the farm's last rotation.
func Overview(w io.Writer, all []Rotation, now time.Time) error {
	var p page
	if len(all) == 0 {
		p.line("no farm has been rotated yet, or none within Temporal's retention; start one: starter rotate FARM")
		return p.flush(w)
	}
	rows := [][]string{{"FARM", "KEEPER", "ROTATION", "CERTIFICATE", "STARTED", "TOOK"}}
	for _, r := range all {
		keeper := known(r.Keeper)
		if r.NeedsPerson {
			keeper += ", NEEDS A PERSON"
		}
		started, took := "-", "-"
		if !r.StartedAt.IsZero() {
			started, took = minute(r.StartedAt), seconds(r.EndedAt.Sub(r.StartedAt))
		}
		if !r.StartedAt.IsZero() && r.EndedAt.IsZero() {
			took = seconds(now.Sub(r.StartedAt)) + " so far"
		}
		rows = append(rows, []string{r.Farm, keeper, known(r.State), known(r.Thumbprint.Short()), started, took})
	}
	p.table(rows...)
	return p.flush(w)
}
