package farm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestCompare_CarryOut(t *testing.T) {
	t.Run("carrying out every difference leaves none", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		listed := farm.Compare(tf.desired, tf.observed)
		tf.carryOutAll(listed)
		if left := farm.Compare(tf.desired, tf.observed); len(left) > 0 {
			t.Fatalf("after carrying out\n%v\nthese are left:\n%v", joinTexts(listed), joinTexts(left))
		}
	}))
	t.Run("the trust works when no difference is left", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
		tf.assertTrustWorks(t)
		tf.assertSettingsLoaded(t)
	}))
}

func TestCompare_Stable(t *testing.T) {
	t.Run("one state gives one list", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		if diff := cmp.Diff(farm.Compare(tf.desired, tf.observed), farm.Compare(tf.desired, tf.observed)); diff != "" {
			t.Fatalf("two comparisons of one state differ:\n%s", diff)
		}
	}))
	t.Run("a farm as desired stays without differences", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		for range 3 {
			tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
		}
		if got := farm.Compare(tf.desired, tf.observed); len(got) != 0 {
			t.Fatalf("a farm as desired has differences:\n%v", joinTexts(got))
		}
	}))
}

func TestCompare_Order(t *testing.T) {
	t.Run("differences follow the procedure", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		assertStepOrder(t, farm.Steps(), farm.Compare(tf.desired, tf.observed))
	}))
	t.Run("each difference says what, where and why", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		for _, d := range farm.Compare(tf.desired, tf.observed) {
			assertExplained(t, d)
			if d.Have == d.Want {
				t.Errorf("%s: has and wants %q", d.Text, d.Have)
			}
		}
	}))
}

func TestCompare_NotConfigured(t *testing.T) {
	t.Run("settings and farms that are not configured are not compared", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawTestFarm(t)
		tf.desired.Farm.Office.AllowOutboundHTTP, tf.desired.Farm.Office.AllowHTTPSecureStoreConnections = nil, nil
		for i := range tf.desired.Farm.Office.Others {
			other := &tf.desired.Farm.Office.Others[i]
			other.AllowOutboundHTTP, other.AllowHTTPSecureStoreConnections = nil, nil
		}
		tf.desired.Farm.SharePoint = nil
		for _, d := range farm.Compare(tf.desired, tf.observed) {
			if slices.Contains([]farm.Step{farm.StepHTTPSettings, farm.StepIssuer}, d.Step) || strings.HasPrefix(d.Server, "sp-") {
				t.Errorf("compared although not configured: %s", d.Text)
			}
		}
	}))
}

func TestDesire_FriendlyName(t *testing.T) {
	f := farm.Farm{Certificate: farm.CertificatePolicy{Name: "OOS S2S"}}
	target := farm.Certificate{Thumbprint: testThumbprint("T"), NotBefore: epoch}
	for _, c := range []struct {
		name     string
		observed farm.Observed
		want     string
	}{
		{"a new certificate gets a name of its own", farm.Observed{}, "OOS S2S 2026-11-01 " + target.Thumbprint.Short()},
		{
			"a certificate imported by hand keeps its name",
			farm.Observed{Office: []farm.OfficeServer{{}, {Certificates: []farm.StoreCertificate{{Thumbprint: target.Thumbprint, FriendlyName: "by hand"}}}}},
			"by hand",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := farm.Desire(f, target, c.observed).Target.FriendlyName; got != c.want {
				t.Errorf("friendly name %q, want %q", got, c.want)
			}
		})
	}
}

// assertStepOrder fails if a step comes after a later one of the order.
func assertStepOrder(t rapid.TB, order []farm.Step, differences []farm.Difference) {
	t.Helper()
	last := -1
	for _, d := range differences {
		at := slices.Index(order, d.Step)
		switch {
		case at < 0:
			t.Errorf("%q is not a step of this procedure", d.Step)
		case at < last:
			t.Errorf("%q comes after %q", d.Step, order[last])
		}
		last = at
	}
}

// assertExplained fails unless a difference says what is done and where.
func assertExplained(t rapid.TB, d farm.Difference) {
	t.Helper()
	if d.Text == "" {
		t.Errorf("%s on %s has no text", d.Step, d.Server)
	}
	if d.Server == "" {
		t.Errorf("%q is on no server", d.Text)
	}
}

func joinTexts(differences []farm.Difference) string {
	var lines []string
	for _, d := range differences {
		lines = append(lines, d.Server+": "+d.Text)
	}
	return strings.Join(lines, "\n")
}
