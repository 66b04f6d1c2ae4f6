package farm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// drawOrderly draws a world as it is before a rotation: every server sees the
// farm's settings, and the target is nowhere half-way under another name.
func drawOrderly(t *rapid.T) *world {
	w := drawWorld(t)
	master, _ := w.observed.Master()
	for i := range w.observed.Office {
		w.observed.Office[i].Settings = master.Settings
	}
	return w
}

func (w *world) journal() farm.Snapshot {
	return farm.Snapshot{Target: w.desired.Target, Before: clone(w.observed)}
}

func TestUndoPutsEverythingBackFromAnyPointOfARotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawOrderly(t)
		j := w.journal()
		forward := farm.Compare(w.desired, w.observed)
		now := epoch.Add(24 * time.Hour)
		for _, d := range forward[:rapid.IntRange(0, len(forward)).Draw(t, "carried out")] {
			now = now.Add(time.Minute)
			w.carryOut(d, now)
		}
		back := farm.PlanRollback(j, w.desired.Farm, w.observed)
		if len(back.Conflicts) > 0 {
			t.Fatalf("conflicts although nobody else was at work: %+v", back.Conflicts)
		}
		for _, r := range back.Reversals {
			now = now.Add(time.Minute)
			w.putBack(r, j, now)
		}
		if diff := cmp.Diff(settled(j.Before, back.Remaining), settled(w.observed, back.Remaining), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("undone farm differs from the journal (-journal +undone):\n%s\nway back:\n%s", diff, texts(back.Reversals))
		}
		if stale := w.stale(); len(stale) > 0 {
			t.Fatalf("undone, but these still run with what is no more: %v", stale)
		}
		if again := farm.PlanRollback(j, w.desired.Farm, w.observed); len(again.Reversals) > 0 {
			t.Fatalf("undoing twice finds more to do:\n%s", texts(again.Reversals))
		}
	})
}

func TestUndoFollowsItsOrderAndSaysWhatItDoes(t *testing.T) {
	order := farm.RollbackSteps()
	rapid.Check(t, func(t *rapid.T) {
		w := drawOrderly(t)
		j := w.journal()
		for _, d := range farm.Compare(w.desired, w.observed) {
			w.carryOut(d, epoch.Add(24*time.Hour))
		}
		last := 0
		for _, r := range farm.PlanRollback(j, w.desired.Farm, w.observed).Reversals {
			at := slices.Index(order, r.Step)
			if at < last {
				t.Fatalf("%q comes after %q", r.Step, order[last])
			}
			last = at
			if r.Text == "" || r.Server == "" {
				t.Fatalf("reversal does not say what and where: %+v", r)
			}
		}
	})
}

func TestUndoLeavesOthersChangesAloneAndReportsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawOrderly(t)
		j := w.journal()
		for _, d := range farm.Compare(w.desired, w.observed) {
			w.carryOut(d, epoch.Add(24*time.Hour))
		}
		sp := &w.observed.SharePoint[0]
		product := issuerOf(sp.Issuers[0]).Product
		server, subject := sp.FrontEnd, ""
		switch rapid.SampledFrom([]string{"issuer", "permission", "name"}).Draw(t, "somebody else changed") {
		case "issuer":
			subject, sp.Issuers[0].Thumbprint = "issuer "+product, print40("somebody else's")
		case "permission":
			p := &sp.Permissions[slices.IndexFunc(sp.Permissions, func(p farm.AppPermission) bool { return p.RegisteredName == sp.Issuers[0].RegisteredName })]
			subject, p.Right = "permission "+product+" "+p.Site, "Manage"
		case "name":
			for i := range w.observed.Office {
				w.observed.Office[i].Settings.S2SCertificateName = "somebody else's"
			}
			master, _ := w.observed.Master()
			server, subject = master.Machine.Host, "S2SCertificateName"
		}
		back := farm.PlanRollback(j, w.desired.Farm, w.observed)
		for _, r := range back.Reversals {
			if r.Server == server && r.Subject == subject {
				t.Fatalf("would overwrite what somebody else set: %s", r.Text)
			}
		}
		if len(back.Conflicts) != 1 || back.Conflicts[0].Server != server {
			t.Fatalf("what somebody else set is reported as %+v, want one conflict on %s", back.Conflicts, server)
		}
	})
}

func TestUndoNeverRestoresAnExpiredCertificate(t *testing.T) {
	d, o := ready()
	j := farm.Snapshot{Target: d.Target, Before: clone(o), Previous: farm.StoreCertificate{Thumbprint: print40("old"), NotAfter: epoch.Add(-time.Minute)}}
	o.Office[0].Settings.S2SCertificateName = d.Target.FriendlyName
	back := farm.PlanRollback(j, d.Farm, o)
	if len(back.Reversals) > 0 || len(back.Remaining) != 1 || back.Remaining[0].Code != "rollback-blocked" {
		t.Errorf("way back to an expired certificate: %+v", back)
	}
}

// putBack does on the model what a reversal asks for.
func (w *world) putBack(r farm.Difference, j farm.Snapshot, now time.Time) {
	for i := range w.observed.SharePoint {
		f := &w.observed.SharePoint[i]
		before, _ := j.Before.Farm(f.FrontEnd)
		for k := range f.Servers {
			if s := &f.Servers[k]; s.Machine.Host == r.Server && r.Step == farm.StepRestartAgain {
				s.Timer.StartedAt, s.WorkersStartedAt = now, now
			}
		}
		if f.FrontEnd != r.Server {
			continue
		}
		if r.Step == farm.StepRemoveRootAuthority {
			f.RootAuthorities = slices.DeleteFunc(f.RootAuthorities, func(a farm.RootAuthority) bool { return strings.HasSuffix(r.Subject, a.Thumbprint.Short()) })
		}
		for _, issuer := range farm.Issuers() {
			was, _ := before.Issuer(issuer.RegisteredName)
			f.Issuers = slices.DeleteFunc(f.Issuers, func(t farm.TokenIssuer) bool {
				return r.Subject == "issuer "+issuer.Product && r.Want == "absent" && t.RegisteredName == issuer.RegisteredName
			})
			for k := range f.Issuers {
				if t := &f.Issuers[k]; r.Subject == "issuer "+issuer.Product && t.RegisteredName == issuer.RegisteredName {
					t.Thumbprint, t.ChangedAt = was.Thumbprint, now
				}
			}
			for k := range f.Permissions {
				if p := &f.Permissions[k]; r.Subject == "permission "+issuer.Product+" "+p.Site && p.RegisteredName == issuer.RegisteredName {
					*p = before.Permission(p.Site, p.RegisteredName)
				}
			}
		}
	}
	before, _ := j.Before.Master()
	for i := range w.observed.Office {
		s := &w.observed.Office[i]
		switch {
		case r.Step == farm.StepRestoreS2SName:
			s.Settings.S2SCertificateName, s.SettingsChangedAt = before.Settings.S2SCertificateName, now
		case r.Step == farm.StepRestoreHTTPSettings && r.Subject == "AllowOutboundHttp":
			s.Settings.AllowOutboundHTTP, s.SettingsChangedAt = before.Settings.AllowOutboundHTTP, now
		case r.Step == farm.StepRestoreHTTPSettings:
			s.Settings.AllowHTTPSecureStoreConnections, s.SettingsChangedAt = before.Settings.AllowHTTPSecureStoreConnections, now
		case s.Machine.Host != r.Server:
		case r.Step == farm.StepRestartAgain:
			s.Service.Running, s.Service.StartedAt, s.WorkersStartedAt = true, now, now
		case r.Step == farm.StepRevokeKey:
			s.Certificates[0].KeyReaders = nil
		case r.Subject == "certificate":
			s.Certificates = nil
		case r.Subject == "trusted root":
			s.Roots = nil
		case strings.HasPrefix(r.Subject, "intermediate "):
			s.Intermediates = slices.DeleteFunc(s.Intermediates, func(t farm.Thumbprint) bool { return strings.HasSuffix(r.Subject, t.Short()) })
		}
	}
}

// settled is what of an observation undoing puts back: not when services
// started and settings were written, and not the exceptions named in stays.
func settled(o farm.Observed, stays []farm.Finding) farm.Observed {
	o = clone(o)
	for i := range o.Office {
		s := &o.Office[i]
		s.Service, s.SettingsChangedAt, s.WorkersStartedAt = farm.Service{}, time.Time{}, time.Time{}
		slices.Sort(s.Intermediates)
		s.Intermediates = slices.Compact(s.Intermediates)
		for k := range s.Certificates {
			c := &s.Certificates[k]
			c.KeySigns = false
			for _, f := range stays {
				if f.Server == s.Machine.Host && f.Code == "friendly-name-stays" {
					c.FriendlyName = ""
				}
				if f.Server == s.Machine.Host && f.Code == "key-stays" {
					c.HasKey, c.KeyReaders = false, nil
				}
			}
		}
	}
	for i := range o.SharePoint {
		f := &o.SharePoint[i]
		for k := range f.Servers {
			f.Servers[k].Timer, f.Servers[k].WorkersStartedAt = farm.Service{}, time.Time{}
		}
		for k := range f.Issuers {
			f.Issuers[k].ChangedAt, f.Issuers[k].Name = time.Time{}, ""
		}
		slices.SortFunc(f.Issuers, func(a, b farm.TokenIssuer) int { return strings.Compare(a.RegisteredName, b.RegisteredName) })
		for k := range f.RootAuthorities {
			f.RootAuthorities[k].Name = ""
		}
	}
	return o
}

func issuerOf(t farm.TokenIssuer) farm.Issuer {
	i, _ := farm.IssuerByRegisteredName(t.RegisteredName)
	return i
}

func clone(o farm.Observed) farm.Observed {
	o.Office, o.SharePoint = slices.Clone(o.Office), slices.Clone(o.SharePoint)
	for i := range o.Office {
		s := &o.Office[i]
		s.Certificates, s.Roots, s.Intermediates = slices.Clone(s.Certificates), slices.Clone(s.Roots), slices.Clone(s.Intermediates)
	}
	for i := range o.SharePoint {
		f := &o.SharePoint[i]
		f.Issuers, f.Permissions, f.Servers = slices.Clone(f.Issuers), slices.Clone(f.Permissions), slices.Clone(f.Servers)
		f.RootAuthorities = slices.Clone(f.RootAuthorities)
	}
	return o
}
