package console

import (
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Rotation is the last rotation of a farm, as a list shows it.
type Rotation struct {
	Farm string `json:"farm"`
	// State is its phase while it runs, and how it ended else.
	State      string          `json:"state"`
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	StartedAt  time.Time       `json:"startedAt"`
	// EndedAt is zero while it runs.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// Overview writes the last rotation of each farm.
func Overview(w io.Writer, all []Rotation, now time.Time) error {
	var p page
	if len(all) == 0 {
		p.line("no farm has been rotated yet, or none within Temporal's retention; start one: starter rotate FARM")
		return p.flush(w)
	}
	rows := [][]string{{"FARM", "STATE", "CERTIFICATE", "STARTED", "TOOK"}}
	for _, r := range all {
		took := seconds(r.EndedAt.Sub(r.StartedAt))
		if r.EndedAt.IsZero() {
			took = seconds(now.Sub(r.StartedAt)) + " so far"
		}
		rows = append(rows, []string{r.Farm, r.State, known(r.Thumbprint.Short()), r.StartedAt.UTC().Format("2006-01-02 15:04 UTC"), took})
	}
	p.table(rows...)
	return p.flush(w)
}
