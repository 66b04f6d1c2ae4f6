// Package report is a placeholder until the real one is merged.
package report

import (
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Page is a page.
type Page struct{ text string }

// Markdown returns it.
func (p Page) Markdown() string { return p.text }

// Farm is a farm's page.
func Farm(s controller.State) Page { return Page{s.Farm} }

// Run is a run's page.
func Run(s farm.Status) Page { return Page{s.Report.Farm} }
