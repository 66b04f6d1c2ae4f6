package powershell_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// leastCovered is the part of the statements that tests must run, in percent,
// of those that can run where there is no Windows.
const leastCovered = 95

// check compares what was run with testdata/coverage/uncovered.txt.
func (c *coverage) check() []string {
	if err := errors.Join(c.plan(), c.collect()); err != nil {
		return []string{err.Error()}
	}
	listed, err := readUncovered("testdata/coverage/uncovered.txt")
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	used := map[string]bool{}
	ran, elsewhere := 0, 0
	for _, s := range c.statements {
		entry := listed.find(s.name)
		used[entry] = true
		// Without Wine, what it runs cannot be run.
		windows := listed[entry] == needsWindows || !c.wine && strings.HasPrefix(s.file, "prelude/windows/")
		switch {
		case c.hit[s] && entry != "" && listed[entry] != dependsOnTiming:
			problems = append(problems, "is run, but listed: "+s.name)
		case c.hit[s]:
			ran++
		case windows:
			elsewhere++
		case entry == "":
			problems = append(problems, "is not run: "+s.name)
		}
	}
	for entry := range listed {
		if !used[entry] {
			problems = append(problems, "is listed, but no statement: "+entry)
		}
	}
	here := len(c.statements) - elsewhere
	fmt.Printf("statements of scripts: %d, run %d; %d need Windows, of the others %.1f %%\n",
		len(c.statements), ran, elsewhere, 100*float64(ran)/float64(here))
	if ran*100 < here*leastCovered {
		problems = append(problems, fmt.Sprintf("less than %d %% were run", leastCovered))
	}
	return sorted(problems)
}

// Why a statement is not run; all other headings leave it to the list's reader.
const (
	needsWindows    = "[needs Windows]"
	dependsOnTiming = "[depends on timing]"
)

// uncovered are the statements that no test runs, each with its heading. An
// asterisk stands for all of a function.
type uncovered map[string]string

func (u uncovered) find(name string) string {
	function, _, _ := strings.Cut(name, ": ")
	for _, entry := range []string{name, function + ": *"} {
		if _, ok := u[entry]; ok {
			return entry
		}
	}
	return ""
}

// readUncovered reads headings in brackets, and below each its statements.
// Lines that begin with # give the reason.
func readUncovered(path string) (uncovered, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all, heading := uncovered{}, ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == needsWindows || line == dependsOnTiming || line == "[not run]":
			heading = line
		default:
			all[line] = heading
		}
	}
	return all, nil
}
