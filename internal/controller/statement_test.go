package controller_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// The kinds are read from the source, so that one that is added needs a right.
func TestEachRequestNeedsARight(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "request.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Request") || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		kind, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		kinds++
		if needs := (controller.Request{Kind: controller.RequestKind(kind)}).Needs(); len(needs) == 0 {
			t.Errorf("a request to %s needs no right", kind)
		}
		return true
	})
	if kinds < 9 {
		t.Errorf("only %d kinds were found", kinds)
	}
	if needs := (controller.Request{Kind: "conjure"}).Needs(); len(needs) > 0 {
		t.Errorf("an unknown request needs %v", needs)
	}
}
