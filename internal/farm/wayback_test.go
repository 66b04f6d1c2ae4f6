package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// newRotatedTestFarm returns a farm that was rotated from a certificate, and the
// snapshot of that.
func newRotatedTestFarm() (*testFarm, farm.Snapshot, farm.StoreCertificate) {
	tf := newTestFarm()
	old := farm.StoreCertificate{
		Thumbprint: testThumbprint("old"), FriendlyName: "OOS S2S old", NotAfter: epoch.Add(time.Hour),
		HasKey: true, KeySigns: true, KeyReaders: []string{farm.NetworkService},
	}
	for i := range tf.observed.Office {
		s := &tf.observed.Office[i]
		s.Settings.S2SCertificateName, s.Certificates = old.FriendlyName, []farm.StoreCertificate{old}
	}
	snapshot := tf.takeSnapshot()
	snapshot.Previous = old
	for i := range tf.observed.Office {
		tf.observed.Office[i].Settings.S2SCertificateName = tf.desired.Target.FriendlyName
	}
	return tf, snapshot, old
}

func TestNoWayBack(t *testing.T) {
	for _, c := range []struct {
		name string
		held func(old farm.StoreCertificate) []farm.StoreCertificate
		want string
	}{
		{"as it was", func(c farm.StoreCertificate) []farm.StoreCertificate { return []farm.StoreCertificate{c} }, ""},
		{"archived", func(c farm.StoreCertificate) []farm.StoreCertificate {
			c.Archived = true
			return []farm.StoreCertificate{c}
		}, ""},
		{"readable by everyone", func(c farm.StoreCertificate) []farm.StoreCertificate {
			c.KeyReaders = []string{"S-1-1-0"}
			return []farm.StoreCertificate{c}
		}, ""},
		{"absent", func(farm.StoreCertificate) []farm.StoreCertificate { return nil }, "is not in the Personal store"},
		{"without key", func(c farm.StoreCertificate) []farm.StoreCertificate {
			c.HasKey = false
			return []farm.StoreCertificate{c}
		}, "without its key"},
		{"key not readable", func(c farm.StoreCertificate) []farm.StoreCertificate {
			c.KeyReaders = []string{"S-1-5-18"}
			return []farm.StoreCertificate{c}
		}, "NETWORK SERVICE cannot read"},
		{"key of the other kind", func(c farm.StoreCertificate) []farm.StoreCertificate {
			c.KeySigns, c.ModernKeySigns = false, true
			return []farm.StoreCertificate{c}
		}, "does not sign"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf, snapshot, old := newRotatedTestFarm()
			tf.observed.Office[1].Certificates = c.held(old)
			findings, plan := farm.CheckRollback(snapshot, tf.observed), farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
			if c.want == "" {
				if why := snapshot.NoWayBack(tf.observed); why != "" || len(findings) > 0 || len(plan.Reversals) == 0 {
					t.Errorf("no way back: %q, findings %v, reversals:\n%s", why, findings, joinTexts(plan.Reversals))
				}
				return
			}
			if diff := cmp.Diff([]string{"no-way-back oos-02"}, summarizeFindings(findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if why := snapshot.NoWayBack(tf.observed); !strings.HasPrefix(why, "oos-02: ") || !strings.Contains(why, c.want) {
				t.Errorf("it says %q, want the server and %q", why, c.want)
			}
			if diff := cmp.Diff([]string{"rollback-blocked oos-02"}, summarizeFindings(plan.Remaining)); diff != "" || len(plan.Reversals) > 0 {
				t.Errorf("remaining (-want +got):\n%s\nreversals:\n%s", diff, joinTexts(plan.Reversals))
			}
			if plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed, "oos-02"); len(plan.Reversals) == 0 {
				t.Errorf("with the server left out: %v", plan.Remaining)
			}
		})
	}
	t.Run("what is only staged can be rolled back", func(t *testing.T) {
		tf, snapshot, old := newRotatedTestFarm()
		for i := range tf.observed.Office {
			tf.observed.Office[i].Settings.S2SCertificateName = old.FriendlyName
		}
		tf.observed.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: tf.desired.Target.Thumbprint}}
		plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
		if len(plan.Reversals) == 0 || plan.Reversals[len(plan.Reversals)-1].Step != farm.StepRemoveCertificate {
			t.Errorf("remaining %v, reversals:\n%s", plan.Remaining, joinTexts(plan.Reversals))
		}
	})
}
