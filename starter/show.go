package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// show writes v as JSON or, for operators, by table, which may write a page as HTML.
func (a *app) show(v any, table func(io.Writer) error) error {
	if a.output != outputJSON {
		return table(a.out)
	}
	a.printed = true
	return report.WriteJSON(a.out, v)
}

func (a *app) showReport(r farm.Report) error {
	return a.show(r, func(w io.Writer) error {
		return a.writePage(w, report.Run(farm.Status{Phase: farm.PhaseDone, Report: r}))
	})
}

// showEnd shows how a run has ended.
func (a *app) showEnd(r farm.Report) error {
	return a.show(r, func(w io.Writer) error {
		return a.writePage(w, report.BriefRun(farm.Status{Phase: farm.PhaseDone, Report: r}, time.Now()))
	})
}

func (a *app) showStatus(s farm.Status) error {
	now := time.Now()
	if a.output == outputHTML {
		now = time.Time{} // it is kept, and sent
	}
	return a.show(s, func(w io.Writer) error { return a.writePage(w, report.RunAt(s, now)) })
}

// say writes a message of a line or more for an operator.
func (a *app) say(w io.Writer, format string, args ...any) error {
	return console.Messages{Program: a.program}.Write(w, fmt.Sprintf(format, args...))
}

// tell writes a message beside what was asked for. There is nowhere to report it to where
// that fails.
func (a *app) tell(format string, args ...any) { _ = a.say(a.err, format, args...) }

// writePage writes a page as text, or as HTML where that was asked for, whose commands
// call the program as it was called.
func (a *app) writePage(w io.Writer, page report.Page) error {
	page.Program = a.program
	if a.output == outputHTML {
		return page.WriteHTML(w)
	}
	return console.WritePage(w, page, a.color)
}

// writePages writes pages below each other.
func (a *app) writePages(w io.Writer, pages ...report.Page) error {
	var problems []error
	for i, page := range pages {
		if i > 0 {
			_, err := fmt.Fprintln(w)
			problems = append(problems, err)
		}
		problems = append(problems, a.writePage(w, page))
	}
	return errors.Join(problems...)
}

// newProgress shows a run on w, and the commands that decide about it.
func (a *app) newProgress(w io.Writer) *console.Progress {
	progress := console.NewProgress(w, a.color)
	progress.Program = a.program
	return progress
}
