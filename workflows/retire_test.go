package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// requireRenewed rotates a farm to its next certificate and returns the old.
func (f *testFarm) requireRenewed(t *testing.T) farm.StoreCertificate {
	t.Helper()
	return farm.StoreCertificate{Thumbprint: f.rotate(t).requireOutcome(farm.Verified).Previous}
}

func TestRetire(t *testing.T) {
	for name, c := range map[string]struct {
		options farmsim.Options
		// staysAuthority reports whether it stays a root authority, because
		// another administrator added it.
		staysAuthority bool
	}{
		"issued by a CA":                             {farmsim.Options{Trusting: true}, false},
		"self-signed, set up by hand":                {farmsim.Options{Trusting: true, SelfSigned: true}, true},
		"self-signed, set up by an earlier rotation": {farmsim.Options{SelfSigned: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, c.options)
			if !c.options.Trusting {
				f.requireRotated(t)
				f.issueCertificate(t)
			}
			old := f.requireRenewed(t)
			r := f.newRun(t)
			r.after(time.Hour, func() {
				f.assertOnServers(t, old.Thumbprint, 2)
				f.assertArchived(t, true)
				r.approve()
			})
			r.retire(old).requireOutcome(farm.Verified).assertStatement("deleted on every office server")
			f.assertOnServers(t, old.Thumbprint, 0)
			f.assertRootAuthority(t, old.Thumbprint, c.staysAuthority)
			f.assertRefreshes(t)
		})
	}
}

func TestRetire_InUse(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	current := farm.StoreCertificate{Thumbprint: f.requireRotated(t).Target}
	before := f.sim.Trust()
	f.newRun(t).retire(current).requireOutcome(farm.Refused).assertStatement("still in use", "S2SCertificateName")
	f.assertTrustUnchanged(t, before)
}

func TestRetire_InUseByAnotherIssuer(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	held := f.oldIssuer(t)
	old := f.requireRenewed(t)
	name := "a@b"
	held.Name, held.RegisteredIssuerName, held.Confirmed = "high-trust add-ins", &name, true
	if err := f.logOn(t, frontEnd).SharePoint().NewTrustedSecurityTokenIssuer(held); err != nil {
		t.Fatal(err)
	}
	before := f.sim.Trust()
	f.newRun(t).retire(old).requireOutcome(farm.Refused).assertStatement("still in use", "sp-01", `trusted token issuer "high-trust add-ins"`)
	f.assertTrustUnchanged(t, before)
}

// oldIssuer is what makes an issuer with the certificate that the farm trusts.
func (f *testFarm) oldIssuer(t *testing.T) model.IssuerParameters {
	t.Helper()
	issuers, err := f.logOn(t, frontEnd).SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil || len(issuers) == 0 {
		t.Fatalf("%d issuers, %v", len(issuers), err)
	}
	return model.IssuerParameters{Certificate: issuers[0].Certificate}
}

// TestRetire_Approvals has what an operator is told before a deletion.
func TestRetire_Approvals(t *testing.T) {
	t.Run("a root authority of another administrator stays", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, SelfSigned: true})
		old := f.requireRenewed(t)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			assertMentions(t, strings.Join(w.Approval.Notes, "; "), `sp-01.contoso.com: root authority "Old OOS", which farmtrust did not add`)
			assertMentions(t, w.Approval.NoWayBack, old.Thumbprint.Short(), "no rollback and no undo can restore it")
			for _, host := range []string{office1, office2} {
				if !slices.ContainsFunc(w.Approval.Steps, func(d farm.Difference) bool { return d.Step == farm.StepDelete && d.Server == host }) {
					t.Errorf("the deletion on %s is not in the approval %+v", host, w.Approval.Steps)
				}
			}
			assertOption(t, w, farm.Approve, "the deletion of certificate "+old.Thumbprint.Short(), "no restart")
			assertOption(t, w, farm.Abort, "unarchives")
			assertMentions(t, w.Then, "unarchived, and kept for another retention")
			r.approve()
		})
		r.retire(old).requireOutcome(farm.Verified)
	})
	t.Run("a wildcard has an approval of its own", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		old := f.requireRenewed(t)
		old.Wildcard, old.Subject = true, "CN=*.contoso.com"
		r := f.newRun(t)
		var first string
		r.after(time.Hour, func() {
			first = r.requireWait(farm.ForApproval).Digest
			r.approve()
		})
		r.after(2*time.Hour, func() {
			f.assertOnServers(t, old.Thumbprint, 2)
			wait := r.requireWait(farm.ForApproval)
			assertMentions(t, wait.Text, "wildcard", "CN=*.contoso.com", old.Thumbprint.Short())
			if wait.Digest == first {
				t.Error("both approvals have the same digest")
			}
			r.approve()
		})
		r.retire(old).requireOutcome(farm.Verified)
		f.assertOnServers(t, old.Thumbprint, 0)
	})
}

func TestRetire_Cancelled(t *testing.T) {
	for name, distinct := range map[string]bool{"an archived certificate stays archived": false, "a visible one is visible again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: distinct})
			old := f.requireRenewed(t)
			f.assertArchived(t, !distinct)
			before := f.sim.Trust()
			r := f.newRun(t)
			r.after(time.Hour, func() {
				r.requireWait(farm.ForApproval)
				f.assertArchived(t, true)
				r.env.CancelWorkflow()
			})
			r.retire(old).requireCancelled(farm.Incomplete)
			f.assertTrustUnchanged(t, before)
		})
	}
}

func TestRetire_RefusedDecisions(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	old := f.requireRenewed(t)
	r := f.newRun(t)
	r.after(time.Hour, func() {
		r.assertDecisionRefused(farm.Decision{Choice: farm.RollBack}, "a retirement is not rolled back")
		r.assertDecisionRefused(farm.Decision{Choice: farm.Approve, Digest: "0123"}, "the digest is now")
		r.decide(farm.Decision{Choice: farm.Abort})
	})
	r.retire(old).requireOutcome(farm.Partial)
	f.assertOnServers(t, old.Thumbprint, 2)
}

// TestRetire_Blocked has something go wrong once the certificate is archived: a
// retirement then waits for an operator.
func TestRetire_Blocked(t *testing.T) {
	for name, c := range map[string]struct {
		server            string
		happens, remedied func(*testing.T, *testFarm, farm.Thumbprint)
		text              string
	}{
		"the certificate is used again": {
			office2,
			func(t *testing.T, f *testFarm, old farm.Thumbprint) { t.Helper(); f.bindTLS(t, office2, old) },
			func(t *testing.T, f *testFarm, _ farm.Thumbprint) { t.Helper(); f.bindTLS(t, office2, "") },
			"still in use",
		},
		"a server cannot be observed": {
			office2,
			func(t *testing.T, f *testFarm, _ farm.Thumbprint) {
				t.Helper()
				f.addFaults(t, brokenScript(office2, "Get-CertificateUse"))
			},
			func(_ *testing.T, f *testFarm, _ farm.Thumbprint) { f.sim.ClearFaults() },
			"the disk is full",
		},
		"a SharePoint farm cannot be observed": {
			frontEnd,
			func(t *testing.T, f *testFarm, _ farm.Thumbprint) {
				t.Helper()
				f.addFaults(t, brokenScript(frontEnd, "Get-SharePointFarm"))
			},
			func(_ *testing.T, f *testFarm, _ farm.Thumbprint) { f.sim.ClearFaults() },
			"the disk is full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			old := f.requireRenewed(t)
			r := f.newRun(t)
			r.after(time.Hour, func() {
				c.happens(t, f, old.Thumbprint)
				r.approve()
			})
			r.after(3*time.Hour, func() {
				r.requireBlocked(c.server, c.text)
				f.assertOnServers(t, old.Thumbprint, 2)
				c.remedied(t, f, old.Thumbprint)
				r.decide(farm.Decision{Choice: farm.Retry, Server: c.server})
			})
			r.retire(old).requireOutcome(farm.Verified)
			f.assertOnServers(t, old.Thumbprint, 0)
		})
	}
}
