package report

import (
	_ "embed" // the template of a page
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.gohtml
var pageHTML string

// pageTemplate escapes whatever came from servers, events and operators.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"clean":         CleanText,
	"width":         func(header []string) int { return max(len(header), 1) },
	"column":        func(name string) string { return "c-" + strings.ReplaceAll(name, " ", "-") },
	"needsOperator": func() string { return needsOperator },
}).Parse(pageHTML))

// WriteHTML writes a page that needs no other file and runs no script, to be
// kept or sent.
func (p Page) WriteHTML(w io.Writer) error {
	p.Program = p.program()
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}
