package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one error in the file, or one thing worth a warning.
type Problem struct {
	// File is the configuration file, and Line a line of it, from 1.
	File string
	Line int
	// Path is the position in the document, such as "farms[0].office.servers";
	// empty for the file as a whole.
	Path string
	// Text says what is wrong, Remedy what to do about it.
	Text   string
	Remedy string
}

// String returns the problem on one line.
func (p Problem) String() string {
	place := ""
	if p.Path != "" {
		place = p.Path + ": "
	}
	return fmt.Sprintf("%s:%d: %s%s: %s", p.File, p.Line, place, p.Text, p.Remedy)
}

// Problems are all errors in the file, in the order of its lines.
type Problems []Problem

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sortByLine() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p
}
