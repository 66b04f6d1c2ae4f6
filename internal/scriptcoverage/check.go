package scriptcoverage

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// Report is what was run.
type Report struct {
	// Statements are all, Run those that were run, Elsewhere those that cannot
	// be run on this machine.
	Statements, Run, Elsewhere int
	// Problems are statements that were not run and are not listed, or the
	// other way round, sorted.
	Problems []string
}

// Percent is the part that was run of what can be run on this machine.
func (r Report) Percent() float64 {
	return 100 * float64(r.Run) / float64(r.Statements-r.Elsewhere)
}

// Check compares what was run with the list at path of statements that are not.
// isElsewhere reports whether the statements of a file cannot be run on this
// machine; those in the list's section of that kind cannot either.
func (c *Coverage) Check(path string, isElsewhere func(file string) bool) (Report, error) {
	if err := errors.Join(c.plan(), c.collectHits()); err != nil {
		return Report{}, err
	}
	listed, err := readList(path)
	if err != nil {
		return Report{}, err
	}
	r := Report{Statements: len(c.statements)}
	used := map[string]bool{}
	for _, s := range c.statements {
		entry := listed.findEntry(s.name)
		used[entry] = true
		switch {
		case c.hit[s] && entry != "" && listed[entry] != dependsOnTiming:
			r.Problems = append(r.Problems, "is run, but listed: "+s.name)
		case c.hit[s]:
			r.Run++
		case listed[entry] == needsWindows || isElsewhere(s.file):
			r.Elsewhere++
		case entry == "":
			r.Problems = append(r.Problems, "is not run: "+s.name)
		}
	}
	for entry := range listed {
		if !used[entry] {
			r.Problems = append(r.Problems, "is listed, but not a statement: "+entry)
		}
	}
	slices.Sort(r.Problems)
	return r, nil
}

// The sections of the list; all but the third have a meaning of their own.
const (
	needsWindows    = "[needs Windows]"
	dependsOnTiming = "[depends on timing]"
	notRun          = "[not run]"
)

// list has the statements that no test runs, each with its section. An asterisk
// stands for all of a function.
type list map[string]string

// findEntry returns the entry for a statement, or an empty text.
func (l list) findEntry(name string) string {
	function, _, _ := strings.Cut(name, ": ")
	for _, entry := range []string{name, function + ": *"} {
		if _, ok := l[entry]; ok {
			return entry
		}
	}
	return ""
}

// readList reads sections, which are lines in brackets, and the statements
// below each. Lines that begin with # give the reason.
func readList(path string) (list, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all, section := list{}, ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == needsWindows || line == dependsOnTiming || line == notRun:
			section = line
		default:
			all[line] = section
		}
	}
	return all, nil
}
