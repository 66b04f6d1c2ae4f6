package embedded_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/namespace"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestCheckSearchAttributes_AsksARealServer(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.SearchAttributes = nil
	s := start(t, o)
	c := dial(t, s.Address())
	types := []enumspb.IndexedValueType{
		enumspb.INDEXED_VALUE_TYPE_TEXT, enumspb.INDEXED_VALUE_TYPE_KEYWORD, enumspb.INDEXED_VALUE_TYPE_INT, enumspb.INDEXED_VALUE_TYPE_DOUBLE,
		enumspb.INDEXED_VALUE_TYPE_BOOL, enumspb.INDEXED_VALUE_TYPE_DATETIME, enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
	registered := map[string]enumspb.IndexedValueType{}
	for _, of := range types {
		registered["Test"+of.String()] = of
	}
	if _, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "default", SearchAttributes: registered,
	}); err != nil {
		t.Fatal(err)
	}
	at := client.Options{HostPort: s.Address(), Namespace: "default"}
	for _, of := range append(types, enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED) {
		name := "Test" + of.String()
		for _, key := range []temporal.SearchAttributeKey{
			temporal.NewSearchAttributeKeyKeyword(name), temporal.NewSearchAttributeKeyBool(name), temporal.NewSearchAttributeKeyTime(name),
		} {
			t.Run(of.String()+" as "+key.GetValueType().String(), func(t *testing.T) {
				err := connect.CheckSearchAttributes(t.Context(), c, at, []temporal.SearchAttributeKey{key})
				var problem *connect.SearchAttributesError
				if err != nil && !errors.As(err, &problem) {
					t.Fatal(err)
				}
				exists, fits := of != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED, of == key.GetValueType()
				if fits != (problem == nil) || !fits && exists != (len(problem.Mistyped) == 1) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// namespaceOptions ask for a namespace with farmtrust's search attributes.
func namespaceOptions(address, name string) namespace.Options {
	return namespace.Options{
		Client:    client.Options{HostPort: address, Namespace: name, Logger: connect.NewLogger(zap.NewNop())},
		Retention: 48 * time.Hour, SearchAttributes: workflows.SearchAttributes(),
		Patience: connect.WorkerPatience(), Log: zap.NewNop(),
	}
}

func TestEnsureNamespace(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	o := namespaceOptions(s.Address(), "office")
	for _, which := range []string{"first", "second"} {
		t.Run("the "+which+" run", func(t *testing.T) {
			if err := namespace.Ensure(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		})
	}
	c, err := connect.Dial(t.Context(), o.Client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Run("it has the retention", func(t *testing.T) {
		described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "office"})
		if err != nil {
			t.Fatal(err)
		}
		if got := described.Config.WorkflowExecutionRetentionTtl.AsDuration(); got != o.Retention {
			t.Errorf("retention is %s", got)
		}
	})
	t.Run("a search attribute of another type is not touched", func(t *testing.T) {
		o := o
		o.SearchAttributes = []temporal.SearchAttributeKey{temporal.NewSearchAttributeKeyBool("Farm"), temporal.NewSearchAttributeKeyBool("New")}
		err := namespace.Ensure(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "Farm registered with another type") {
			t.Errorf("got %v", err)
		}
		added := connect.CheckSearchAttributes(t.Context(), c, o.Client, o.SearchAttributes[1:])
		if added == nil {
			t.Error("another search attribute was added in spite of the error")
		}
	})
}

func TestEnsureNamespace_TemporalCloudHasItsOwnCommands(t *testing.T) {
	t.Parallel()
	err := namespace.Ensure(t.Context(), namespaceOptions("prod.a2dd6.tmprl.cloud:7233", "prod.a2dd6"))
	if !errors.Is(err, namespace.ErrCloud) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{
		"tcld namespace create ", "--retention-days 2",
		"tcld namespace search-attributes add --namespace prod.a2dd6 --search-attribute Farm=Keyword",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not contain %q", err, part)
		}
	}
}
