package report_test

import (
	"flag"
	"html"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/report"
)

var update = flag.Bool("update", false, "write the golden files again")

// allPages are all pages of these tests, by name.
func allPages() map[string]report.Page {
	all := map[string]report.Page{}
	for _, pages := range []map[string]report.Page{farmPages(), inspectionPages(), runPages(), overviewPages()} {
		maps.Copy(all, pages)
	}
	return all
}

// writtenPage is a page as each writer writes it.
type writtenPage struct{ text, markdown, html string }

func writePage(t *testing.T, p report.Page) writtenPage {
	t.Helper()
	var text, html strings.Builder
	if err := p.WriteText(&text, report.TextStyle{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteHTML(&html); err != nil {
		t.Fatal(err)
	}
	return writtenPage{text.String(), p.Markdown(), html.String()}
}

func TestPages_Golden(t *testing.T) {
	for name, page := range allPages() {
		t.Run(name, func(t *testing.T) {
			w := writePage(t, page)
			assertGolden(t, name+".txt", w.text)
			assertGolden(t, name+".md", w.markdown)
			assertGolden(t, name+".html", w.html)
		})
	}
}

// assertGolden compares a text with a file of testdata.
func assertGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// Git may check text out with the line ends of Windows.
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s (-update writes it again):\n%s", file, diff)
	}
}

func TestPages_NoGoldenFileIsLeftOver(t *testing.T) {
	pages := allPages()
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := pages[strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))]; !ok {
			t.Errorf("%s belongs to no page", file)
		}
	}
}

// The words of a page are the same, in the same order, in every writer: the
// Temporal UI and the command line say the same.
func TestWriters_SayTheSame(t *testing.T) {
	for name, page := range allPages() {
		t.Run(name, func(t *testing.T) {
			w := writePage(t, page)
			want := wordsOf(w.text)
			if diff := cmp.Diff(want, wordsOf(stripMarkdown(w.markdown))); diff != "" {
				t.Errorf("text and Markdown differ:\n%s", diff)
			}
			if diff := cmp.Diff(want, wordsOf(stripHTML(w.html))); diff != "" {
				t.Errorf("text and HTML differ:\n%s", diff)
			}
		})
	}
}

// wordsOf are the words of a text, without colons and dashes that only lay it
// out, and without case, because the text has its headers in capitals.
func wordsOf(text string) []string {
	words := strings.Fields(strings.ToLower(text))
	for i, word := range words {
		words[i] = strings.TrimRight(word, ":,")
	}
	return slices.DeleteFunc(words, func(word string) bool { return word == "" || word == "-" })
}

var (
	markdownRule   = regexp.MustCompile(`(?m)^\|( --- \|)+$`)
	markdownEscape = regexp.MustCompile(`\\(.)`)
	htmlHead       = regexp.MustCompile(`(?s)<head>.*</head>`)
	htmlTag        = regexp.MustCompile(`<[^>]*>`)
)

func stripMarkdown(s string) string {
	s = markdownRule.ReplaceAllString(s, "")
	// What is escaped is text, and is hidden from the next two lines.
	s = markdownEscape.ReplaceAllStringFunc(s, func(e string) string { return string(rune(e[1]) + 0xE000) })
	s = strings.NewReplacer("**", "", "|", " ", "`", "").Replace(s)
	return strings.Map(func(r rune) rune {
		if r > 0xE000 && r < 0xE100 {
			return r - 0xE000
		}
		return r
	}, s)
}

// unescapeMarkdown is Markdown with what is escaped as it is shown.
func unescapeMarkdown(s string) string { return markdownEscape.ReplaceAllString(s, "$1") }

func stripHTML(s string) string {
	return html.UnescapeString(htmlTag.ReplaceAllString(htmlHead.ReplaceAllString(s, ""), " "))
}

func TestText_IsASCIIWithoutBlanksAtLineEnds(t *testing.T) {
	for name, page := range allPages() {
		t.Run(name, func(t *testing.T) {
			for i, line := range strings.Split(writePage(t, page).text, "\n") {
				if strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) || strings.TrimRight(line, " ") != line {
					t.Errorf("line %d: %q", i+1, line)
				}
			}
		})
	}
}
