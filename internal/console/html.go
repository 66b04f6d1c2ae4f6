package console

import (
	_ "embed" // the page of a report
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

//go:embed report.gohtml
var reportHTML string

// reportPage escapes whatever came from servers and people.
var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"minute":   minute,
	"day":      func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"left":     daysLeft,
	"took":     func(ms int64) string { return seconds(milliseconds(ms)) },
	"decision": decided,
}).Parse(reportHTML))

// HTML writes a report as one page that needs no other file and runs no
// script, to be kept or sent.
func HTML(w io.Writer, r farm.Report) error {
	page := struct {
		farm.Report
		Ended   time.Time
		Remains bool
	}{r, Ended(r), remains(r.Outcome)}
	if err := reportPage.Execute(w, page); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
