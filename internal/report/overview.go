package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// FarmRow is a farm and its last rotation, as the list of farms shows them.
type FarmRow struct {
	Farm string `json:"farm"`
	// Site is where its workers are; empty for none.
	Site string `json:"site,omitempty"`
	// Phase is what the farm's controller does; empty where none runs.
	Phase string `json:"phase,omitempty"`
	// NeedsOperator reports whether the controller or a run waits for an
	// operator.
	NeedsOperator bool `json:"needsOperator,omitempty"`
	// Rotation is the phase of the rotation while it runs, and then how it
	// ended; empty where there was none.
	Rotation string `json:"rotation,omitempty"`
	// Thumbprint is of the certificate that it works or worked towards.
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	StartedAt  time.Time       `json:"startedAt,omitzero"`
	// EndedAt is zero while it runs.
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// Overview is the page of all farms.
func Overview(farms []FarmRow) Page {
	page := Page{Title: countThings(len(farms), "farm")}
	needing := 0
	table := Table{Header: []string{"farm", "controller", "rotation", "certificate", "started", "took"}, Groups: []Group{{}}}
	sites := haveSites(farms)
	if sites {
		table.Header = slices.Insert(table.Header, 1, "site")
	}
	for _, f := range farms {
		if f.NeedsOperator {
			needing++
		}
		row := overviewRow(f)
		if sites {
			row = slices.Insert(row, 1, Cell{Text: orDash(f.Site)})
		}
		table.Groups[0].Rows = append(table.Groups[0].Rows, row)
	}
	switch page.NeedsOperator = needing > 0; {
	case len(farms) == 0:
		page.State = "no worker has run against this Temporal namespace yet, or none has a farm in its configuration"
	case needing == 0:
		page.State = "no operator is needed"
	default:
		page.State = fmt.Sprintf("%d waiting", needing)
	}
	page.add(Block{Table: table})
	return page
}

// haveSites reports whether the farms are at more than one site.
func haveSites(farms []FarmRow) bool {
	return slices.ContainsFunc(farms, func(f FarmRow) bool { return f.Site != farms[0].Site })
}

func overviewRow(f FarmRow) []Cell {
	state := Cell{Text: f.Phase, Alert: f.NeedsOperator || f.Phase == ""}
	if f.Phase == "" {
		state.Text = "NONE"
	}
	if f.NeedsOperator {
		state.Text += ", OPERATOR NEEDED"
	}
	started, took := "-", "-"
	switch {
	case f.StartedAt.IsZero():
	case f.EndedAt.IsZero():
		started, took = farm.FormatTime(f.StartedAt), "running"
	default:
		started, took = farm.FormatTime(f.StartedAt), farm.FormatDuration(f.EndedAt.Sub(f.StartedAt))
	}
	row := makeRow(f.Farm, "", orDash(f.Rotation), orDash(f.Thumbprint.Short()), started, took)
	row[1] = state
	return row
}
