package controller

import "github.com/farmtrust/farmtrust/internal/farm"

// Reports are the reports that are kept for as long as the farm has a controller: a
// certificate is replaced once a year, and Temporal keeps what has ended for days.
type Reports struct {
	// Rotation is that of the last rotation, or of what went back behind one, that worked
	// on the farm; Retirement that of the last retirement. They are nil before the first.
	Rotation   *farm.Report `json:"rotation,omitempty"`
	Retirement *farm.Report `json:"retirement,omitempty"`
}

// MaxReport is how large a report is at most that is kept, in bytes of JSON. Two of them
// travel with the state whenever a controller continues as new.
const MaxReport = 16_000

// keepReport keeps the report of a run that has worked on the farm. One that found nothing
// to do, or was refused, does not take the place of one that has.
func (s *State) keepReport(retirement bool, r farm.Report) {
	if r.Outcome == "" || r.Outcome == farm.NoChange || r.Outcome == farm.Refused {
		return
	}
	kept := r.Compact(MaxReport)
	if retirement {
		s.Reports.Retirement = &kept
	} else {
		s.Reports.Rotation = &kept
	}
}
