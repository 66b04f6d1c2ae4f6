package farm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// cutoverApproval is of a cutover that restarts everything.
func cutoverApproval() farm.Approval {
	f := farmOfSeven()
	a := farm.NewApproval(f, restartsOf(f), masterIsFirst, nil)
	a.Run, a.Nth, a.What, a.Target, a.Previous = "run-1", 1, "the cutover", testThumbprint("new"), testThumbprint("old")
	return a
}

// farmOfSeven has two SharePoint farms, of one and two servers, and four office servers.
func farmOfSeven() farm.Farm {
	server := func(host string) farm.Server { return farm.Server{Host: host} }
	return farm.Farm{
		Name:   "contoso",
		Office: farm.Office{Servers: []farm.Server{server("oos-01"), server("oos-02"), server("oos-03"), server("oos-04")}},
		SharePoint: []farm.SharePoint{
			{FrontEnd: server("sp-01"), Servers: []farm.Server{server("sp-01"), server("sp-02")}},
			{FrontEnd: server("my-01"), Servers: []farm.Server{server("my-01")}},
		},
		Rotation: farm.RotationPolicy{RestartAtOnce: 2, HealthyFor: 2 * time.Minute},
	}
}

// restartsOf are the differences of a renewal in the order of the comparison.
func restartsOf(f farm.Farm) []farm.Difference {
	all := []farm.Difference{
		{Step: farm.StepImport, Server: "oos-01", Subject: "certificate", Have: "absent", Want: "new"},
		{Step: farm.StepS2SName, Server: "oos-01", Subject: "S2SCertificateName", Have: "old", Want: "new"},
		{Step: farm.StepReplication, Server: "oos-02", Subject: "S2SCertificateName", Have: "old", Want: "new"},
		{Step: farm.StepIssuer, Server: "sp-01", Subject: "issuer SQL Server", Have: "OLD", Want: "NEW"},
	}
	for _, host := range append(f.OfficeHosts(), f.SharePointHosts()...) {
		all = append(all, farm.Difference{Step: farm.StepRestart, Server: host, Text: "restart WACSM and IIS: its settings change"})
	}
	return all
}

func masterIsFirst(o farm.Office) string { return o.Servers[0].Host }

// The digest is over everything that is shown, so that an approval is of nothing else.
func TestApproval_Digest(t *testing.T) {
	digests := map[string]string{cutoverApproval().Digest(): "nothing"}
	for name, change := range map[string]func(*farm.Approval){
		"another run":               func(a *farm.Approval) { a.Run = "run-2" },
		"asked again":               func(a *farm.Approval) { a.Nth = 2 },
		"something else":            func(a *farm.Approval) { a.What = "the undo" },
		"another target":            func(a *farm.Approval) { a.Target = testThumbprint("newer") },
		"another one before":        func(a *farm.Approval) { a.Previous = testThumbprint("older") },
		"another value to replace":  func(a *farm.Approval) { a.Steps[0].Have = "by hand" },
		"one change less":           func(a *farm.Approval) { a.Steps = a.Steps[1:] },
		"one restart less":          func(a *farm.Approval) { a.Restarts = a.Restarts[1:] },
		"another order":             func(a *farm.Approval) { slices.Reverse(a.Restarts) },
		"a server that is left out": func(a *farm.Approval) { a.LeftOut = []string{"oos-03"} },
		"an accepted finding":       func(a *farm.Approval) { a.Accepted = []farm.Acceptance{{Code: "pending-reboot", By: "bob"}} },
		"the same for a reason": func(a *farm.Approval) {
			a.Accepted = []farm.Acceptance{{Code: "pending-reboot", By: "bob", Reason: "x"}}
		},
		"another estimate": func(a *farm.Approval) { a.EstimateMS++ },
		"no way back":      func(a *farm.Approval) { a.NoWayBack = "the previous certificate is gone" },
		"another window":   func(a *farm.Approval) { a.Opening = farm.Opening{From: epoch, To: epoch.Add(time.Hour)} },
		"a note":           func(a *farm.Approval) { a.Notes = []string{"not looked at"} },
	} {
		a := cutoverApproval()
		change(&a)
		if other, taken := digests[a.Digest()]; taken {
			t.Errorf("%s has the digest of %s", name, other)
		}
		digests[a.Digest()] = name
	}
	for digest := range digests {
		if len(digest) != 32 {
			t.Errorf("digest %s has %d digits, want 32: 128 bits", digest, len(digest))
		}
	}
}

func TestNewApproval(t *testing.T) {
	f := farmOfSeven()
	t.Run("covers every restart, in the order in which they are made", func(t *testing.T) {
		a := farm.NewApproval(f, restartsOf(f), masterIsFirst, nil)
		var got []string
		for _, r := range a.Restarts {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%d %s canary %t master %t", r.Order, r.Server, r.Canary, r.Master)))
		}
		want := []string{
			"1 sp-01 canary false master false", "1 my-01 canary false master false", "2 sp-02 canary false master false",
			"3 oos-02 canary true master false", "4 oos-03 canary false master false", "4 oos-04 canary false master false",
			"5 oos-01 canary false master true",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("restarts (-want +got):\n%s", diff)
		}
		if want := 10*time.Minute + 5*5*time.Minute; a.Estimate() != want {
			t.Errorf("it takes %s, want %s", a.Estimate(), want)
		}
	})
	t.Run("a wait for replication is no change", func(t *testing.T) {
		for _, d := range farm.NewApproval(f, restartsOf(f), masterIsFirst, nil).Steps {
			if d.Step == farm.StepReplication || d.Step == farm.StepImport {
				t.Errorf("step %q on %s is no change that users notice", d.Step, d.Server)
			}
		}
	})
	t.Run("names who is left out, and restarts them not", func(t *testing.T) {
		a := farm.NewApproval(f, restartsOf(f), masterIsFirst, []string{"oos-02", "sp-02"})
		for _, r := range a.Restarts {
			if r.Server == "oos-02" || r.Server == "sp-02" {
				t.Errorf("%s is restarted", r.Server)
			}
		}
		if !slices.Equal(a.LeftOut, []string{"oos-02", "sp-02"}) || a.Restarts[2].Server != "oos-03" || !a.Restarts[2].Canary {
			t.Errorf("left out are %v, and the canary is %+v, want oos-03", a.LeftOut, a.Restarts[2])
		}
	})
	t.Run("a restart alone is noticed, staging is not", func(t *testing.T) {
		restart := []farm.Difference{{Step: farm.StepRestart, Server: "oos-03", Text: "restart WACSM and IIS: WACSM is not running"}}
		if a := farm.NewApproval(f, restart, masterIsFirst, nil); !a.IsNoticed() || len(a.Restarts) != 1 || a.Restarts[0].Why != "WACSM is not running" {
			t.Errorf("the approval is %+v, want the restart in it", a)
		}
		if a := farm.NewApproval(f, restartsOf(f)[:1], masterIsFirst, nil); a.IsNoticed() {
			t.Errorf("the approval of an import is %+v, want nothing in it", a)
		}
	})
}

// Every restart of a comparison is planned, once, whatever the farm is like.
func TestPlanRestarts_LosesNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tf := drawTestFarm(t)
		tf.desired.Farm.Rotation.RestartAtOnce = rapid.IntRange(0, 3).Draw(t, "at once")
		found := farm.Compare(tf.desired, tf.observed)
		want, got := []string{}, []string{}
		for _, d := range found {
			if d.Step == farm.StepRestart {
				want = append(want, d.Server)
			}
		}
		for _, r := range farm.PlanRestarts(tf.desired.Farm, found, masterIsFirst, nil) {
			got = append(got, r.Server)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("restarts (-want +got):\n%s", diff)
		}
	})
}

func TestDescribeReversals(t *testing.T) {
	f := farmOfSeven()
	for _, c := range []struct {
		name string
		rows map[string][]farm.Step
		want string
	}{
		{"nothing was changed", nil, "changes nothing, because nothing was changed; no restart"},
		{"one import", map[string][]farm.Step{"oos-03": {farm.StepImport, farm.StepGrant}}, "removes the certificate from oos-03; no restart"},
		{
			"staging",
			map[string][]farm.Step{"oos-03": {farm.StepGrant}, "sp-01": {farm.StepRootAuthority}},
			"removes the root authority from sp-01; takes back the access to the key on oos-03; no restart",
		},
		{
			"the cutover",
			map[string][]farm.Step{"oos-01": {farm.StepS2SName}, "sp-01": {farm.StepIssuer}},
			"restores the issuers and the S2S certificate's name; restarts 6 servers: sp-01, sp-02, oos-02, oos-03, oos-04, oos-01",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r farm.Report
			for _, host := range append(f.OfficeHosts(), f.SharePointHosts()...) {
				server := farm.ServerReport{Host: host}
				for _, step := range c.rows[host] {
					server.Steps = append(server.Steps, farm.StepReport{Step: step, Changed: true})
				}
				r.Servers = append(r.Servers, server)
			}
			reversals := r.Reversals(f)
			if got := farm.DescribeReversals(reversals, farm.PlanRestarts(f, reversals, masterIsFirst, nil)); got != c.want {
				t.Errorf("a rollback %q, want %q", got, c.want)
			}
		})
	}
}
