package workflows

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// Sealing gives workflows what seals are made and checked with. A worker needs it; what
// only replays histories does not, for what a check has found is in the history.
func Sealing(by controller.Sealer) interceptor.WorkerInterceptor {
	return &sealing{by: by}
}

type sealing struct {
	interceptor.WorkerInterceptorBase

	by controller.Sealer
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (s *sealing) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	inbound := &sealingInbound{by: s.by}
	inbound.Next = next
	return inbound
}

type sealingInbound struct {
	interceptor.WorkflowInboundInterceptorBase

	by controller.Sealer
}

// ExecuteWorkflow implements interceptor.WorkflowInboundInterceptor.
func (s *sealingInbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	return s.Next.ExecuteWorkflow(workflow.WithValue(ctx, sealerKey{}, s.by), in)
}

type sealerKey struct{}

// sealState returns a controller's state with the seal of its run.
func sealState(ctx workflow.Context, s controller.State) controller.State {
	by, ok := ctx.Value(sealerKey{}).(controller.Sealer)
	if !ok {
		return s
	}
	return s.SealFor(workflow.GetInfo(ctx).WorkflowExecution.RunID, by)
}

// isSealed reports whether the run before this one has left the state that this one
// begins with. Who starts a workflow chooses its input, and one of another's can continue
// as this; but nobody chooses a run ID, and only workers seal.
func isSealed(ctx workflow.Context, s controller.State) bool {
	var sealed bool
	checked := workflow.SideEffect(ctx, func(ctx workflow.Context) any {
		by, ok := ctx.Value(sealerKey{}).(controller.Sealer)
		return !ok || s.CheckSeal(workflow.GetInfo(ctx).ContinuedExecutionRunID, by) == nil
	})
	return checked.Get(&sealed) == nil && sealed
}
