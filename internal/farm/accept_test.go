package farm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// foundStops are two stops that can be accepted, one that cannot, and a warning.
func foundStops() []farm.Finding {
	return []farm.Finding{
		{Code: "pending-reboot", Severity: farm.Stop, Server: "oos-01"},
		{Code: "pending-reboot", Severity: farm.Stop, Server: "sp-01"},
		{Code: "masters-differ", Severity: farm.Stop, Server: "oos-02"},
		{Code: "fips", Severity: farm.Warn, Server: "oos-01"},
	}
}

// acceptanceOf is ada's acceptance of what ref names, which is not looked up.
func acceptanceOf(ref string) farm.Acceptance {
	code, server, _ := strings.Cut(ref, "@")
	return farm.Acceptance{Code: code, Server: server, By: "ada", Reason: "patch day", At: epoch}
}

func TestApplyAcceptances(t *testing.T) {
	for _, c := range []struct {
		name     string
		accepted []string
		// want are the stops that are left, wantErr is part of the error.
		want    []string
		wantErr string
	}{
		{"nothing is accepted", nil, []string{"pending-reboot@oos-01", "pending-reboot@sp-01", "masters-differ@oos-02"}, ""},
		{"one server", []string{"pending-reboot@oos-01"}, []string{"pending-reboot@sp-01", "masters-differ@oos-02"}, ""},
		{"one server in other letters", []string{"pending-reboot@OOS-01"}, []string{"pending-reboot@sp-01", "masters-differ@oos-02"}, ""},
		{"all servers", []string{"pending-reboot"}, []string{"masters-differ@oos-02"}, ""},
		{
			"what is never acceptable",
			[]string{"masters-differ"},
			[]string{"pending-reboot@oos-01", "pending-reboot@sp-01", "masters-differ@oos-02"},
			"accept masters-differ: nothing like that stops the rotation now; what does: pending-reboot@oos-01, pending-reboot@sp-01, masters-differ@oos-02 (never acceptable)",
		},
		{
			"another server",
			[]string{"pending-reboot@oos-09", "pending-reboot@sp-01"},
			[]string{"pending-reboot@oos-01", "masters-differ@oos-02"},
			"accept pending-reboot@oos-09: nothing like that stops the rotation now; what does: ",
		},
		{
			"a warning",
			[]string{"fips@oos-01"},
			[]string{"pending-reboot@oos-01", "pending-reboot@sp-01", "masters-differ@oos-02"},
			"accept fips@oos-01: nothing like that",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var accepted []farm.Acceptance
			for _, ref := range c.accepted {
				accepted = append(accepted, acceptanceOf(ref))
			}
			got, err := farm.ApplyAcceptances(foundStops(), accepted)
			var left []string
			for _, f := range farm.Stops(got) {
				left = append(left, f.Ref())
			}
			if diff := cmp.Diff(c.want, left); diff != "" {
				t.Errorf("stops that are left (-want +got):\n%s", diff)
			}
			if (err == nil) != (c.wantErr == "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
		})
	}
	t.Run("an accepted finding warns and says who accepted it", func(t *testing.T) {
		found := foundStops()
		got, _ := farm.ApplyAcceptances(found, []farm.Acceptance{acceptanceOf("pending-reboot@oos-01")})
		by := acceptanceOf("pending-reboot@oos-01")
		want := []farm.Finding{{Code: "pending-reboot", Severity: farm.Warn, Server: "oos-01", Accepted: &by}}
		if diff := cmp.Diff(want, farm.AcceptedFindings(got)); diff != "" {
			t.Errorf("accepted (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(foundStops(), found); diff != "" {
			t.Errorf("what was found is changed (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(found, farm.WithoutAcceptances(got)); diff != "" {
			t.Errorf("without acceptances (-want +got):\n%s", diff)
		}
	})
	t.Run("a report keeps what was accepted and is gone", func(t *testing.T) {
		before, _ := farm.ApplyAcceptances(foundStops(), []farm.Acceptance{acceptanceOf("pending-reboot")})
		got := farm.KeepAccepted(before[1:2], before)
		if diff := cmp.Diff([]farm.Finding{before[1], before[0]}, got); diff != "" {
			t.Errorf("kept (-want +got):\n%s", diff)
		}
	})
}

func TestParseAcceptance(t *testing.T) {
	for ref, want := range map[string]string{
		"pending-reboot":        "",
		"pending-reboot@oos-01": "",
		"":                      "give the code of a finding",
		"@oos-01":               "give the code of a finding",
		"pending-reboot@":       "give the code of a finding",
		"masters-differ@oos-01": "accept masters-differ@oos-01: it can never be accepted: the servers belong to different farms",
		"fips":                  "accept fips: no such finding stops a rotation; these can be accepted: pending-reboot, ",
		"Pending-Reboot":        "no such finding",
	} {
		t.Run(ref, func(t *testing.T) {
			a, err := farm.ParseAcceptance(ref)
			switch {
			case want == "" && (err != nil || a.Ref() != ref):
				t.Errorf("got %q, %v", a.Ref(), err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("error %v, want %q", err, want)
			}
			if got := farm.NewAcceptances([]string{ref}, "ada", "patch day", epoch); (len(got) == 1) != (want == "") {
				t.Errorf("NewAcceptances: %+v", got)
			}
		})
	}
}
