package controller_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// accepting is a request that accepts findings.
func accepting(r controller.Request, refs ...string) controller.Request {
	r.Accept = refs
	return r
}

func TestCheckRequest(t *testing.T) {
	request := func(kind controller.RequestKind) controller.Request {
		return controller.Request{Kind: kind, By: "op", Reason: "x"}
	}
	rotate, rollback, resume := request(controller.RequestRotate), request(controller.RequestRollback), request(controller.RequestResume)
	undo := request(controller.RequestUndo)
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
		{"roll back what is unfinished", idle(retaining, unfinished("B", "C")), rollback, "", ""},
		{"undo what was verified", idle(retaining), undo, "", ""},
		{"resume", idle(suspended), resume, "", ""},
		{"resume an unmanaged farm", idle(suspended, func(s *controller.State) { s.Unmanaged = "gone" }), resume, "", ""},
		{"rotate and accept", idle(), accepting(rotate, "pending-reboot@oos-01", "dsc-auto-correct"), "", ""},
		{"rotate and accept what nobody can", idle(), accepting(rotate, "masters-differ"), "", "accept masters-differ: it can never be accepted"},
		{"rotate and accept no finding", idle(), accepting(rotate, "nonsense"), "", "accept nonsense: no such finding stops a rotation"},
		{"roll back and accept", idle(retaining), accepting(rollback, "pending-reboot"), "", "rollback: only a rotation accepts findings"},
		{"rotate without a server", idle(), excepting(rotate), "", "rotate: only a rotation away from a compromised certificate leaves servers out"},
		{"roll back without a server", idle(retaining), excepting(compromised(rollback)), "", "rollback: only a rotation away from a compromised certificate"},
		{"replace what is compromised without a server", idle(), excepting(compromised(rotate)), "", ""},
		{"an unknown request", idle(), request("repair"), "", `unknown request "repair"`},
		{"nobody asks", idle(), controller.Request{Kind: controller.RequestRotate, Reason: "x"}, "", "say who asks, and why"},
		{"for no reason", idle(), controller.Request{Kind: controller.RequestRotate, By: "op"}, "", "say who asks, and why"},
		{"resume a farm that is not suspended", idle(), resume, "", "is not suspended"},
		{"rotate an unmanaged farm", idle(func(s *controller.State) { s.Unmanaged = "gone" }), rotate, "", "the farm is unmanaged: gone"},
		{"rotate while a rotation runs", idle(rotating), rotate, "", "rotate/contoso has been running since 2026-11-23 08:00 UTC: renewal"},
		{"rotate while a rotation starts", idle(), rotate, "drift on sp-01", "a rotation is starting: drift on sp-01"},
		{"rotate after another request", idle(func(s *controller.State) { s.AcceptRequest(&rotate) }), rollback, "", "op has just asked to rotate"},
		{"roll back with nothing unfinished", idle(), rollback, "", "nothing to roll back: no rotation is unfinished"},
		{
			"roll back what was verified", idle(retaining, func(s *controller.State) { s.Retention.VerifiedAt = epoch }), rollback, "",
			"nothing to roll back: the last rotation was verified on 2026-11-23 08:00 UTC; to go back behind it: farmtrust undo contoso",
		},
		{"roll back to a compromised certificate", idle(unfinished("B", "C"), func(s *controller.State) { s.Unfinished[0].Compromised = true }), rollback, "", "is compromised and is never restored"},
		{"undo with nothing verified", idle(), undo, "", "nothing to undo: no rotation was verified since the old certificate was retired"},
		{"undo twice", idle(func(s *controller.State) { s.UndoneAt = epoch }), undo, "", "nothing to undo: the last rotation was already undone on 2026-11-23 08:00 UTC"},
		{"undo what is unfinished", idle(retaining, unfinished("B", "C")), undo, "", "the rotation to C is not finished: roll it back first, with farmtrust rollback contoso"},
		{"undo to a compromised certificate", idle(withSnapshot(func(s *farm.Snapshot) { s.Compromised = true })), undo, "", "is compromised and is never restored"},
		{"undo once the deletion has begun", idle(withSnapshot(func(s *farm.Snapshot) { s.Deleting = true })), undo, "", "the deletion of the previous certificate A has begun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.from.CheckRequest(epoch, c.request, c.starting)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("CheckRequest: %v, want %q", err, c.want)
			}
		})
	}
}

func excepting(r controller.Request) controller.Request {
	r.Except = []string{"oos-03"}
	return r
}

func compromised(r controller.Request) controller.Request {
	r.Compromised = true
	return r
}
