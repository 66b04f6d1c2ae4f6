package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// SearchAttributesError means that the namespace lacks search attributes. A workflow
// that sets one of them would not make progress.
type SearchAttributesError struct {
	Namespace string
	// Missing do not exist.
	Missing []temporal.SearchAttributeKey
	// Mistyped exist with another type and cannot be set.
	Mistyped []temporal.SearchAttributeKey
}

// Error names the commands that fix it.
func (e *SearchAttributesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "check search attributes of Temporal namespace %q:", e.Namespace)
	if len(e.Mistyped) > 0 {
		fmt.Fprintf(&b, " %s registered with another type; run: %s", joinNames(e.Mistyped), e.repairCommand("remove", e.Mistyped))
		fmt.Fprintf(&b, " && %s", e.repairCommand("create", append(slices.Clip(e.Mistyped), e.Missing...)))
		return b.String()
	}
	fmt.Fprintf(&b, " %s missing; run: %s", joinNames(e.Missing), e.repairCommand("create", e.Missing))
	return b.String()
}

func (e *SearchAttributesError) repairCommand(verb string, keys []temporal.SearchAttributeKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute %s --namespace %s", verb, e.Namespace)
	if verb == "remove" {
		b.WriteString(" --yes")
	}
	for _, k := range keys {
		fmt.Fprintf(&b, " --name %s", k.GetName())
		if verb == "create" {
			fmt.Fprintf(&b, " --type %s", k.GetValueType())
		}
	}
	return b.String()
}

func joinNames(keys []temporal.SearchAttributeKey) string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.GetName()
	}
	return strings.Join(all, ", ")
}

// CheckSearchAttributes returns a [*SearchAttributesError] if the namespace lacks any
// of keys.
func CheckSearchAttributes(ctx context.Context, c client.Client, namespace string, keys []temporal.SearchAttributeKey) error {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes of Temporal namespace %q: %w", namespace, err)
	}
	problem := SearchAttributesError{Namespace: namespace}
	for _, k := range keys {
		switch t, ok := known.CustomAttributes[k.GetName()]; {
		case !ok:
			problem.Missing = append(problem.Missing, k)
		case t != k.GetValueType():
			problem.Mistyped = append(problem.Mistyped, k)
		}
	}
	if len(problem.Missing)+len(problem.Mistyped) > 0 {
		return &problem
	}
	return nil
}

// EnsureSearchAttributes adds the keys that the namespace lacks. It needs the rights
// of an operator of the namespace. Those that exist with another type are a
// [*SearchAttributesError].
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string, keys []temporal.SearchAttributeKey) error {
	wanted := map[string]enumspb.IndexedValueType{}
	for _, k := range keys {
		wanted[k.GetName()] = k.GetValueType()
	}
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: wanted,
	})
	if err != nil {
		return fmt.Errorf("add search attributes to Temporal namespace %q: %w", namespace, err)
	}
	return CheckSearchAttributes(ctx, c, namespace, keys)
}
