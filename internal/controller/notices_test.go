package controller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// telling is a farm whose operators are told.
func telling(change ...func(*controller.State)) controller.State {
	return idle(append([]func(*controller.State){func(s *controller.State) { s.Upgrade() }}, change...)...)
}

// show has the state shown at a moment, as a controller does whenever it begins to wait.
func show(s *controller.State, now time.Time) {
	s.NoteNeed(now, s.NoteUrgency(now), "as its page says")
}

// kinds are the kinds of the notices that wait.
func kinds(s controller.State) []controller.NoticeKind {
	var all []controller.NoticeKind
	for _, n := range s.Notices.Waiting {
		all = append(all, n.Kind)
	}
	return all
}

func assertNotices(t *testing.T, s controller.State, want ...controller.NoticeKind) {
	t.Helper()
	if diff := cmp.Diff(want, kinds(s)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

func TestNotices_AreOfWhatIsNew(t *testing.T) {
	blocked := func(server string) func(*controller.State) {
		return func(s *controller.State) {
			s.Active.Wait = &farm.Wait{For: farm.ForDecision, Blocked: []farm.Blocked{{Server: server, Step: farm.StepImport}}}
		}
	}
	next := func(code farm.ReasonCode, reason string) func(*controller.State) {
		return func(s *controller.State) { s.Next = farm.Next{NeedsOperator: true, Code: code, Reason: reason} }
	}
	over := func(s *controller.State) { s.Suspended, s.Next, s.Active = "", farm.Next{}, nil }
	for name, c := range map[string]struct {
		changes []func(*controller.State)
		want    []controller.NoticeKind
	}{
		"nothing of a farm in order":             {nil, nil},
		"a suspension, once":                     {[]func(*controller.State){suspended, suspended}, []controller.NoticeKind{controller.OperatorNeeded}},
		"that it is over":                        {[]func(*controller.State){suspended, over, over}, []controller.NoticeKind{controller.OperatorNeeded, controller.NoOperatorNeeded}},
		"other words for the same need are none": {[]func(*controller.State){next(farm.CodeUnobserved, "oos-01 is away"), next(farm.CodeUnobserved, "oos-02 is away")}, []controller.NoticeKind{controller.OperatorNeeded}},
		"another need":                           {[]func(*controller.State){next(farm.CodeUnobserved, "x"), next(farm.CodeStopped, "y")}, []controller.NoticeKind{controller.OperatorNeeded, controller.OperatorNeeded}},
		"a run that waits for another decision":  {[]func(*controller.State){rotating, blocked("oos-01"), blocked("oos-01"), blocked("oos-02")}, []controller.NoticeKind{controller.OperatorNeeded, controller.OperatorNeeded}},
	} {
		t.Run(name, func(t *testing.T) {
			s := telling()
			show(&s, epoch)
			for i, change := range c.changes {
				change(&s)
				show(&s, epoch.Add(time.Duration(i+1)*time.Minute))
				s = clone(t, s)
			}
			assertNotices(t, s, c.want...)
		})
	}
}

func TestNotices_GrowWithTheUrgency(t *testing.T) {
	s := telling(func(s *controller.State) {
		s.Inspected.Current.NotBefore, s.Inspected.Current.NotAfter = epoch, epoch.Add(90*day)
	})
	for at := epoch; at.Before(epoch.Add(95 * day)); at = at.Add(time.Hour) {
		show(&s, at)
	}
	var texts []string
	for _, n := range s.Notices.Waiting {
		texts = append(texts, strings.TrimSuffix(n.Text, ": as its page says")+" "+n.At.Sub(s.Inspected.Current.NotAfter).String())
		if n.Kind != controller.CertificateEnds || !n.NeedsOperator || !n.NotAfter.Equal(epoch.Add(90*day)) {
			t.Errorf("got %+v", n)
		}
	}
	want := []string{
		"the certificate in use ends within a week -168h0m0s", "the certificate in use ends within three days -72h0m0s",
		"the certificate in use ends within a day -24h0m0s", "the certificate in use has ended 0s",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

// A certificate that lives for two hours is not urgent from its first minute on.
func TestNotices_OfACertificateThatLivesForHours(t *testing.T) {
	s := telling(func(s *controller.State) {
		s.Inspected.Current.NotBefore, s.Inspected.Current.NotAfter = epoch, epoch.Add(2*time.Hour)
	})
	var texts []string
	for at := epoch; !at.After(epoch.Add(2 * time.Hour)); at = at.Add(time.Minute) {
		before := len(s.Notices.Waiting)
		show(&s, at)
		for _, n := range s.Notices.Waiting[before:] {
			texts = append(texts, n.At.Sub(epoch).String()+" "+strings.TrimSuffix(n.Text, ": as its page says"))
		}
	}
	want := []string{
		"1h40m0s the certificate in use ends within 20m", "1h50m0s the certificate in use ends within 10m",
		"1h55m0s the certificate in use ends within 5m", "2h0m0s the certificate in use has ended",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

func TestNotices_OfRunsThatEnd(t *testing.T) {
	s := telling(rotating)
	run := *s.Active
	s.EndRotation(epoch, farm.RotationResult{Report: farm.Report{Outcome: farm.Verified, Statement: "configured as desired"}}, "")
	assertNotices(t, s, controller.RunEnded)
	if n := s.Notices.Waiting[0]; n.WorkflowID != run.WorkflowID || n.RunID != run.RunID || n.Outcome != farm.Verified || !strings.Contains(n.Text, "configured as desired") {
		t.Errorf("got %+v", n)
	}
	s.BeginRun(run)
	s.EndRotation(epoch, farm.RotationResult{}, "it was terminated")
	if n := s.Notices.Waiting[1]; n.Outcome != "" || !strings.Contains(n.Text, "without a report: it was terminated") || !n.NeedsOperator {
		t.Errorf("got %+v", n)
	}
}

// A receiver that is away for weeks finds what was last, and the state stays small.
func TestNotices_AreBounded(t *testing.T) {
	s := telling()
	for i := range 200 {
		suspended(&s)
		s.NoteNeed(epoch, false, strings.Repeat("x", 100_000))
		s.Suspended = ""
		s.NoteNeed(epoch, false, "")
		if size := farm.SizeOf(s.Notices); size > 100_000 {
			t.Fatalf("after %d notices they have %d bytes", i, size)
		}
	}
	ids := map[string]bool{}
	for _, n := range s.Notices.Waiting {
		ids[n.ID] = true
	}
	last := s.Notices.Waiting[len(s.Notices.Waiting)-1]
	if len(ids) != len(s.Notices.Waiting) || last.Kind != controller.NoOperatorNeeded {
		t.Errorf("%d IDs of %d notices, the last one %+v", len(ids), len(s.Notices.Waiting), last)
	}
	s.EndNotice(last.ID, "nobody there")
	if len(s.Notices.Waiting) != len(ids)-1 || s.Notices.Problem != "nobody there" {
		t.Errorf("%d wait, problem %q", len(s.Notices.Waiting), s.Notices.Problem)
	}
}

// A state of an earlier version makes none: nobody would deliver them.
func TestNotices_OfAnEarlierVersion(t *testing.T) {
	s := idle(suspended, rotating)
	s.UpgradeToReleases()
	show(&s, epoch)
	s.EndRotation(epoch, farm.RotationResult{}, "gone")
	assertNotices(t, s)
}

func TestNextInspectionAt_WhileACertificateIsAwaited(t *testing.T) {
	s := telling(func(s *controller.State) {
		s.Policy.InspectionInterval = 6 * time.Hour
		s.Next = farm.Next{Action: farm.ActionAwaitCertificate, NeedsOperator: true}
		s.Inspected.Current.NotAfter = epoch.Add(30 * day)
	})
	var last time.Duration
	for looks := 0; ; looks++ {
		left := s.Inspected.Current.NotAfter.Sub(s.Inspected.At)
		if left <= 0 {
			break
		}
		interval := s.NextInspectionAt().Sub(s.Inspected.At)
		switch {
		case interval > left && left > 10*time.Minute:
			t.Fatalf("%s before the end the next look is in %s", left, interval)
		case last > 0 && interval > last:
			t.Fatalf("%s before the end it waits longer than before: %s", left, interval)
		case looks > 300:
			t.Fatalf("%d looks, and it has not ended", looks)
		}
		last, s.Inspected.At = interval, s.Inspected.At.Add(interval)
	}
	if interval := s.NextInspectionAt().Sub(s.Inspected.At); interval < 10*time.Minute || interval > 15*time.Minute {
		t.Errorf("after the end the next look is in %s", interval)
	}
}
