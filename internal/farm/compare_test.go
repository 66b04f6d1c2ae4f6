package farm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestCarryingOutWhatCompareListsLeavesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		listed := farm.Compare(w.desired, w.observed)
		now := epoch.Add(24 * time.Hour)
		for _, d := range listed {
			now = now.Add(time.Minute)
			w.carryOut(d, now)
		}
		if left := farm.Compare(w.desired, w.observed); len(left) > 0 {
			t.Fatalf("after carrying out\n%v\nthese are left:\n%v", texts(listed), texts(left))
		}
		if wrong := append(w.wrong(), w.stale()...); len(wrong) > 0 {
			t.Fatalf("after carrying out\n%v\nnothing is left, and yet: %v", texts(listed), wrong)
		}
	})
}

func TestEqualStatesCompareEmptyAndCompareIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		if diff := cmp.Diff(farm.Compare(w.desired, w.observed), farm.Compare(w.desired, w.observed)); diff != "" {
			t.Fatalf("two comparisons of one state differ:\n%s", diff)
		}
		for i, now := 0, epoch.Add(24*time.Hour); i < 3; i++ {
			for _, d := range farm.Compare(w.desired, w.observed) {
				now = now.Add(time.Minute)
				w.carryOut(d, now)
			}
		}
		if got := farm.Compare(w.desired, w.observed); len(got) != 0 {
			t.Fatalf("a farm as desired compares as %v", texts(got))
		}
	})
}

func TestDifferencesFollowTheProcedure(t *testing.T) {
	order := farm.Steps()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		last := -1
		for _, d := range farm.Compare(w.desired, w.observed) {
			at := slices.Index(order, d.Step)
			if at < last {
				t.Fatalf("%q comes after %q", d.Step, order[last])
			}
			last = at
			if d.Text == "" || d.Server == "" || d.Have == d.Want {
				t.Fatalf("difference does not say what, where and why: %+v", d)
			}
		}
	})
}

func TestWhatIsNotConfiguredIsNotCompared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.desired.Farm.Office.AllowOutboundHTTP, w.desired.Farm.Office.AllowHTTPSecureStoreConnections = nil, nil
		w.desired.Farm.SharePoint = nil
		for _, d := range farm.Compare(w.desired, w.observed) {
			if d.Step == farm.StepHTTPSettings || d.Step == farm.StepIssuer || strings.HasPrefix(d.Server, "sp-") {
				t.Fatalf("compared although not configured: %s", d.Text)
			}
		}
	})
}

func texts(list []farm.Difference) string {
	var out []string
	for _, d := range list {
		out = append(out, d.Server+": "+d.Text)
	}
	return strings.Join(out, "\n")
}

func TestDesireKeepsTheNameUnderWhichAServerHoldsTheTarget(t *testing.T) {
	f := farm.Farm{Certificate: farm.CertificatePolicy{Name: "OOS S2S"}}
	target := farm.Certificate{Thumbprint: print40("T"), NotBefore: epoch}
	if got, want := farm.Desire(f, target, farm.Observed{}).Target.FriendlyName, "OOS S2S 2026-11-01 "+target.Thumbprint.Short(); got != want {
		t.Errorf("new certificate is named %q, want %q", got, want)
	}
	held := farm.Observed{Office: []farm.OfficeServer{{}, {Certificates: []farm.StoreCertificate{{Thumbprint: target.Thumbprint, FriendlyName: "by hand"}}}}}
	if got := farm.Desire(f, target, held).Target.FriendlyName; got != "by hand" {
		t.Errorf("certificate imported by hand is named %q, want its own name kept", got)
	}
}

func TestThumbprintsAreReadInAnySpelling(t *testing.T) {
	want := print40("x")
	spelled := "\u200e" + strings.ToLower(string(want[:2])) + " " + string(want[2:10]) + ":" + string(want[10:])
	if got, err := farm.ParseThumbprint(spelled); err != nil || got != want {
		t.Errorf("ParseThumbprint(%q) = %q, %v; want %q", spelled, got, err, want)
	}
	for _, bad := range []string{"", "xyz", string(want) + "00", string(want[:39])} {
		if got, err := farm.ParseThumbprint(bad); err == nil {
			t.Errorf("ParseThumbprint(%q) = %q, want an error", bad, got)
		}
	}
}

func FuzzParseThumbprint(f *testing.F) {
	f.Add("\u200e3f 2a 91 bc")
	f.Add(string(print40("x")))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := farm.ParseThumbprint(s)
		if err == nil && len(got) != 40 {
			t.Errorf("ParseThumbprint(%q) = %q", s, got)
		}
	})
}
