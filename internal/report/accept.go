package report

import (
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// acceptRefs names what a command accepts: what stops a rotation, and what was
// accepted before. It is nil where a stop is left that nobody can accept.
func acceptRefs(findings []farm.Finding) []string {
	refs := farm.AcceptableRefs(findings)
	for _, f := range farm.Stops(findings) {
		if !farm.IsAcceptable(f.Code) {
			return nil
		}
	}
	for _, f := range farm.AcceptedFindings(findings) {
		if !slices.Contains(refs, f.Ref()) {
			refs = append(refs, f.Ref())
		}
	}
	return farm.ShortenRefs(refs)
}

// acceptBlock is how to rotate in spite of what was found, where that can be
// accepted.
func acceptBlock(farmName string, findings []farm.Finding, compromised bool) Block {
	refs := acceptRefs(findings)
	if len(refs) == 0 {
		return Block{}
	}
	return Block{Title: "what can be accepted", Commands: []Command{RotateAcceptingCommand(farmName, compromised, refs...)}}
}

// findingText is what a finding says, what to do about it, and who accepted it
// or how that is done.
func findingText(f farm.Finding) string {
	text := joinNonEmpty(": ", f.Text, f.Remedy)
	switch {
	case f.Accepted != nil:
		return joinNonEmpty("; ", f.Text, "accepted by "+acceptedBy(*f.Accepted), farm.AcceptanceEffect(f.Code))
	case f.Severity == farm.Stop && farm.IsAcceptable(f.Code):
		return text + "; or accept it with --accept " + f.Ref()
	case f.Severity == farm.Stop:
		return joinNonEmpty("; it cannot be accepted: ", text, farm.NeverAcceptedBecause(f.Code))
	}
	return text
}

func acceptedBy(a farm.Acceptance) string {
	when := ""
	if !a.At.IsZero() {
		when = " on " + farm.FormatTime(a.At)
	}
	return a.By + when + ": " + a.Reason
}

// fewAccepted is how many findings that were accepted the page of a farm shows.
const fewAccepted = 3

// addAccepted says what was accepted for the last run.
func addAccepted(b *Block, accepted []farm.Finding) {
	for _, f := range accepted[:min(len(accepted), fewAccepted)] {
		text := f.Ref() + ", by " + acceptedBy(*f.Accepted)
		if farm.IsOutside(f) {
			text += "; " + farm.AcceptanceEffect(f.Code)
		}
		b.addFact("accepted", text)
	}
	if more := len(accepted) - fewAccepted; more > 0 {
		b.addFact("accepted", "and "+countThings(more, "other finding"))
	}
}
