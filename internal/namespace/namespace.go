// Package namespace makes a namespace of a self-hosted Temporal server ready for
// workflows that set search attributes.
//
// It is the only package that uses Temporal's OperatorService. Namespaces of
// Temporal Cloud are prepared with Cloud's own programs.
package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// ErrCloud means that the server is Temporal Cloud, which lets no client create
// namespaces or search attributes.
var ErrCloud = errors.New("namespaces of Temporal Cloud are made with its own programs")

// Options describe a namespace that is ready.
type Options struct {
	// Client says how to reach the server, and names the namespace.
	Client client.Options
	// Retention is how long the server keeps workflows that have ended. A namespace
	// that exists keeps its own.
	Retention time.Duration
	// SearchAttributes are those that the namespace needs.
	SearchAttributes []temporal.SearchAttributeKey
	// Patience is how long to wait for the server.
	Patience connect.Patience
	Log      *zap.Logger
}

// Ensure waits for the server, creates the namespace and the search attributes that
// do not exist, and returns when workflows can set them and be found by them. What
// exists is left as it is; a search attribute of another type is a
// [*connect.SearchAttributesError].
func Ensure(ctx context.Context, o Options) error {
	if connect.IsCloud(o.Client.HostPort) {
		return fmt.Errorf("%w: run: tcld namespace create --namespace NAME --region REGION --retention-days %d, then: %s",
			ErrCloud, max(1, int(o.Retention.Hours()/24)), connect.AddCommand(o.Client.HostPort, o.Client.Namespace, o.SearchAttributes))
	}
	var c client.Client
	if err := o.Patience.Await(ctx, o.Log, func() (err error) {
		if c == nil {
			if c, err = connect.Dial(ctx, o.Client); err != nil {
				return err
			}
		}
		return createNamespace(ctx, c, o.Client.Namespace, o.Retention)
	}); err != nil {
		return err
	}
	defer c.Close()
	for _, step := range []attributesStep{AddSearchAttributes, connect.CheckSearchAttributes} {
		if err := o.Patience.Await(ctx, o.Log, func() error { return step.run(ctx, c, o) }); err != nil {
			return err
		}
	}
	return proveUsable(ctx, c, o.Client.Namespace, o.SearchAttributes)
}

// attributesStep is a step that is repeated until the server is ready for it.
type attributesStep func(context.Context, client.Client, client.Options, []temporal.SearchAttributeKey) error

// unnoticedError means that the server has not noticed yet what was created. Its
// cause would advise to create it.
type unnoticedError struct {
	text string
	err  error
}

func (e *unnoticedError) Error() string { return e.text }

func (e *unnoticedError) Unwrap() error { return e.err }

// run runs the step on a server that takes some seconds to notice a new namespace,
// and some more for search attributes.
func (s attributesStep) run(ctx context.Context, c client.Client, o Options) error {
	err := s(ctx, c, o.Client, o.SearchAttributes)
	if namespace, ok := errors.AsType[*connect.NamespaceError](err); ok {
		return &unnoticedError{fmt.Sprintf("the server does not know the new namespace %q yet", namespace.Namespace), err}
	}
	if attributes, ok := errors.AsType[*connect.SearchAttributesError](err); ok && len(attributes.Mistyped) == 0 {
		return &unnoticedError{fmt.Sprintf("the server does not know all new search attributes of namespace %q yet", attributes.Namespace), err}
	}
	return err
}

// createNamespace creates the namespace if it does not exist.
func createNamespace(ctx context.Context, c client.Client, name string, retention time.Duration) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	var missing *serviceerror.NamespaceNotFound
	if err == nil || !errors.As(err, &missing) {
		return wrapError("find", name, err)
	}
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	if _, ok := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); ok {
		return nil // another run of this was faster
	}
	return wrapError("create", name, err)
}

func wrapError(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s Temporal namespace %q: %w", verb, name, err)
}

// AddSearchAttributes adds those of keys that the namespace lacks. It needs the
// rights of an operator of the namespace, but none if nothing is missing. Those that
// exist with another type are a [*connect.SearchAttributesError]. The server's
// frontend may take up to a minute to know what was added.
func AddSearchAttributes(ctx context.Context, c client.Client, options client.Options, keys []temporal.SearchAttributeKey) error {
	err := connect.CheckSearchAttributes(ctx, c, options, keys)
	var problem *connect.SearchAttributesError
	if !errors.As(err, &problem) || len(problem.Mistyped) > 0 {
		return err
	}
	wanted := map[string]enumspb.IndexedValueType{}
	for _, k := range problem.Missing {
		wanted[k.GetName()] = k.GetValueType()
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: options.Namespace, SearchAttributes: wanted,
	})
	return wrapError("add search attributes to", options.Namespace, err)
}
