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

// What is staged is in the plan already: it is no drift.
func TestDrift_Staging(t *testing.T) {
	t.Run("is no drift", rapid.MakeCheck(func(t *rapid.T) {
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
