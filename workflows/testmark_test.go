package workflows_test

import (
	"maps"
	"sync"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// marks keeps by which search attributes each workflow is found.
type marks struct {
	interceptor.WorkerInterceptorBase

	mu sync.Mutex
	// needsOperator is by workflow ID.
	needsOperator map[string]bool
	// phase is what was marked last.
	phase string
	// interests are what memos have shown.
	interests []controller.Interest
	// originalRunID is what a reset run was started as; empty for one that was not.
	originalRunID string
	// runID is the run's own; empty for that of the test environment, which all runs have.
	runID string
}

// needOperator lists which workflows are marked as in need of an operator, and which
// not.
func (m *marks) needOperator() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.needsOperator)
}

// lastPhase is the phase that a workflow was marked with last.
func (m *marks) lastPhase() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.phase
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (m *marks) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	i := &markedWorkflow{marks: m}
	i.Next = next
	return i
}

type markedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase

	marks *marks
}

// Init implements interceptor.WorkflowInboundInterceptor.
func (i *markedWorkflow) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	o := &attributeRecorder{marks: i.marks}
	o.Next = outbound
	return i.Next.Init(o)
}

type attributeRecorder struct {
	interceptor.WorkflowOutboundInterceptorBase

	marks *marks
}

// UpsertTypedSearchAttributes implements interceptor.WorkflowOutboundInterceptor.
func (o *attributeRecorder) UpsertTypedSearchAttributes(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) error {
	set := temporal.NewSearchAttributes(updates...)
	o.marks.mu.Lock()
	if needed, ok := set.GetBool(workflows.NeedsOperatorAttribute); ok {
		o.marks.needsOperator[workflow.GetInfo(ctx).WorkflowExecution.ID] = needed
	}
	if phase, ok := set.GetKeyword(workflows.PhaseAttribute); ok {
		o.marks.phase = phase
	}
	o.marks.mu.Unlock()
	return o.Next.UpsertTypedSearchAttributes(ctx, updates...)
}

// UpsertMemo implements interceptor.WorkflowOutboundInterceptor.
func (o *attributeRecorder) UpsertMemo(ctx workflow.Context, memo map[string]any) error {
	var shown controller.Interest
	shown.Certificates, _ = memo[workflows.CertificatesMemo].([]farm.CertificateIdentity)
	shown.Events, _ = memo[workflows.EventsMemo].([]farm.EventMatch)
	o.marks.mu.Lock()
	o.marks.interests = append(o.marks.interests, shown)
	o.marks.mu.Unlock()
	return o.Next.UpsertMemo(ctx, memo)
}

// GetInfo implements interceptor.WorkflowOutboundInterceptor.
func (o *attributeRecorder) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	if o.marks.originalRunID != "" {
		info.OriginalRunID = o.marks.originalRunID
	}
	if o.marks.runID != "" {
		info.WorkflowExecution.RunID = o.marks.runID
	}
	return &info
}
