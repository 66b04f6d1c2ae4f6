package farm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestPlanRollback_Restores(t *testing.T) {
	t.Run("everything, from any point of a rotation", rapid.MakeCheck(func(t *rapid.T) {
		tf := drawReplicatedTestFarm(t)
		snapshot := tf.takeSnapshot()
		forward := farm.Compare(tf.desired, tf.observed)
		tf.carryOutAll(forward[:rapid.IntRange(0, len(forward)).Draw(t, "carried out")])
		plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
		if len(plan.Conflicts) > 0 {
			t.Fatalf("conflicts although nobody else changed anything: %+v", plan.Conflicts)
		}
		tf.reverseAll(plan.Reversals, snapshot)
		assertRestored(t, snapshot.Before, tf.observed, plan)
		tf.assertSettingsLoaded(t)
		if again := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed); len(again.Reversals) > 0 {
			t.Fatalf("a second rollback finds more to do:\n%s", joinTexts(again.Reversals))
		}
	}))
}

func TestPlanRollback_Order(t *testing.T) {
	rotateAndPlan := func(t *rapid.T) []farm.Difference {
		tf := drawReplicatedTestFarm(t)
		snapshot := tf.takeSnapshot()
		tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
		return farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed).Reversals
	}
	t.Run("reversals follow the order of a rollback", rapid.MakeCheck(func(t *rapid.T) {
		assertStepOrder(t, farm.RollbackSteps(), rotateAndPlan(t))
	}))
	t.Run("each reversal says what and where", rapid.MakeCheck(func(t *rapid.T) {
		for _, r := range rotateAndPlan(t) {
			assertExplained(t, r)
		}
	}))
}

func TestPlanRollback_Conflicts(t *testing.T) {
	for _, c := range []struct {
		name string
		// change is what another administrator does after the rotation. It returns
		// the server and the subject of the reversal that would overwrite it.
		change func(*testFarm) (server, subject string)
	}{
		{"another administrator set an issuer's certificate", func(tf *testFarm) (server, subject string) {
			sp := &tf.observed.SharePoint[0]
			sp.Issuers[0].Thumbprint = testThumbprint("another administrator's")
			return sp.FrontEnd, "issuer " + issuerOf(sp.Issuers[0]).Product
		}},
		{"another administrator changed a permission", func(tf *testFarm) (server, subject string) {
			sp := &tf.observed.SharePoint[0]
			issuer := issuerOf(sp.Issuers[0])
			p := &sp.Permissions[slices.IndexFunc(sp.Permissions, func(p farm.AppPermission) bool { return p.RegisteredName == issuer.RegisteredName })]
			p.Right = "Manage"
			return sp.FrontEnd, "permission " + issuer.Product + " " + p.Site
		}},
		{"another administrator set the S2S certificate", func(tf *testFarm) (server, subject string) {
			for i := range tf.observed.OfficeServers("") {
				tf.observed.Office[i].Settings.S2SCertificateName = "another administrator's"
			}
			master := tf.observed.Masters()[0]
			return master.Machine.Host, "S2SCertificateName"
		}},
	} {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			tf := drawReplicatedTestFarm(t)
			snapshot := tf.takeSnapshot()
			tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
			server, subject := c.change(tf)
			plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
			for _, r := range plan.Reversals {
				if r.Server == server && r.Subject == subject {
					t.Errorf("would overwrite another administrator's change: %s", r.Text)
				}
			}
			if diff := cmp.Diff([]string{"changed-since " + server}, summarizeFindings(plan.Conflicts)); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
		}))
	}
}

// TestPlanRollback_Promoted lists the servers of another office farm as the first
// one, as after an update in which the new office farm replaces the old.
func TestPlanRollback_Promoted(t *testing.T) {
	tf := newTestFarm()
	separateOffice(&tf.observed)
	tf.observed.Office[0].Settings.S2SCertificateName = "of the office farm that is gone"
	tf.observed.Office[1].Settings.S2SCertificateName = "OOS S2S old"
	snapshot := tf.takeSnapshot()
	tf.desired.Farm.Office = farm.Office{Servers: []farm.Server{{Host: "oos-02"}}}
	tf.observed.Office = tf.observed.Office[1:]
	tf.observed.Office[0].OfficeFarm = ""
	tf.observed.Office[0].Settings.S2SCertificateName = tf.desired.Target.FriendlyName
	plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
	i := slices.IndexFunc(plan.Reversals, func(d farm.Difference) bool { return d.Step == farm.StepRestoreS2SName })
	if i < 0 || plan.Reversals[i].Want != "OOS S2S old" || plan.Reversals[i].Server != "oos-02" {
		t.Errorf("reversals %+v, want the name that this office farm had", plan.Reversals)
	}
}

func TestPlanRollback_Blocked(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*farm.Snapshot)
	}{
		{"an expired certificate is never restored", func(s *farm.Snapshot) { s.Previous.NotAfter = epoch.Add(-time.Minute) }},
		{"an issuer's expired certificate is never restored", func(s *farm.Snapshot) {
			s.Before.SharePoint[0].Issuers = []farm.TokenIssuer{{Certificate: newCertificate(t, epoch.Add(-time.Minute))}}
		}},
		{"an office farm that was not there before is never left without its trust", func(s *farm.Snapshot) {
			s.Before.Office = nil
		}},
		{"a compromised certificate is never restored", func(s *farm.Snapshot) { s.Compromised = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			snapshot := tf.takeSnapshot()
			snapshot.Previous = farm.StoreCertificate{Thumbprint: testThumbprint("old"), NotAfter: epoch.Add(time.Hour)}
			c.change(&snapshot)
			tf.observed.Office[0].Settings.S2SCertificateName = tf.desired.Target.FriendlyName
			plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
			if len(plan.Reversals) > 0 {
				t.Errorf("reversals:\n%s", joinTexts(plan.Reversals))
			}
			if diff := cmp.Diff([]string{"rollback-blocked "}, summarizeFindings(plan.Remaining)); diff != "" {
				t.Errorf("remaining (-want +got):\n%s", diff)
			}
		})
	}
}

// assertRestored fails unless a rollback restored the farm to what it was before,
// apart from what the plan says remains.
func assertRestored(t rapid.TB, before, after farm.Observed, plan farm.RollbackPlan) {
	t.Helper()
	if diff := cmp.Diff(restorable(before, plan.Remaining), restorable(after, plan.Remaining), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("not as before the rotation (-before +after):\n%s\nreversals:\n%s", diff, joinTexts(plan.Reversals))
	}
}

// restorable returns what a rollback restores of an observation: not the times of
// starts and changes, and not what remains.
func restorable(o farm.Observed, remaining []farm.Finding) farm.Observed {
	o = cloneObserved(o)
	remains := func(code, host string) bool {
		return slices.ContainsFunc(remaining, func(f farm.Finding) bool { return f.Code == code && f.Server == host })
	}
	for i := range o.Office {
		s := &o.Office[i]
		if remains("certificate-stays", s.Machine.Host) {
			s.Certificates, s.Roots, s.Intermediates = nil, nil, nil
		}
		s.Service, s.SettingsChangedAt, s.WorkersStartedAt = farm.Service{}, time.Time{}, time.Time{}
		slices.Sort(s.Intermediates)
		s.Intermediates = slices.Compact(s.Intermediates)
		for k := range s.Certificates {
			c := &s.Certificates[k]
			c.KeySigns = false
			if remains("friendly-name-stays", s.Machine.Host) {
				c.FriendlyName = ""
			}
			if remains("key-stays", s.Machine.Host) {
				c.HasKey, c.KeyReaders = false, nil
			}
		}
	}
	for i := range o.SharePoint {
		clearUnrestored(&o.SharePoint[i])
	}
	return o
}

// newCertificate returns the DER form of a certificate that expires at a time.
func newCertificate(t *testing.T, notAfter time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func summarizeFindings(findings []farm.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Code+" "+f.Server)
	}
	return out
}
