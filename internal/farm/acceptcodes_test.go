package farm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// TestEveryStopIsPlaced fails for a new code of a finding that stops a rotation
// until it is decided whether an operator may accept it.
func TestEveryStopIsPlaced(t *testing.T) {
	placed := map[string]int{}
	for _, c := range append(farm.Acceptable(), farm.NeverAccepted()...) {
		if placed[c.Code]++; placed[c.Code] > 1 {
			t.Errorf("%s is placed twice", c.Code)
		}
		if c.Reason == "" {
			t.Errorf("%s has no reason", c.Code)
		}
	}
	stops := stopCodes(t)
	if len(stops) < 20 {
		t.Fatalf("only %d codes of stops are found: %v", len(stops), stops)
	}
	for _, code := range stops {
		if placed[code] == 0 {
			t.Errorf("%s is neither in Acceptable nor in NeverAccepted", code)
		}
	}
}

// stopCodes reads from the source the codes of findings that stop a rotation.
func stopCodes(t *testing.T) []string {
	t.Helper()
	var codes []string
	for _, dir := range []string{".", "../cert", "../../workflows", "../../activities"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("find the source in %s: %v, %d files", dir, err, len(files))
		}
		var found []ast.Expr
		constants := map[string]string{}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			readConstants(file, constants)
			ast.Inspect(file, func(n ast.Node) bool {
				if code := stopCode(n); code != nil {
					found = append(found, code)
				}
				return true
			})
		}
		for _, e := range found {
			code := literalOf(e) + constants[lastName(e)]
			if code == "" {
				t.Errorf("%s: the code of a finding is neither a literal nor a constant: %v", dir, e)
			}
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// stopCode returns the code in a call of stopFinding, or in a Finding whose
// severity is Stop or is not written there.
func stopCode(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "stopFinding" {
			return n.Args[0]
		}
	case *ast.CompositeLit:
		fields := map[string]ast.Expr{}
		for _, e := range n.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				fields[lastName(pair.Key)] = pair.Value
			}
		}
		// In a list of findings the type is left out.
		isFinding := lastName(n.Type) == "Finding" || n.Type == nil && fields["Severity"] != nil
		if isFinding && lastName(fields["Severity"]) != "Warn" && lastName(fields["Code"]) != "code" {
			return fields["Code"]
		}
	}
	return nil
}

// lastName is the name of an identifier, or of what a selector selects.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// readConstants adds the constants of a file that are literal strings.
func readConstants(file *ast.File, constants map[string]string) {
	for _, d := range file.Decls {
		list, ok := d.(*ast.GenDecl)
		if !ok || list.Tok != token.CONST {
			continue
		}
		for _, spec := range list.Specs {
			c := spec.(*ast.ValueSpec)
			if len(c.Values) == 1 {
				constants[c.Names[0].Name] = literalOf(c.Values[0])
			}
		}
	}
}

// literalOf is the value of a literal string; empty for anything else.
func literalOf(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok {
		if text, err := strconv.Unquote(l.Value); err == nil {
			return text
		}
	}
	return ""
}
