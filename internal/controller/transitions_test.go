package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

const day = 24 * time.Hour

var (
	epoch  = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	policy = controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * day}
)

// derived leaves out what a retention is computed from, where a test asserts what is
// computed.
var derived = cmpopts.IgnoreFields(controller.Retention{}, "Begun", "AtLeast")

// snapshot is that of a rotation between two certificates.
func snapshot(from, to farm.Thumbprint) *farm.Snapshot {
	return &farm.Snapshot{Target: farm.Certificate{Thumbprint: to}, Previous: farm.StoreCertificate{Thumbprint: from}}
}

func result(outcome farm.Outcome, s *farm.Snapshot) farm.RotationResult {
	return farm.RotationResult{Report: farm.Report{Outcome: outcome, Statement: "as stated"}, Snapshot: s}
}

// idle is a farm that is in order, with nothing to retire.
func idle(changes ...func(*controller.State)) controller.State {
	s := controller.State{
		Farm: "contoso", Policy: policy, Next: farm.Next{Code: farm.CodeTrusted, Reason: "trusted"},
		Inspected: controller.Inspected{At: epoch, Current: farm.StoreCertificate{Thumbprint: "B"}},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func rotating(s *controller.State) {
	s.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r1", Reason: "renewal", Since: epoch}
}

func retiring(s *controller.State) {
	s.Active = &controller.ActiveRun{WorkflowID: "retire/contoso", RunID: "t1", Retirement: true, Since: epoch}
}

// retaining keeps the certificate before a rotation from A to B.
func retaining(s *controller.State) {
	s.Retention = controller.Retention{Snapshot: snapshot("A", "B"), Until: epoch.Add(day)}
}

// unfinished has a rotation that was not finished.
func unfinished(from, to farm.Thumbprint) func(*controller.State) {
	return func(s *controller.State) { s.Unfinished = append(s.Unfinished, *snapshot(from, to)) }
}

func suspended(s *controller.State) { s.Suspended = "rolled back" }

func pending(s *controller.State) {
	s.Mailbox.Pending = []controller.Event{{ID: "1", Summary: "expires soon"}, {ID: "2", Summary: "expired"}}
}

// TestTransitions has the rows of the package comment's table.
func TestTransitions(t *testing.T) {
	inspection := farm.Inspection{
		Config:  farm.Farm{Rotation: farm.RotationPolicy{InspectionInterval: time.Hour, KeepOldFor: day}},
		Current: farm.StoreCertificate{Thumbprint: "C"},
	}
	request := &controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "now"}
	for _, c := range []struct {
		name string
		from controller.State
		do   func(*controller.State)
		want func(*controller.State)
	}{
		{
			"ReceiveEvent: the event is pending", idle(),
			func(s *controller.State) { s.ReceiveEvent(epoch, controller.Event{ID: "1", Summary: "expires soon"}) },
			func(s *controller.State) {
				s.Mailbox.Pending = []controller.Event{{ID: "1", Summary: "expires soon"}}
			},
		},
		{
			"ReceiveEvent: one that is pending is not added again", idle(pending),
			func(s *controller.State) { s.ReceiveEvent(epoch, controller.Event{ID: "1", Summary: "again"}) },
			func(*controller.State) {},
		},
		{
			"ReceiveEvent: one that has a result is not added again",
			idle(func(s *controller.State) { s.Mailbox.Results = []controller.EventResult{{EventID: "1"}} }),
			func(s *controller.State) { s.ReceiveEvent(epoch, controller.Event{ID: "1"}) },
			func(*controller.State) {},
		},
		{
			"AcceptRequest: the request is pending", idle(),
			func(s *controller.State) { s.AcceptRequest(request) },
			func(s *controller.State) { s.Mailbox.Request = request },
		},
		{
			"Resume: the suspension ends and an inspection is due", idle(suspended),
			func(s *controller.State) { s.Resume() },
			func(s *controller.State) { s.Suspended, s.Inspected.Due = "", true },
		},
		{
			"ApplyConfiguration: unmanaged, and the request is dropped",
			idle(func(s *controller.State) { s.Mailbox.Request = request }),
			func(s *controller.State) {
				s.ApplyConfiguration(epoch, controller.Configuration{Unmanaged: "not configured"})
			},
			func(s *controller.State) { s.Unmanaged, s.Mailbox.Request = "not configured", nil },
		},
		{
			"ApplyConfiguration: managed again, and an inspection is due",
			idle(func(s *controller.State) { s.Unmanaged = "not configured" }),
			func(s *controller.State) { s.ApplyConfiguration(epoch, controller.Configuration{}) },
			func(s *controller.State) { s.Unmanaged, s.Inspected.Due = "", true },
		},
		{
			"ApplyConfiguration: a farm that was managed all along is not inspected for it", idle(),
			func(s *controller.State) { s.ApplyConfiguration(epoch, controller.Configuration{}) },
			func(*controller.State) {},
		},
		{
			"BeginInspection: none is due any more", idle(func(s *controller.State) { s.Inspected.Due = true }),
			func(s *controller.State) { s.BeginInspection() },
			func(s *controller.State) { s.Inspected.Due = false },
		},
		{
			"ApplyInspection: current certificate, policy and next action are known", idle(),
			func(s *controller.State) {
				s.ApplyInspection(epoch.Add(time.Hour), inspection, "", farm.Next{Action: farm.ActionWait})
			},
			func(s *controller.State) {
				s.Inspected = controller.Inspected{At: epoch.Add(time.Hour), Current: inspection.Current}
				s.Next, s.Policy = farm.Next{Action: farm.ActionWait}, controller.Policy{InspectionInterval: time.Hour, KeepOldFor: day}
			},
		},
		{
			"ApplyInspection: a certificate that is no longer in use is remembered as lost", idle(),
			func(s *controller.State) {
				s.ApplyInspection(epoch.Add(time.Hour), inspection, "", farm.Next{})
				for hours := range 2 {
					found := inspection
					found.Current = farm.StoreCertificate{}
					s.ApplyInspection(epoch.Add(time.Duration(hours+2)*time.Hour), found, "", farm.Next{NeedsOperator: true})
				}
			},
			func(s *controller.State) {
				s.Inspected = controller.Inspected{At: epoch.Add(3 * time.Hour), Lost: inspection.Current.Thumbprint}
				s.Next, s.Policy = farm.Next{NeedsOperator: true}, controller.Policy{InspectionInterval: time.Hour, KeepOldFor: day}
			},
		},
		{
			"ApplyInspection: the certificate from before counts where a server is unreachable", idle(),
			func(s *controller.State) {
				s.ApplyInspection(epoch.Add(time.Hour), farm.Inspection{}, "oos-01: no route", farm.Next{NeedsOperator: true})
			},
			func(s *controller.State) {
				s.Inspected.At, s.Inspected.Unreachable, s.Next = epoch.Add(time.Hour), true, farm.Next{NeedsOperator: true}
			},
		},
		{
			"ApplyInspection: the retention begins once the farm is as an unfinished rotation wanted it",
			idle(unfinished("A", "C")),
			func(s *controller.State) { s.ApplyInspection(epoch.Add(time.Hour), inspection, "", farm.Next{}) },
			func(s *controller.State) {
				s.Inspected = controller.Inspected{At: epoch.Add(time.Hour), Current: inspection.Current}
				s.Next, s.Policy = farm.Next{}, controller.Policy{InspectionInterval: time.Hour, KeepOldFor: day}
				s.Unfinished = nil
				s.Retention = controller.Retention{Snapshot: snapshot("A", "C"), VerifiedAt: epoch.Add(time.Hour), Until: epoch.Add(time.Hour + day)}
			},
		},
		{
			"ApplyInspection: the retention does not begin while an operator is needed",
			idle(unfinished("A", "B")),
			func(s *controller.State) {
				s.ApplyInspection(epoch, farm.Inspection{Current: farm.StoreCertificate{Thumbprint: "B"}}, "", farm.Next{NeedsOperator: true})
			},
			func(s *controller.State) { s.Next = farm.Next{NeedsOperator: true} },
		},
		{
			"ApplyInspection: so it does after a renewal of which servers were left out",
			idle(retaining, func(s *controller.State) { s.Retention.Unsettled = true }),
			func(s *controller.State) {
				s.ApplyInspection(epoch, farm.Inspection{Current: farm.StoreCertificate{Thumbprint: "B"}}, "", farm.Next{})
			},
			func(s *controller.State) {
				s.Next, s.Retention.Unsettled, s.Retention.Until = farm.Next{}, false, epoch.Add(policy.KeepOldFor)
			},
		},
		{
			"BeginRun: pending events have this run as their result", idle(pending),
			func(s *controller.State) {
				s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r1", Reason: "renewal", Since: epoch})
			},
			func(s *controller.State) {
				rotating(s)
				s.Mailbox.Pending = nil
				for _, id := range []string{"1", "2"} {
					s.Mailbox.Results = append(s.Mailbox.Results, controller.EventResult{
						EventID: id, At: epoch, WorkflowID: "rotate/contoso", RunID: "r1", Reason: "renewal",
					})
				}
			},
		},
		{
			"BeginRun: a retirement answers no event", idle(pending),
			func(s *controller.State) {
				s.BeginRun(controller.ActiveRun{WorkflowID: "retire/contoso", RunID: "t1", Retirement: true, Since: epoch})
			},
			retiring,
		},
		{
			"MeetForeignRun: pending events have a rotation that was started by hand as their result",
			idle(func(s *controller.State) { s.Mailbox.Pending = []controller.Event{{ID: "1"}} }),
			func(s *controller.State) {
				s.MeetForeignRun(epoch, controller.ActiveRun{WorkflowID: "rotate/contoso", Reason: "renewal"}, "x1")
			},
			func(s *controller.State) {
				const reason = "rotate/contoso is already running; it was started by hand"
				s.Next = farm.Next{Code: farm.CodeStartedElsewhere, Reason: reason}
				s.Foreign = controller.ForeignRun{WorkflowID: "rotate/contoso", RunID: "x1", MetAt: epoch, ForEvents: true}
				s.Mailbox = controller.Mailbox{Results: []controller.EventResult{{EventID: "1", At: epoch, WorkflowID: "rotate/contoso", Reason: reason}}}
			},
		},
		{
			"MeetForeignRun: a retirement is due again after another retention", idle(retaining),
			func(s *controller.State) {
				s.MeetForeignRun(epoch.Add(day), controller.ActiveRun{WorkflowID: "retire/contoso", Retirement: true}, "x1")
			},
			func(s *controller.State) { s.Retention.Until = epoch.Add(day + policy.KeepOldFor) },
		},
		{
			"AnswerEvents: pending events have the reason as their result", idle(pending),
			func(s *controller.State) {
				s.AnswerEvents(controller.EventResult{At: epoch, Reason: "trusted", NeedsOperator: true})
			},
			func(s *controller.State) {
				s.Mailbox.Pending = nil
				for _, id := range []string{"1", "2"} {
					s.Mailbox.Results = append(s.Mailbox.Results, controller.EventResult{EventID: id, At: epoch, Reason: "trusted", NeedsOperator: true})
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) { assertTransition(t, c.from, c.do, c.want) })
	}
}

// assertTransition asserts that a transition changes what want changes, and
// nothing else.
func assertTransition(t *testing.T, from controller.State, do, want func(*controller.State)) {
	t.Helper()
	got, expected := clone(t, from), clone(t, from)
	do(&got)
	want(&expected)
	if diff := cmp.Diff(expected, got, cmpopts.EquateEmpty(), derived); diff != "" {
		t.Errorf("after the transition (-want +got):\n%s", diff)
	}
}
