package fault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

var places = fault.Places{
	Servers: []string{"oos-01", "sp-01"}, Steps: []string{"Grant-S2SKey"},
	Services: map[string][]string{"oos-01": {"WAS", "WACSM"}, "sp-01": {"WAS", "SPTimerV4"}},
}

// condition is a fault of a kind that is a condition, at a server.
func condition(kind fault.Kind, server string, change ...func(*fault.Fault)) fault.Fault {
	f := fault.Fault{Kind: kind, Server: server, Step: "Grant-S2SKey"}
	for _, c := range change {
		c(&f)
	}
	return f
}

// TestCheck_Impossible checks that a fault that could never happen is refused.
func TestCheck_Impossible(t *testing.T) {
	t.Parallel()
	for claim, f := range map[string]fault.Fault{
		`kind "" is not one of`:                     {},
		`kind "flood" is not one of`:                {Kind: "flood"},
		`server "oos-9" is not one of "oos-01", "`:  {Kind: fault.Hang, Server: "oos-9"},
		`step "Grant" is not one of "Grant-S2SKey"`: {Kind: fault.Hang, Step: "Grant"},
		`times -2 is negative`:                      {Kind: fault.Hang, Times: -2},
		`skip -1 is negative`:                       {Kind: fault.Hang, Skip: -1},
		`when "later" is neither`:                   {Kind: fault.Hang, When: "later"},
		`a delay above zero belongs to slow`:        {Kind: fault.Slow},
		`to slow, reboot, detached and a service`:   {Kind: fault.Hang, Delay: 1},
		`the kind "detached" needs a step`:          {Kind: fault.Detached, Delay: 1},
		`a code belongs to a soap fault`:            {Kind: fault.SOAPFault},
		`a code belongs to a soap fault, and`:       {Kind: fault.Hang, Code: 5},
		`an error belongs to a script error`:        {Kind: fault.ScriptError},
		`an error belongs to a script error, and`:   {Kind: fault.Hang, Error: &fault.Error{}},
		`after acting needs a step for the kind "`:  {Kind: fault.Refused, When: fault.After},
		`a service belongs to one that does not`:    {Kind: fault.Hang, Service: "WAS"},
		`needs a server and a step`:                 {Kind: fault.PoolDown, Server: "oos-01"},
		`"iisreset fails" needs a server and`:       {Kind: fault.IISResetFails, Step: "Grant-S2SKey"},
		`service "" is not one of "WAS", "WACSM"`:   condition(fault.ServiceFails, "oos-01"),
		`service "SPTimerV4" is not one of`:         condition(fault.ServiceFails, "oos-01", func(f *fault.Fault) { f.Service = "SPTimerV4" }),
		`a delay above zero belongs to slow, reb`:   condition(fault.ServiceStops, "oos-01", func(f *fault.Fault) { f.Service = "WAS" }),
		`oos-01 is in no SharePoint farm`:           condition(fault.SQLAway, "oos-01", func(f *fault.Fault) { f.Times = -1 }),
		`the delay -1ns is negative`:                condition(fault.PoolDown, "oos-01", func(f *fault.Fault) { f.Delay = -1 }),
		`either for a delay or with times -1`:       condition(fault.SQLAway, "sp-01"),
	} {
		if err := f.Check(places); err == nil || !strings.Contains(err.Error(), claim) {
			t.Errorf("%+v: got %v, want %q", f, err, claim)
		}
	}
}

// TestPlan_OrderAndTimes checks that faults happen in order and as often as
// they say.
func TestPlan_OrderAndTimes(t *testing.T) {
	t.Parallel()
	var p fault.Plan
	p.Add(
		fault.Fault{Kind: fault.Dropped, Step: "Grant-S2SKey", Times: 2},
		fault.Fault{Kind: fault.Hang, Server: "oos-01", When: fault.After},
		fault.Fault{Kind: fault.Refused},
		fault.Fault{Kind: fault.Slow, Delay: fault.Duration(time.Second), Times: -1},
	)
	var got []fault.Kind
	note := func(f fault.Fault, due bool) {
		if due {
			got = append(got, f.Kind)
			return
		}
		got = append(got, "")
	}
	note(p.Step("oos-02", "Grant-S2SKey", fault.Before))
	note(p.Step("oos-01", "Grant-S2SKey", fault.Before))
	note(p.Step("oos-01", "Grant-S2SKey", fault.Before))
	note(p.Step("oos-01", "Grant-S2SKey", fault.Before, fault.Dropped, fault.Refused))
	note(p.Step("oos-02", "Grant-S2SKey", fault.After))
	note(p.Step("oos-01", "Grant-S2SKey", fault.After))
	note(p.Connection("oos-02", fault.Unauthorized))
	note(p.Connection("oos-02", fault.Refused))
	note(p.Connection("oos-02", fault.Refused))
	want := []fault.Kind{fault.Dropped, fault.Dropped, fault.Slow, "", "", fault.Hang, "", fault.Refused, ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults met (-want +got):\n%s", diff)
	}
	if pending := p.Pending(); len(pending) != 1 || pending[0].Kind != fault.Slow {
		t.Errorf("pending: %+v, want the endless one", pending)
	}
	p.Clear()
	if pending := p.Pending(); len(pending) != 0 {
		t.Errorf("pending after clearing: %+v", pending)
	}
}

// TestPlan_Skip checks that a fault first lets pass as many calls as it is
// told.
func TestPlan_Skip(t *testing.T) {
	t.Parallel()
	var p fault.Plan
	p.Add(fault.Fault{Kind: fault.Dropped, Step: "Grant-S2SKey", Server: "oos-01", Skip: 2})
	var got []bool
	for _, server := range []string{"oos-01", "oos-02", "oos-01", "oos-01", "oos-01"} {
		_, due := p.Step(server, "Grant-S2SKey", fault.Before)
		got = append(got, due)
	}
	if diff := cmp.Diff([]bool{false, false, false, true, false}, got); diff != "" {
		t.Errorf("faults met (-want +got):\n%s", diff)
	}
}

// TestPlan_Conditions checks that a condition happens once, when it becomes true,
// and keeps what the machine has to count.
func TestPlan_Conditions(t *testing.T) {
	t.Parallel()
	f := fault.Fault{
		Kind: fault.ServiceStops, Server: "oos-01", Step: "Grant-S2SKey", Service: "WACSM", Times: -1, Delay: fault.Duration(time.Second),
	}
	if err := f.Check(places); err != nil {
		t.Fatal(err)
	}
	var p fault.Plan
	p.Add(f)
	taken, due := p.Step("oos-01", "Grant-S2SKey", fault.Before, fault.Conditions()...)
	want := model.Condition{Kind: model.ServiceStops, Service: "WACSM", Starts: -1, Delay: time.Second}
	if diff := cmp.Diff(want, taken.Condition()); !due || diff != "" {
		t.Errorf("due %t; condition (-want +got):\n%s", due, diff)
	}
	if pending := p.Pending(); len(pending) != 0 {
		t.Errorf("pending: %+v", pending)
	}
}

func TestDecode_Strict(t *testing.T) {
	t.Parallel()
	got, err := fault.Decode([]byte(`[{"server":"oos-01","step":"Grant-S2SKey","kind":"slow","delay":"1.5s","times":3,"when":"after"}]`))
	want := []fault.Fault{{
		Server: "oos-01", Step: "Grant-S2SKey", Kind: fault.Slow, Delay: fault.Duration(1500 * time.Millisecond), Times: 3, When: fault.After,
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("decoded (-want +got):\n%s%v", diff, err)
	}
	for _, bad := range []string{``, `{}`, `[{"kind":"hang"}] []`, `[{"kind":"hang","tiems":1}]`, `[{"kind":"slow","delay":"soon"}]`} {
		if _, err := fault.Decode([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[{"kind":"slow","delay":"1.5s"}]`))
	f.Add([]byte(`[{"kind":"script error","error":{"id":"x","message":"y"}},{"kind":"soap fault","code":170,"times":-1}]`))
	f.Add([]byte(`[]null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		faults, err := fault.Decode(body)
		if err != nil {
			return
		}
		for _, f := range faults {
			if f.Check(places) != nil {
				continue
			}
			var p fault.Plan
			p.Add(f)
			for range 3 {
				p.Step("oos-01", "Grant-S2SKey", fault.Before)
			}
			if pending := p.Pending(); len(pending) > 1 {
				t.Errorf("one fault became %d", len(pending))
			}
		}
	})
}
