package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// operators are told what the controller has to tell, as long as their receiver is there.
type operators struct {
	mu   sync.Mutex
	away error
	told []controller.Notice
	// attempts counts them by notice.
	attempts map[string]int
}

func newOperators() *operators { return &operators{attempts: map[string]int{}} }

// Notify implements activities.Notifier.
func (o *operators) Notify(_ context.Context, farmName string, n controller.Notice) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts[n.ID]++
	switch {
	case farmName != farmsim.FarmName:
		return fmt.Errorf("told of farm %q", farmName)
	case o.away != nil:
		return o.away
	}
	o.told = append(o.told, n)
	return nil
}

func (o *operators) setAway(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = err
}

// kinds are what operators were told, in order.
func (o *operators) kinds() []controller.NoticeKind {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []controller.NoticeKind
	for _, n := range o.told {
		all = append(all, n.Kind)
	}
	return all
}

// issueFor has the source hold a certificate that is valid for some time.
func (f *testFarm) issueFor(t *testing.T, validFor time.Duration) {
	t.Helper()
	if _, err := f.sim.IssueCertificate(validFor); err != nil {
		t.Fatal(err)
	}
}

// listen has the farm's controller tell operators.
func (f *testFarm) listen() *operators {
	o := newOperators()
	f.activities.Notices = o
	return o
}

// notTaken is the error of a receiver.
type notTaken struct{ final bool }

func (e notTaken) Error() string        { return "the receiver answers 503" }
func (e notTaken) Final() bool          { return e.final }
func (e notTaken) After() time.Duration { return 0 }

func TestManageFarm_TellsOperators(t *testing.T) {
	t.Run("of an approval that is waited for, and how the renewal ended", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		o, c := f.listen(), f.newController(t)
		c.after(time.Hour, func() {
			if diff := cmp.Diff([]controller.NoticeKind{controller.OperatorNeeded}, o.kinds()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			assertMentions(t, o.told[0].Text, "approval")
			c.decideOn(rotateID, farm.Approve)
		})
		c.runUntil(2 * time.Hour)
		want := []controller.NoticeKind{controller.OperatorNeeded, controller.NoOperatorNeeded, controller.RunEnded}
		if diff := cmp.Diff(want, o.kinds()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if last := o.told[len(o.told)-1]; last.WorkflowID != rotateID || last.Outcome != farm.Verified {
			t.Errorf("at last they were told %+v", last)
		}
		for id, n := range o.attempts {
			if n != 1 {
				t.Errorf("%s was told %d times", id, n)
			}
		}
	})
	t.Run("each time that the end comes closer, while a newer certificate is awaited", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.issueFor(t, 90*day)
		o, c := f.listen(), f.newController(t)
		c.after(time.Minute, func() { c.sendEvent("1") })
		c.runUntil(91 * day)
		var urgent []string
		for _, n := range o.told {
			if n.Kind == controller.CertificateEnds {
				text, _, _ := strings.Cut(n.Text, ":")
				urgent = append(urgent, text)
			}
		}
		want := []string{
			"the certificate in use ends within a week", "the certificate in use ends within three days",
			"the certificate in use ends within a day", "the certificate in use has ended",
		}
		if diff := cmp.Diff(want, urgent); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
	t.Run("once their receiver is there again, and does nothing else later because of that", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		o, c := f.listen(), f.newController(t)
		o.setAway(notTaken{})
		c.after(time.Hour, func() { c.decideOn(rotateID, farm.Approve) })
		c.after(2*time.Hour, func() {
			if s := c.state(); s.Last.Outcome != farm.Verified || len(s.Notices.Waiting) < 2 {
				t.Errorf("last run %+v; %+v", s.Last, s.Notices)
			}
			o.setAway(nil)
		})
		state := c.runUntil(3 * time.Hour)
		want := []controller.NoticeKind{controller.OperatorNeeded, controller.NoOperatorNeeded, controller.RunEnded}
		if diff := cmp.Diff(want, o.kinds()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if len(state.Notices.Waiting) > 0 || state.Notices.Problem != "" {
			t.Errorf("notices are %+v", state.Notices)
		}
	})
	t.Run("not by a receiver of something else, which the page says", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		o, c := f.listen(), f.newController(t)
		o.setAway(notTaken{final: true})
		state := c.runUntil(3 * time.Hour)
		assertMentions(t, state.Notices.Problem, "the receiver answers 503")
		if len(state.Notices.Waiting) > 0 {
			t.Errorf("%d notices wait", len(state.Notices.Waiting))
		}
	})
	t.Run("what the run before had not delivered", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		before := controller.State{Suspended: "for the test", Inspected: controller.Inspected{At: time.Now()}}
		before.Upgrade()
		before.NoteNeed(time.Now(), false, "suspended")
		o, c := f.listen(), f.newController(t)
		c.after(time.Hour, c.stop)
		c.runFrom(before)
		if len(o.told) != 1 || o.told[0].ID != before.Notices.Waiting[0].ID {
			t.Errorf("told %+v", o.told)
		}
	})
}
