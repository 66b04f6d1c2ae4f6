package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// SearchAttributesError means that the namespace lacks search attributes. A workflow
// that sets one of them would not make progress.
type SearchAttributesError struct {
	// Address is the server's host:port; what adds attributes depends on it.
	Address, Namespace string
	// Missing do not exist, as far as the server's frontend knows yet: it caches
	// them for up to a minute.
	Missing []temporal.SearchAttributeKey
	// Mistyped exist with another type: something else uses the name.
	Mistyped []temporal.SearchAttributeKey
}

// Error names the command that adds what is missing. It never advises to remove
// anything: a name that has another type belongs to other workflows.
func (e *SearchAttributesError) Error() string {
	if len(e.Mistyped) > 0 {
		return fmt.Sprintf("check search attributes of Temporal namespace %q: %s registered with another type than farmtrust's (%s), "+
			"so the namespace uses the name for something else; give farmtrust a namespace of its own",
			e.Namespace, joinNames(e.Mistyped), joinTypes(e.Mistyped))
	}
	return fmt.Sprintf("check search attributes of Temporal namespace %q: %s missing; run: %s",
		e.Namespace, joinNames(e.Missing), AddCommand(e.Address, e.Namespace, e.Missing))
}

// AddCommand returns the command with which an operator adds search attributes to
// a namespace of the server at address: Temporal Cloud has a program of its own.
//
// Source: Temporal, "tcld namespace search-attributes add" and "temporal operator
// search-attribute create".
func AddCommand(address, namespace string, keys []temporal.SearchAttributeKey) string {
	command, attribute := "temporal operator search-attribute create", " --name %s --type %s"
	if IsCloud(address) {
		command, attribute = "tcld namespace search-attributes add", " --search-attribute %s=%s"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s --namespace %s", command, namespace)
	for _, k := range keys {
		fmt.Fprintf(&b, attribute, k.GetName(), k.GetValueType())
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

func joinTypes(keys []temporal.SearchAttributeKey) string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.GetValueType().String()
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// CheckSearchAttributes returns a [*SearchAttributesError] if the namespace that c
// was connected to with options lacks any of keys.
//
// A namespace that does not exist is a [*NamespaceError].
//
// It asks by counting workflows, which every worker may. Listing search attributes
// needs Temporal's OperatorService, which Temporal Cloud does not offer and managed
// clusters offer to their administrators only.
func CheckSearchAttributes(ctx context.Context, c client.Client, options client.Options, keys []temporal.SearchAttributeKey) error {
	probes := make([]string, len(keys))
	for i, k := range keys {
		probes[i] = typeProbe(k)
	}
	fits, err := acceptsQuery(ctx, c, options, strings.Join(probes, " AND "))
	if fits || err != nil {
		return err
	}
	problem := SearchAttributesError{Address: options.HostPort, Namespace: options.Namespace}
	for i, k := range keys {
		fits, err := acceptsQuery(ctx, c, options, probes[i])
		if err != nil {
			return err
		}
		if fits {
			continue
		}
		exists, err := acceptsQuery(ctx, c, options, k.GetName()+" IS NOT NULL")
		switch {
		case err != nil:
			return err
		case exists:
			problem.Mistyped = append(problem.Mistyped, k)
		default:
			problem.Missing = append(problem.Missing, k)
		}
	}
	if len(problem.Missing)+len(problem.Mistyped) > 0 {
		return &problem
	}
	return nil
}

// typeProbe returns a query that a server accepts only if the attribute exists with
// the key's type.
//
// Only keywords have STARTS_WITH, only booleans equal true, and only times compare
// with both a date, as keywords do, and a count of nanoseconds, as numbers do.
// Server 1.32.1 refuses every other type ("not supported for", "invalid value
// type"); a test asks it.
func typeProbe(k temporal.SearchAttributeKey) string {
	name := k.GetName()
	switch k.GetValueType() {
	case enumspb.INDEXED_VALUE_TYPE_KEYWORD:
		return name + " STARTS_WITH 'x'"
	case enumspb.INDEXED_VALUE_TYPE_BOOL:
		return name + " = true"
	case enumspb.INDEXED_VALUE_TYPE_DATETIME:
		return name + " > '1970-01-01T00:00:00Z' AND " + name + " > 0"
	default:
		return name + " IS NOT NULL"
	}
}

// acceptsQuery reports whether the server can count by a query. One that it
// refuses names an attribute that does not exist, or has another type.
func acceptsQuery(ctx context.Context, c client.Client, options client.Options, query string) (bool, error) {
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: options.Namespace, Query: query})
	var refused *serviceerror.InvalidArgument
	var noNamespace *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &refused):
		return false, nil
	case errors.As(err, &noNamespace):
		return false, &NamespaceError{Address: options.HostPort, Namespace: options.Namespace, Err: err}
	case err != nil:
		return false, fmt.Errorf("count workflows by search attributes in Temporal namespace %q: %w", options.Namespace, err)
	}
	return true, nil
}
