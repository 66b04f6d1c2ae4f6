package workflows_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// sent is an error as Temporal sends it.
func sent(err error) error {
	converter := temporal.GetDefaultFailureConverter()
	return converter.FailureToError(converter.ErrorToFailure(err))
}

func TestRotationResultOf(t *testing.T) {
	result := farm.RotationResult{
		Report: farm.Report{Farm: "contoso", Outcome: farm.Incomplete}, Snapshot: &farm.Snapshot{Target: farm.Certificate{Thumbprint: "B"}},
	}
	var none farm.RotationResult
	for name, c := range map[string]struct {
		result farm.RotationResult
		err    error
		want   *farm.RotationResult
	}{
		"completed":                           {result, nil, &result},
		"failed":                              {none, sent(temporal.NewNonRetryableApplicationError("x", workflows.IncompleteError, nil, result)), &result},
		"failed, inside another error":        {none, fmt.Errorf("child: %w", sent(temporal.NewNonRetryableApplicationError("x", workflows.RefusedError, nil, result))), &result},
		"cancelled":                           {none, sent(temporal.NewCanceledError(result)), &result},
		"terminated":                          {none, sent(errors.New("terminated")), nil},
		"cancelled before it began":           {none, sent(temporal.NewCanceledError()), nil},
		"failed without details":              {none, sent(temporal.NewNonRetryableApplicationError("no such farm", workflows.UnknownFarmError, nil)), nil},
		"failed with details of another kind": {none, sent(temporal.NewNonRetryableApplicationError("x", "X", nil, "text")), nil},
		"failed with an empty result":         {none, sent(temporal.NewNonRetryableApplicationError("x", "X", nil, none)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var want farm.RotationResult
			if c.want != nil {
				want = *c.want
			}
			got, ok := workflows.RotationResultOf(c.result, c.err)
			if ok != (c.want != nil) {
				t.Errorf("reported %t, want %t", ok, c.want != nil)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// failuresOf are the failures that Temporal sends, by their kind in its API, and what
// an operator reads of each.
func failuresOf() map[protoreflect.Name]map[*failurepb.Failure]string {
	timeout := func(kind enumspb.TimeoutType) *failurepb.Failure {
		return &failurepb.Failure{Message: "activity " + kind.String() + " timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: kind}}}
	}
	application := func(message, kind string) *failurepb.Failure {
		return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
	}
	return map[protoreflect.Name]map[*failurepb.Failure]string{
		"application_failure_info": {
			application("the disk is full", "Test,Broken"):                                                                    "the disk is full",
			application("unable to find activityType=InspectFarm. Supported types: [LoadFarm]", "ActivityNotRegisteredError"): "the worker does not know this step: upgrade all workers to one version",
		},
		"timeout_failure_info": {
			timeout(enumspb.TIMEOUT_TYPE_START_TO_CLOSE):    "no answer in time",
			timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT):         "its worker stopped, or lost Temporal",
			timeout(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START): "no worker took it in time",
			timeout(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE): "no success in time",
		},
		"canceled_failure_info": {
			{Message: "canceled", FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{}}}: "it was cancelled",
		},
		"terminated_failure_info": {
			{Message: "terminated", FailureInfo: &failurepb.Failure_TerminatedFailureInfo{TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{}}}: "it was terminated in Temporal",
		},
		"server_failure_info": {
			{Message: "history is too large", FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{}}}: "history is too large",
		},
		"reset_workflow_failure_info": {
			{Message: "it was reset", FailureInfo: &failurepb.Failure_ResetWorkflowFailureInfo{ResetWorkflowFailureInfo: &failurepb.ResetWorkflowFailureInfo{}}}: "it was reset",
		},
	}
}

// inside is a failure as a workflow sees it, through the activity or the child
// workflow that failed, and that one's own activity.
func inside(f *failurepb.Failure) map[protoreflect.Name]*failurepb.Failure {
	activity := &failurepb.Failure{Message: "activity error", Cause: f, FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{
		ScheduledEventId: 23, StartedEventId: 24, Identity: "worker", ActivityType: &commonpb.ActivityType{Name: "ObserveOffice"}, ActivityId: "5",
	}}}
	return map[protoreflect.Name]*failurepb.Failure{
		"activity_failure_info": activity,
		"child_workflow_execution_failure_info": {Message: "child error", Cause: activity, FailureInfo: &failurepb.Failure_ChildWorkflowExecutionFailureInfo{
			ChildWorkflowExecutionFailureInfo: &failurepb.ChildWorkflowExecutionFailureInfo{
				WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "rotate/contoso"}, WorkflowType: &commonpb.WorkflowType{Name: "RotateTrust"}, InitiatedEventId: 23, StartedEventId: 24,
			},
		}},
	}
}

func TestExplain(t *testing.T) {
	covered := map[protoreflect.Name]bool{"nexus_operation_execution_failure_info": true, "nexus_handler_failure_info": true} // nothing here uses Nexus
	for kind, failures := range failuresOf() {
		covered[kind] = true
		for f, want := range failures {
			assertExplained(t, string(kind), f, want)
			for around, f := range inside(f) {
				covered[around] = true
				assertExplained(t, string(kind)+" in "+string(around), f, want)
			}
		}
	}
	kinds := (&failurepb.Failure{}).ProtoReflect().Descriptor().Oneofs().ByName("failure_info").Fields()
	for i := range kinds.Len() {
		if kind := kinds.Get(i).Name(); !covered[kind] {
			t.Errorf("nothing tests how %s is explained", kind)
		}
	}
	for around, f := range inside(nil) {
		assertExplained(t, string(around)+" without a cause", f, "it failed; see its history")
	}
}

func assertExplained(t *testing.T, name string, f *failurepb.Failure, want string) {
	t.Helper()
	if got := workflows.Explain(temporal.GetDefaultFailureConverter().FailureToError(f)); got != want {
		t.Errorf("%s is explained as %q, want %q", name, got, want)
	}
}

// TestExplain_OfTheSDK is about the errors that the SDK makes itself.
func TestExplain_OfTheSDK(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a child that runs already":              {&temporal.ChildWorkflowExecutionAlreadyStartedError{}, "it is running already"},
		"a workflow that has ended":              {&temporal.UnknownExternalWorkflowExecutionError{}, "it does not run any more"},
		"a run that was terminated":              {&temporal.TerminatedError{}, "it was terminated in Temporal"},
		"several":                                {errors.Join(sent(temporal.NewCanceledError()), errors.New("the disk is full")), "it was cancelled; the disk is full"},
		"our own words around one of Temporal's": {fmt.Errorf("oos-01: %w", errors.New("the disk is full")), "oos-01: the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := workflows.Explain(c.err); got != c.want {
				t.Errorf("explained as %q, want %q", got, c.want)
			}
		})
	}
}
