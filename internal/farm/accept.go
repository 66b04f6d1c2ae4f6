package farm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Acceptance is an operator's decision to rotate although a finding with severity
// [Stop] says not to.
type Acceptance struct {
	// Code is that of the finding, and Server its server; an empty server accepts
	// the finding on all of them.
	Code   string `json:"code"`
	Server string `json:"server,omitempty"`
	// By names the operator, who is not authenticated.
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
}

// ParseAcceptance reads what [Acceptance.Ref] writes: CODE, or CODE@SERVER. It
// refuses a code that can never be accepted, and one that no finding has.
func ParseAcceptance(ref string) (Acceptance, error) {
	code, server, named := strings.Cut(ref, "@")
	a := Acceptance{Code: code, Server: server}
	if code == "" || named && server == "" {
		return a, fmt.Errorf("accept %q: give the code of a finding, or CODE@SERVER", ref)
	}
	if why := NeverAcceptedBecause(code); why != "" {
		return a, fmt.Errorf("accept %s: it can never be accepted: %s", ref, why)
	}
	if !IsAcceptable(code) {
		return a, fmt.Errorf("accept %s: no such finding stops a rotation; these can be accepted: %s", ref, strings.Join(codesOf(acceptable), ", "))
	}
	return a, nil
}

// CheckAcceptances returns an error for the first of several that
// [ParseAcceptance] refuses.
func CheckAcceptances(refs []string) error {
	for _, ref := range refs {
		if _, err := ParseAcceptance(ref); err != nil {
			return err
		}
	}
	return nil
}

// NewAcceptances returns what an operator accepts at a moment. What
// [CheckAcceptances] refuses is left out.
func NewAcceptances(refs []string, by, reason string, at time.Time) []Acceptance {
	var all []Acceptance
	for _, ref := range refs {
		if a, err := ParseAcceptance(ref); err == nil {
			a.By, a.Reason, a.At = by, reason, at
			all = append(all, a)
		}
	}
	return all
}

// Ref is how operators refer to what is accepted: CODE, or CODE@SERVER.
func (a Acceptance) Ref() string { return joinRef(a.Code, a.Server) }

// Ref is how operators refer to a finding: CODE, or CODE@SERVER.
func (f Finding) Ref() string { return joinRef(f.Code, f.Server) }

func joinRef(code, server string) string {
	if server == "" {
		return code
	}
	return code + "@" + server
}

// fewRefs is up to how many findings are accepted one by one. Beyond it each code is
// accepted on all servers.
const fewRefs = 5

// ShortenRefs leaves the servers out of references to findings where there are many.
func ShortenRefs(refs []string) []string {
	if len(refs) <= fewRefs {
		return refs
	}
	var codes []string
	for _, ref := range refs {
		if code, _, _ := strings.Cut(ref, "@"); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}

// covers reports whether a finding is what was accepted.
func (a Acceptance) covers(f Finding) bool {
	return a.Code == f.Code && (a.Server == "" || strings.EqualFold(a.Server, f.Server))
}

// CoversRef reports whether a finding that is given as [Finding.Ref] writes it is
// what was accepted.
func (a Acceptance) CoversRef(ref string) bool {
	code, server, _ := strings.Cut(ref, "@")
	return a.covers(Finding{Code: code, Server: server})
}

// IsAcceptable reports whether findings with this code can be accepted.
func IsAcceptable(code string) bool { return AcceptanceEffect(code) != "" }

// ApplyAcceptances returns the findings, of which those that were accepted only
// warn and say who accepted them. The error names acceptances that match nothing.
// When a rotation starts that is a mistake, such as a mistyped server; later the
// finding may simply have gone. The findings are valid with an error, too.
func ApplyAcceptances(findings []Finding, accepted []Acceptance) ([]Finding, error) {
	out := slices.Clone(findings)
	used := make([]bool, len(accepted))
	for i, f := range out {
		if f.Severity != Stop || !IsAcceptable(f.Code) {
			continue
		}
		for j, a := range accepted {
			if a.covers(f) {
				used[j] = true
				out[i].Severity, out[i].Accepted = Warn, &a
			}
		}
	}
	var unused []string
	for j, a := range accepted {
		if !used[j] {
			unused = append(unused, a.Ref())
		}
	}
	if len(unused) == 0 {
		return out, nil
	}
	return out, errors.New("accept " + strings.Join(unused, ", ") + ": nothing like that stops the rotation now; " + nameStops(findings))
}

// nameStops names what stops a rotation, for an operator who accepted something
// else.
func nameStops(findings []Finding) string {
	stops := Stops(findings)
	if len(stops) == 0 {
		return "nothing does"
	}
	refs := make([]string, len(stops))
	for i, f := range stops {
		if refs[i] = f.Ref(); !IsAcceptable(f.Code) {
			refs[i] += " (never acceptable)"
		}
	}
	return "what does: " + strings.Join(refs, ", ")
}

// IsOutside reports whether a finding is about a machine that is not configured, so
// that a rotation leaves it alone.
func IsOutside(f Finding) bool {
	return f.Code == "machine-not-configured" || f.Code == "sharepoint-server-not-configured"
}

// AcceptedFindings returns the findings that were accepted.
func AcceptedFindings(findings []Finding) []Finding {
	var out []Finding
	for _, f := range findings {
		if f.Accepted != nil {
			out = append(out, f)
		}
	}
	return out
}

// KeepAccepted returns the findings of now, and those that were accepted before
// and are gone: a report names them although the reason has passed.
func KeepAccepted(now, before []Finding) []Finding {
	for _, f := range AcceptedFindings(before) {
		there := slices.ContainsFunc(now, func(n Finding) bool { return n.Accepted != nil && n.Ref() == f.Ref() })
		if !there {
			now = append(now, f)
		}
	}
	return now
}

// WithoutAcceptances returns the findings as they are without what an operator
// accepted for one rotation.
func WithoutAcceptances(findings []Finding) []Finding {
	out := slices.Clone(findings)
	for i, f := range out {
		if f.Accepted != nil {
			out[i].Severity, out[i].Accepted = Stop, nil
		}
	}
	return out
}

// AcceptableRefs lists what an operator can accept of findings.
func AcceptableRefs(findings []Finding) []string {
	var refs []string
	for _, f := range Stops(findings) {
		if IsAcceptable(f.Code) && !slices.Contains(refs, f.Ref()) {
			refs = append(refs, f.Ref())
		}
	}
	return refs
}
