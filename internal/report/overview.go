package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// FarmList is all farms for programs, the most urgent one in front.
type FarmList struct {
	Farms []FarmRow `json:"farms"`
}

// FarmRow is a farm as the list of farms shows it.
type FarmRow struct {
	Farm string `json:"farm"`
	// Site is where its workers are; empty for none.
	Site string `json:"site,omitempty"`
	// State is how the farm stands.
	State controller.Standing `json:"state"`
	// NeedsOperator reports whether an operator is needed, or the certificate in use
	// ends soon.
	NeedsOperator bool `json:"needsOperator"`
	// Certificate is the one in use; left out where none is, or none was seen yet.
	Certificate *CertificateInUse `json:"certificate,omitempty"`
	// Next says what the farm waits for, or what comes next; empty where nothing does,
	// or no worker answers.
	Next string `json:"next,omitempty"`
	// Run is the rotation or retirement that runs; left out where none does.
	Run *RunRow `json:"run,omitempty"`
	// InspectedAt is when the servers were last inspected; left out where they never were.
	InspectedAt time.Time `json:"inspectedAt,omitzero"`
	// Worker is whether a worker is there.
	Worker controller.WorkerState `json:"worker"`
}

// CertificateInUse is the certificate that a farm signs with.
type CertificateInUse struct {
	Thumbprint farm.Thumbprint `json:"thumbprint"`
	// ExpiresAt is left out where it is not known.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// DaysLeft are the whole days until then, below 0 once it has expired; left out
	// where that is not known.
	DaysLeft *int `json:"daysLeft,omitempty"`
}

// RunRow is what runs for a farm.
type RunRow struct {
	WorkflowID string     `json:"workflowId"`
	Phase      farm.Phase `json:"phase,omitempty"`
	StartedAt  time.Time  `json:"startedAt"`
}

// NewFarmList makes the list of farms: those that need an operator first, then those
// whose certificates end first. A certificate of which nothing is known counts as one
// that ends soon. Warn is how long before its end a certificate needs an operator.
func NewFarmList(all []controller.Summary, now time.Time, warn time.Duration) FarmList {
	list := FarmList{Farms: []FarmRow{}}
	for _, s := range all {
		list.Farms = append(list.Farms, newFarmRow(s, now, warn))
	}
	end := func(r FarmRow) time.Time {
		if r.Certificate == nil || r.Certificate.ExpiresAt.IsZero() {
			return now.Add(warn)
		}
		return r.Certificate.ExpiresAt
	}
	slices.SortStableFunc(list.Farms, func(a, b FarmRow) int {
		if a.NeedsOperator != b.NeedsOperator {
			if a.NeedsOperator {
				return -1
			}
			return 1
		}
		return cmp.Or(end(a).Compare(end(b)), cmp.Compare(a.Farm, b.Farm))
	})
	return list
}

func newFarmRow(s controller.Summary, now time.Time, warn time.Duration) FarmRow {
	row := FarmRow{
		Farm: s.Farm, Site: s.Site, State: s.Standing(now), NeedsOperator: s.Troubled(now, warn),
		InspectedAt: s.Inspected.UTC(), Worker: s.Worker, Next: nextText(s, now),
	}
	if s.Thumbprint != "" {
		row.Certificate = &CertificateInUse{Thumbprint: s.Thumbprint, ExpiresAt: s.NotAfter.UTC()}
		if !s.NotAfter.IsZero() {
			days := daysLeft(s.NotAfter, now)
			row.Certificate.DaysLeft = &days
		}
	}
	if s.Run.WorkflowID != "" {
		row.Run = &RunRow{WorkflowID: s.Run.WorkflowID, Phase: s.Run.Phase, StartedAt: s.Run.StartedAt.UTC()}
	}
	return row
}

// nextText is what comes next by itself, and what would prevent it. That a farm in order
// is inspected again goes without saying.
func nextText(s controller.Summary, now time.Time) string {
	switch {
	case s.Problem != "":
		return s.Problem
	case !s.Managed:
		return "its controller has ended; a worker that has the farm in its configuration starts another within a minute"
	case s.State == nil:
		return ""
	}
	switch next := s.State.WhatNext(now); {
	case !next.IsInspection() && next.Do != "":
		return strings.TrimPrefix(next.Sentence(now), "next: ")
	case s.State.Suspended != "":
		return s.State.Suspended
	case next.IsInspection() && s.Standing(now) == controller.Trusted:
		return ""
	case next.IsInspection():
		return cmp.Or(next.Because, next.Reason)
	default:
		return strings.TrimPrefix(next.Sentence(now), "next: ")
	}
}

// DescribeStanding is how a farm stands and what it waits for, on one line.
func DescribeStanding(s controller.Summary, now time.Time) string {
	return joinNonEmpty(": ", string(s.Standing(now)), nextText(s, now))
}

// EndOfCertificate says when the certificate in use ends.
func EndOfCertificate(s controller.Summary, now time.Time) string {
	return fmt.Sprintf("certificate %s, in use, expires on %s: %s", s.Thumbprint.Short(), farm.FormatTime(s.NotAfter), formatDaysLeft(s.NotAfter, now))
}

// Overview is the page of all farms.
func Overview(list FarmList) Page {
	farms := list.Farms
	page := Page{Title: countThings(len(farms), "farm")}
	needing, unanswered := 0, 0
	table := Table{
		Header: []string{"farm", "certificate", "expires", "left", "state", "worker", "next"},
		Groups: []Group{{Title: needsOperator}, {Title: "all others"}},
	}
	sites := haveSites(farms)
	if sites {
		table.Header = slices.Insert(table.Header, 1, "site")
	}
	for _, f := range farms {
		group := &table.Groups[1]
		if f.NeedsOperator {
			group = &table.Groups[0]
			needing++
		}
		if f.Worker != controller.WorkerAnswers {
			unanswered++
		}
		row := overviewRow(f)
		if sites {
			row = slices.Insert(row, 1, Cell{Text: orDash(f.Site)})
		}
		group.Rows = append(group.Rows, row)
	}
	switch needing {
	case 0:
		table.Groups = []Group{{Rows: table.Groups[1].Rows}}
	case len(farms):
		table.Groups = table.Groups[:1]
	}
	switch page.NeedsOperator = needing > 0; {
	case len(farms) == 0:
		page.State = "no worker has run against this Temporal namespace yet, or none has a farm in its configuration"
	case needing > 0:
		page.State = fmt.Sprintf("%d in trouble", needing)
	case unanswered > 0:
		page.State = fmt.Sprintf("no worker answers for %d", unanswered)
	default:
		page.State = "no operator is needed"
	}
	page.add(Block{Table: table})
	return page
}

// haveSites reports whether the farms are at more than one site.
func haveSites(farms []FarmRow) bool {
	return slices.ContainsFunc(farms, func(f FarmRow) bool { return f.Site != farms[0].Site })
}

func overviewRow(f FarmRow) []Cell {
	thumbprint, expires, left := "-", "-", "unknown"
	if c := f.Certificate; c != nil {
		thumbprint = c.Thumbprint.Short()
		if c.DaysLeft != nil {
			expires, left = farm.FormatTime(c.ExpiresAt), shortDaysLeft(*c.DaysLeft)
		}
	}
	row := makeRow(f.Farm, thumbprint, expires, left, string(f.State), workerText(f.Worker), orDash(f.Next))
	row[3].Alert = f.Certificate != nil && f.Certificate.DaysLeft != nil && *f.Certificate.DaysLeft < 0
	row[4].Alert = f.NeedsOperator
	row[5].Alert = f.Worker != controller.WorkerAnswers
	return row
}

// workerText is whether a worker is there; what is wrong stands in capitals.
func workerText(w controller.WorkerState) string {
	switch w {
	case controller.WorkerAnswers:
		return "yes"
	case controller.WorkerNone:
		return "NONE"
	case controller.WorkerSilent:
	}
	return "NO ANSWER"
}

// daysLeft is how many whole days are left; below 0 from the end on.
func daysLeft(notAfter, now time.Time) int { return int(math.Floor(notAfter.Sub(now).Hours() / 24)) }

func shortDaysLeft(days int) string {
	if days < 0 {
		return "EXPIRED"
	}
	return countThings(days, "day")
}
