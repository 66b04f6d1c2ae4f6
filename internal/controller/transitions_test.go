package controller_test

import (
	"strings"
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
			func(s *controller.State) { s.ApplyConfiguration(controller.Configuration{Unmanaged: "not configured"}) },
			func(s *controller.State) { s.Unmanaged, s.Mailbox.Request = "not configured", nil },
		},
		{
			"ApplyConfiguration: managed again, and an inspection is due",
			idle(func(s *controller.State) { s.Unmanaged = "not configured" }),
			func(s *controller.State) { s.ApplyConfiguration(controller.Configuration{}) },
			func(s *controller.State) { s.Unmanaged, s.Inspected.Due = "", true },
		},
		{
			"ApplyConfiguration: a farm that was managed all along is not inspected for it", idle(),
			func(s *controller.State) { s.ApplyConfiguration(controller.Configuration{}) },
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
			idle(func(s *controller.State) { s.Retention.Snapshot = snapshot("A", "C") }),
			func(s *controller.State) { s.ApplyInspection(epoch.Add(time.Hour), inspection, "", farm.Next{}) },
			func(s *controller.State) {
				s.Inspected = controller.Inspected{At: epoch.Add(time.Hour), Current: inspection.Current}
				s.Next, s.Policy = farm.Next{}, controller.Policy{InspectionInterval: time.Hour, KeepOldFor: day}
				s.Retention.Until = epoch.Add(time.Hour + day)
			},
		},
		{
			"ApplyInspection: the retention does not begin while an operator is needed",
			idle(func(s *controller.State) { s.Retention.Snapshot = snapshot("A", "B") }),
			func(s *controller.State) {
				s.ApplyInspection(epoch, farm.Inspection{Current: farm.StoreCertificate{Thumbprint: "B"}}, "", farm.Next{NeedsOperator: true})
			},
			func(s *controller.State) { s.Next = farm.Next{NeedsOperator: true} },
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
	if diff := cmp.Diff(expected, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("after the transition (-want +got):\n%s", diff)
	}
}

func TestEndRotation(t *testing.T) {
	ended := epoch.Add(time.Hour)
	compromised := snapshot("B", "C")
	compromised.Compromised = true
	for _, c := range []struct {
		name    string
		from    controller.State
		result  farm.RotationResult
		problem string
		want    func(*controller.State)
	}{
		{
			"verified: the snapshot is kept and the retention begins", idle(rotating), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: it ends a suspension", idle(rotating, suspended), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = ""
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), Until: ended.Add(policy.KeepOldFor)}
			},
		},
		{
			"verified: a certificate that is not retired yet is retired first", idle(rotating, retaining), result(farm.Verified, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{
					Snapshot: snapshot("B", "C"), Until: ended.Add(policy.KeepOldFor), Older: []farm.StoreCertificate{{Thumbprint: "A"}},
				}
			},
		},
		{
			"verified: the same rotation once more adds no older certificate", idle(rotating, retaining), result(farm.Verified, snapshot("A", "B")), "",
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.KeepOldFor) },
		},
		{
			"verified: a compromised certificate is not retained", idle(rotating), result(farm.Verified, compromised), "",
			func(s *controller.State) {
				s.Retention = controller.Retention{Snapshot: compromised, Until: ended}
			},
		},
		{
			"rolled back: suspended, and its snapshot is forgotten", idle(rotating, retaining), result(farm.RolledBack, snapshot("A", "B")), "",
			func(s *controller.State) { s.Suspended, s.Retention = "the rotation was rolled back", controller.Retention{} },
		},
		{
			"rolled back: the rotation before it is left to retire", idle(rotating, retaining), result(farm.RolledBack, snapshot("B", "C")), "",
			func(s *controller.State) { s.Suspended = "the rotation was rolled back" },
		},
		{
			"refused: an operator is needed", idle(rotating, retaining), result(farm.Refused, nil), "",
			func(s *controller.State) {
				s.Next = farm.Next{NeedsOperator: true, Code: farm.CodeRefused, Reason: "as stated"}
			},
		},
		{
			"unchanged: nothing", idle(rotating, retaining), result(farm.NoChange, snapshot("B", "B")), "",
			func(*controller.State) {},
		},
		{
			"incomplete: suspended, and the snapshot is kept without a retention", idle(rotating), result(farm.Incomplete, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: as stated"
				s.Retention.Snapshot = snapshot("B", "C")
			},
		},
		{
			"partial: the certificate before is retired first, and its successor not before its own retention",
			idle(rotating, retaining), result(farm.Partial, snapshot("B", "C")), "",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: as stated"
				s.Retention = controller.Retention{Snapshot: snapshot("B", "C"), Older: []farm.StoreCertificate{{Thumbprint: "A"}}}
			},
		},
		{
			"no report: suspended, and what was kept stays", idle(rotating, retaining), farm.RotationResult{}, "rotate/contoso left no report",
			func(s *controller.State) {
				s.Suspended = "the rotation did not end as planned: rotate/contoso left no report"
				s.Last.Statement = "rotate/contoso left no report"
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assertTransition(t, c.from, func(s *controller.State) { s.EndRotation(ended, c.result, c.problem) }, func(s *controller.State) {
				s.Active = nil
				s.Last = controller.LastRun{At: ended, Outcome: c.result.Outcome, Statement: c.result.Statement}
				s.Inspected.Due = c.result.Outcome != farm.Refused
				c.want(s)
			})
		})
	}
}

func TestEndRetirement(t *testing.T) {
	ended := epoch.Add(2 * day)
	older := func(s *controller.State) { s.Retention.Older = []farm.StoreCertificate{{Thumbprint: "0"}} }
	deletes := []farm.ServerReport{{Host: "oos-01", Steps: []farm.StepReport{{Step: farm.StepDelete, State: farm.StateChanged}}}}
	for _, c := range []struct {
		name   string
		from   controller.State
		report farm.Report
		want   func(*controller.State)
	}{
		{
			"verified: the snapshot is forgotten", idle(retiring, retaining), farm.Report{Outcome: farm.Verified, Target: "A", Servers: deletes},
			func(s *controller.State) { s.Retention = controller.Retention{} },
		},
		{
			"verified: an older certificate is forgotten, and the snapshot is not", idle(retiring, retaining, older), farm.Report{Outcome: farm.Verified, Target: "0", Servers: deletes},
			func(s *controller.State) { s.Retention.Older = nil },
		},
		{
			"aborted: the retention begins again", idle(retiring, retaining), farm.Report{Outcome: farm.Partial, Target: "A"},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.KeepOldFor) },
		},
		{
			"cancelled after the deletion began: the certificate is no longer to be rolled back to",
			idle(retiring, retaining), farm.Report{Outcome: farm.Incomplete, Target: "A", Servers: deletes},
			func(s *controller.State) {
				s.Retention.Until, s.Retention.Snapshot.Deleting = ended.Add(policy.KeepOldFor), true
			},
		},
		{
			"cancelled after the deletion of an older one began: the snapshot can still be rolled back to",
			idle(retiring, retaining, older), farm.Report{Outcome: farm.Incomplete, Target: "0", Servers: deletes},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.KeepOldFor) },
		},
		{
			"without a retention it is tried again at the next inspection",
			idle(retiring, retaining, func(s *controller.State) { s.Policy.KeepOldFor = 0 }), farm.Report{Outcome: farm.Partial, Target: "A"},
			func(s *controller.State) { s.Retention.Until = ended.Add(policy.InspectionInterval) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			assertTransition(t, c.from, func(s *controller.State) { s.EndRetirement(ended, c.report, "") }, func(s *controller.State) {
				s.Active, s.Inspected.Due = nil, true
				s.Last = controller.LastRun{At: ended, Outcome: c.report.Outcome}
				c.want(s)
			})
		})
	}
}

func TestPhase(t *testing.T) {
	next := func(n farm.Next) func(*controller.State) { return func(s *controller.State) { s.Next = n } }
	unmanaged := func(s *controller.State) { s.Unmanaged = "not configured" }
	type phase struct {
		Phase         controller.Phase
		NeedsOperator bool
	}
	for _, c := range []struct {
		name string
		from controller.State
		want phase
	}{
		{"unmanaged", idle(unmanaged), phase{controller.Unmanaged, true}},
		{"unmanaged while a rotation runs", idle(rotating, unmanaged), phase{controller.Unmanaged, true}},
		{"rotating", idle(rotating), phase{controller.Rotating, false}},
		{"rotating although suspended: an operator asked for it", idle(rotating, suspended), phase{controller.Rotating, false}},
		{"retiring", idle(retiring), phase{controller.Retiring, false}},
		{"suspended", idle(suspended), phase{controller.Suspended, true}},
		{"waiting for a newer certificate", idle(next(farm.Next{Action: farm.ActionAwaitCertificate, NeedsOperator: true})), phase{controller.Waiting, true}},
		{"waiting for its time", idle(next(farm.Next{Action: farm.ActionWait})), phase{controller.Waiting, false}},
		{"idle", idle(), phase{controller.Idle, false}},
		{"idle until an operator acts", idle(next(farm.Next{NeedsOperator: true})), phase{controller.Idle, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got phase
			if got.Phase, got.NeedsOperator = c.from.Phase(); got != c.want {
				t.Errorf("Phase() = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestCheckRequest(t *testing.T) {
	request := func(kind controller.RequestKind) controller.Request {
		return controller.Request{Kind: kind, By: "op", Reason: "x"}
	}
	rotate, rollback, resume := request(controller.RequestRotate), request(controller.RequestRollback), request(controller.RequestResume)
	withSnapshot := func(change func(*farm.Snapshot)) func(*controller.State) {
		return func(s *controller.State) {
			retaining(s)
			change(s.Retention.Snapshot)
		}
	}
	for _, c := range []struct {
		name     string
		from     controller.State
		request  controller.Request
		starting string
		// want is part of the refusal; empty when the request is accepted.
		want string
	}{
		{"rotate", idle(), rotate, "", ""},
		{"rotate a suspended farm", idle(suspended), rotate, "", ""},
		{"rotate while a retirement runs", idle(retiring, retaining), rotate, "", ""},
		{"roll back", idle(retaining), rollback, "", ""},
		{"resume", idle(suspended), resume, "", ""},
		{"resume an unmanaged farm", idle(suspended, func(s *controller.State) { s.Unmanaged = "gone" }), resume, "", ""},
		{"an unknown request", idle(), request("repair"), "", `unknown request "repair"`},
		{"nobody asks", idle(), controller.Request{Kind: controller.RequestRotate, Reason: "x"}, "", "say who asks, and why"},
		{"for no reason", idle(), controller.Request{Kind: controller.RequestRotate, By: "op"}, "", "say who asks, and why"},
		{"resume a farm that is not suspended", idle(), resume, "", "is not suspended"},
		{"rotate an unmanaged farm", idle(func(s *controller.State) { s.Unmanaged = "gone" }), rotate, "", "the farm is unmanaged: gone"},
		{"rotate while a rotation runs", idle(rotating), rotate, "", "rotate/contoso has been running since 2026-11-23T08:00:00Z: renewal"},
		{"rotate while a rotation starts", idle(), rotate, "drift on sp-01", "a rotation is starting: drift on sp-01"},
		{"rotate after another request", idle(func(s *controller.State) { s.AcceptRequest(&rotate) }), rollback, "", "op has just asked to rotate"},
		{"roll back with no snapshot", idle(), rollback, "", "there is no snapshot"},
		{"roll back to a compromised certificate", idle(withSnapshot(func(s *farm.Snapshot) { s.Compromised = true })), rollback, "", "is compromised and is never restored"},
		{"roll back once the deletion has begun", idle(withSnapshot(func(s *farm.Snapshot) { s.Deleting = true })), rollback, "", "the deletion of the previous certificate A has begun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.from.CheckRequest(c.request, c.starting)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("CheckRequest: %v, want %q", err, c.want)
			}
		})
	}
}

func TestRetirement(t *testing.T) {
	type retirement struct {
		Will, Due bool
		Next      farm.Thumbprint
	}
	older := func(list ...farm.Thumbprint) func(*controller.State) {
		return func(s *controller.State) {
			for _, thumbprint := range list {
				s.Retention.Older = append(s.Retention.Older, farm.StoreCertificate{Thumbprint: thumbprint})
			}
		}
	}
	for _, c := range []struct {
		name string
		from controller.State
		now  time.Time
		want retirement
	}{
		{"during the retention", idle(retaining), epoch, retirement{Will: true, Next: "A"}},
		{"after the retention", idle(retaining), epoch.Add(day), retirement{true, true, "A"}},
		{"the oldest first", idle(retaining, older("8", "9")), epoch.Add(day), retirement{true, true, "8"}},
		{"not one that is in use again", idle(retaining, older("B", "9")), epoch.Add(day), retirement{true, true, "9"}},
		{"not while suspended", idle(retaining, suspended), epoch.Add(day), retirement{}},
		{"not before the rotation is settled", idle(retaining, func(s *controller.State) { s.Retention.Until = time.Time{} }), epoch.Add(day), retirement{}},
		{"nothing after a first set-up", idle(retaining, func(s *controller.State) { s.Retention.Snapshot = snapshot("", "B") }), epoch.Add(day), retirement{}},
		{"nothing after a repair", idle(retaining, func(s *controller.State) { s.Retention.Snapshot = snapshot("B", "B") }), epoch.Add(day), retirement{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := clone(t, c.from)
			got := retirement{Will: s.WillRetire(), Due: s.RetirementDue(c.now)}
			if s.ForgetOlderInUse(); got.Will {
				got.Next = s.NextToRetire().Thumbprint
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestInspectionTimes(t *testing.T) {
	unreachable := func(s *controller.State) { s.Inspected.Unreachable = true }
	within := func(t *testing.T, what string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s in %s, want between %s and %s", what, got, least, most)
		}
	}
	t.Run("up to a tenth earlier than configured, by the farm's name", func(t *testing.T) {
		moments := map[time.Time]bool{}
		for _, name := range []string{"contoso", "fabrikam", "northwind"} {
			s := idle()
			s.Farm = name
			within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 6*time.Hour*9/10, 6*time.Hour)
			moments[s.NextInspectionAt()] = true
		}
		if len(moments) != 3 {
			t.Errorf("three farms are inspected at %d different times, want 3", len(moments))
		}
	})
	t.Run("soon where a server is unreachable", func(t *testing.T) {
		s := idle(unreachable)
		within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 13*time.Minute, 15*time.Minute)
	})
	t.Run("not in a hot loop where no policy is known", func(t *testing.T) {
		s := idle(unreachable, func(s *controller.State) { s.Policy = controller.Policy{} })
		within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 13*time.Minute, 15*time.Minute)
		s.Unmanaged = "not configured"
		within(t, "the controller wakes", s.UntilNext(epoch), 13*time.Minute, 15*time.Minute)
	})
	t.Run("at once before the first", func(t *testing.T) {
		if s := (controller.State{Farm: "contoso"}); !s.InspectionDue(epoch) {
			t.Error("a farm that was never inspected is not due")
		}
	})
	t.Run("the controller wakes for the end of a retention", func(t *testing.T) {
		s := idle(retaining, func(s *controller.State) { s.Retention.Until = epoch.Add(time.Hour) })
		within(t, "the controller wakes", s.UntilNext(epoch), time.Hour, time.Hour)
	})
	t.Run("it does not wake for the retention while a retirement runs", func(t *testing.T) {
		s := idle(retaining, retiring, func(s *controller.State) { s.Retention.Until = epoch })
		within(t, "the controller wakes", s.UntilNext(epoch), 5*time.Hour, 6*time.Hour)
	})
	t.Run("it never spins", func(t *testing.T) {
		s := idle()
		within(t, "the controller wakes", s.UntilNext(epoch.Add(30*day)), time.Second, time.Second)
	})
}
