package farm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// plannedDifferences are one difference that staging removes, and two that the
// cutover does.
func plannedDifferences() []farm.Difference {
	return []farm.Difference{
		{Step: farm.StepImport, Server: "oos-01", Subject: "certificate", Have: "absent", Want: "new"},
		{Step: farm.StepS2SName, Server: "oos-01", Subject: "S2SCertificateName", Have: "old", Want: "new"},
		{Step: farm.StepIssuer, Server: "sp-01", Subject: "issuer SQL Server", Have: "OLD", Want: "NEW"},
	}
}

func TestDigest(t *testing.T) {
	target := testThumbprint("new")
	planned := farm.Digest(target, plannedDifferences(), nil)
	for _, c := range []struct {
		name   string
		change func([]farm.Difference) []farm.Difference
		same   bool
	}{
		{"stays when staging has removed its differences", func(d []farm.Difference) []farm.Difference { return d[1:] }, true},
		{"stays when only the wording changes", func(d []farm.Difference) []farm.Difference { d[1].Text = "another text"; return d }, true},
		{"changes with a value that the cutover replaces", func(d []farm.Difference) []farm.Difference { d[1].Have = "older"; return d }, false},
		{"changes when a difference of the cutover is gone", func(d []farm.Difference) []farm.Difference { return d[:2] }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := farm.Digest(target, c.change(plannedDifferences()), nil); (got == planned) != c.same {
				t.Errorf("digest %s, planned %s", got, planned)
			}
		})
	}
	t.Run("changes with the target", func(t *testing.T) {
		if got := farm.Digest(testThumbprint("newer"), plannedDifferences(), nil); got == planned {
			t.Errorf("digest %s for another target", got)
		}
	})
	t.Run("changes with what is accepted, by whom and why", func(t *testing.T) {
		accepted := acceptanceOf("pending-reboot@oos-01")
		digests := map[string]bool{planned: true}
		for _, a := range []farm.Acceptance{accepted, {Code: accepted.Code}, {Code: accepted.Code, By: "bob"}, {Code: accepted.Code, By: "bob", Reason: "x"}} {
			digests[farm.Digest(target, plannedDifferences(), []farm.Acceptance{a})] = true
		}
		if len(digests) != 5 {
			t.Errorf("%d digests, want one for each acceptance and one without: %v", len(digests), digests)
		}
	})
}

// What is staged is in the plan already: it changes no digest, and is no drift.
func TestDrift_Staging(t *testing.T) {
	t.Run("is neither drift nor another digest", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		planned := farm.Compare(tf.desired, tf.observed)
		for _, d := range planned {
			if d.Step == farm.StepImport || d.Step == farm.StepGrant || d.Step == farm.StepRootAuthority {
				tf.carryOut(d)
			}
		}
		found := farm.Compare(tf.desired, tf.observed)
		if drift := farm.Drift(planned, found); len(drift) > 0 {
			t.Errorf("drift: %v", drift)
		}
		before, after := farm.Digest(tf.desired.Target.Thumbprint, planned, nil), farm.Digest(tf.desired.Target.Thumbprint, found, nil)
		if before != after {
			t.Errorf("the digest was %s and is %s", before, after)
		}
	}))
}

func TestDrift(t *testing.T) {
	staged := plannedDifferences()[1:]
	for _, c := range []struct {
		name  string
		found []farm.Difference
		want  []string
	}{
		{"none when staging did its part", staged, nil},
		{
			"a value has changed",
			[]farm.Difference{{Step: farm.StepS2SName, Server: "oos-01", Subject: "S2SCertificateName", Have: "by hand", Want: "new"}, staged[1]},
			[]string{"oos-01: S2SCertificateName is now by hand"},
		},
		{
			"a new difference has appeared",
			append(slices.Clone(staged), farm.Difference{Step: farm.StepHTTPSettings, Server: "oos-01", Subject: "AllowOutboundHttp", Have: "true", Want: "false"}),
			[]string{"oos-01: AllowOutboundHttp is now true"},
		},
		{"a difference is gone", staged[:1], []string{"sp-01: issuer SQL Server is already NEW"}},
		{"a certificate is gone after staging", plannedDifferences(), []string{"oos-01: certificate is absent again"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, farm.Drift(plannedDifferences(), c.found)); diff != "" {
				t.Errorf("drift (-want +got):\n%s", diff)
			}
		})
	}
}
