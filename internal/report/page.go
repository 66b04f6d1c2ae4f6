// Package report is what is shown of a farm, a run, a plan, a check and the
// list of farms: each as one [Page], which is written as text, as Markdown for
// the Temporal UI, or as HTML.
//
// The writers show the same rows in the same order, so that the command line
// and the Temporal UI cannot come to say different things. Programs read the
// values that a page is made of, as JSON, and not the page.
//
// Building a page and writing it as Markdown is deterministic, because
// workflows do both: nothing here reads a clock or the environment, or ranges
// over a map.
package report

import "strings"

// Program is the name of the command line in the commands of a page.
const Program = "farmtrust"

// Page is what is shown of one thing: a headline, and blocks below it, what
// matters most first.
type Page struct {
	// Title is what the page is about: a farm's name.
	Title string
	// State is how it is doing, in a few words.
	State string
	// NeedsOperator reports whether nothing goes on until an operator acts.
	NeedsOperator bool
	// Good reports whether State is what is wanted.
	Good bool
	// Program is how the command line is called, [Program] where it is empty.
	// It may set variables in front, as a shell understands them.
	Program string
	Blocks  []Block
}

// Block is a part of a page. Whatever of it is empty is not shown.
type Block struct {
	Title    string
	Text     string
	Facts    []Fact
	Table    Table
	Commands []Command
	// Pressing reports whether an operator has to read it now: what waits, and the
	// commands that decide. On a terminal it comes last, next to the prompt.
	Pressing bool
}

// Fact is a name and what there is to say.
type Fact struct {
	Name  string
	Value Cell
}

// Table is rows of cells in groups. All groups share the columns.
type Table struct {
	// Header names the columns; nil where they need no names.
	Header []string
	Groups []Group
}

// Group is rows that belong together.
type Group struct {
	// Title is empty where a table has one group.
	Title string
	Rows  [][]Cell
}

// Cell is a text as it came from a server, an event or an operator. The writers
// make it harmless; nothing else may.
type Cell struct {
	Text string
	// Alert reports whether it is a failure, or needs an operator. The text says
	// so too: not every writer can set it off.
	Alert bool
}

// isEmpty reports whether a block has nothing to show below its title.
func (b Block) isEmpty() bool {
	return b.Text == "" && len(b.Facts) == 0 && b.Table.countRows() == 0 && len(b.Commands) == 0
}

func (t Table) countRows() int {
	n := 0
	for _, g := range t.Groups {
		n += len(g.Rows)
	}
	return n
}

// add appends a block, unless there is nothing in it.
func (p *Page) add(b Block) {
	if !b.isEmpty() {
		p.Blocks = append(p.Blocks, b)
	}
}

// addPressing appends blocks that an operator has to read now.
func (p *Page) addPressing(blocks ...Block) {
	for _, b := range blocks {
		b.Pressing = true
		p.add(b)
	}
}

// addFact appends a fact to a block.
func (b *Block) addFact(name, value string) {
	b.Facts = append(b.Facts, Fact{Name: name, Value: Cell{Text: value}})
}

// addAlert appends a fact that needs attention.
func (b *Block) addAlert(name, value string) {
	b.Facts = append(b.Facts, Fact{Name: name, Value: Cell{Text: value, Alert: true}})
}

// program is how the command line is called on this page.
func (p Page) program() string {
	if p.Program == "" {
		return Program
	}
	return p.Program
}

// needsOperator are the words of a headline.
const needsOperator = "an operator is needed"

// makeRow makes a row of plain cells.
func makeRow(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i].Text = text
	}
	return row
}

// Alerts are the facts of a page that need attention, as one text; empty without any.
func (p Page) Alerts() string {
	var parts []string
	for _, b := range p.Blocks {
		for _, f := range b.Facts {
			if f.Value.Alert {
				parts = append(parts, CleanText(f.Name+": "+f.Value.Text))
			}
		}
	}
	return strings.Join(parts, "; ")
}
