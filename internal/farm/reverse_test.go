package farm_test

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// drawReplicatedTestFarm draws a farm as it is before a rotation: the master's
// settings have reached every office server.
func drawReplicatedTestFarm(t *rapid.T) *testFarm {
	tf := drawTestFarm(t)
	for i := range tf.observed.Office {
		s := &tf.observed.Office[i]
		s.Settings, _ = tf.observed.SettingsOf(s.OfficeFarm)
	}
	return tf
}

func (tf *testFarm) takeSnapshot() farm.Snapshot {
	return farm.Snapshot{Target: tf.desired.Target, Before: cloneObserved(tf.observed)}
}

func (tf *testFarm) reverseAll(reversals []farm.Difference, snapshot farm.Snapshot) {
	for _, r := range reversals {
		tf.reverse(r, snapshot)
	}
}

// reverse does on the farm what a reversal asks for, as the steps of a rollback do
// it, a minute after the last change.
func (tf *testFarm) reverse(r farm.Difference, snapshot farm.Snapshot) {
	tf.now = tf.now.Add(time.Minute)
	for i := range tf.observed.Office {
		if s := &tf.observed.Office[i]; s.Machine.Host == r.Server {
			tf.reverseOffice(s, r)
		}
	}
	if r.Subject == "visible certificate" {
		tf.reverseVisible(r, snapshot)
	} else if r.Step == farm.StepRestoreS2SName || r.Step == farm.StepRestoreHTTPSettings {
		tf.reverseSettings(r, snapshot)
	}
	for i := range tf.observed.SharePoint {
		f := &tf.observed.SharePoint[i]
		if f.FrontEnd == r.Server {
			before, _ := snapshot.Before.Farm(f.FrontEnd)
			tf.reverseTrust(f, r, before)
		}
		for k := range f.Servers {
			if s := &f.Servers[k]; s.Machine.Host == r.Server && r.Step == farm.StepRestartAgain {
				s.Timer.StartedAt, s.WorkersStartedAt = tf.now, tf.now
			}
		}
	}
}

func (tf *testFarm) reverseOffice(s *farm.OfficeServer, r farm.Difference) {
	switch r.Step {
	case farm.StepRestartAgain:
		s.Service.Running, s.Service.StartedAt, s.WorkersStartedAt = true, tf.now, tf.now
	case farm.StepRevokeKey:
		tf.targetOn(s).KeyReaders = nil
	case farm.StepRemoveCertificate:
		switch r.Subject {
		case "certificate":
			s.Certificates = slices.DeleteFunc(s.Certificates, func(c farm.StoreCertificate) bool { return c.Thumbprint == tf.desired.Target.Thumbprint })
		case "trusted root":
			s.Roots = nil
		default:
			s.Intermediates = slices.DeleteFunc(s.Intermediates, func(t farm.Thumbprint) bool { return r.Subject == "intermediate "+t.Short() })
		}
	}
}

// reverseVisible makes visible on a server what was visible before, and hides the
// target where it was not there and another certificate is visible.
func (tf *testFarm) reverseVisible(r farm.Difference, snapshot farm.Snapshot) {
	before := snapshot.Before.OfficeServer(r.Server)
	for i := range tf.observed.Office {
		s := &tf.observed.Office[i]
		for k := range s.Certificates {
			c := &s.Certificates[k]
			was, existed := before.Certificate(c.Thumbprint)
			switch {
			case s.Machine.Host != r.Server:
			case existed:
				c.Archived = was.Archived
			default:
				c.Archived = tf.hasVisible(before)
			}
		}
	}
}

// reverseSettings restores a setting of an office farm, which its master replicates
// to every server.
func (tf *testFarm) reverseSettings(r farm.Difference, snapshot farm.Snapshot) {
	officeFarm := tf.observed.OfficeServer(r.Server).OfficeFarm
	before, _ := snapshot.Before.SettingsOf(officeFarm)
	for i := range tf.observed.Office {
		s := &tf.observed.Office[i]
		if s.OfficeFarm != officeFarm {
			continue
		}
		s.SettingsChangedAt = tf.now
		switch {
		case r.Step == farm.StepRestoreS2SName:
			s.Settings.S2SCertificateName = before.S2SCertificateName
		case r.Subject == "AllowOutboundHttp":
			s.Settings.AllowOutboundHTTP = before.AllowOutboundHTTP
		default:
			s.Settings.AllowHTTPSecureStoreConnections = before.AllowHTTPSecureStoreConnections
		}
	}
}

func (tf *testFarm) reverseTrust(f *farm.SharePointFarm, r farm.Difference, before farm.SharePointFarm) {
	if r.Step == farm.StepRemoveRootAuthority {
		f.RootAuthorities = slices.DeleteFunc(f.RootAuthorities, func(a farm.RootAuthority) bool { return strings.HasSuffix(r.Subject, a.Thumbprint.Short()) })
	}
	for _, issuer := range farm.Issuers() {
		if r.Subject == "issuer "+issuer.Product {
			tf.reverseIssuer(f, r, before, issuer)
		}
		for k := range f.Permissions {
			if p := &f.Permissions[k]; r.Subject == "permission "+issuer.Product+" "+p.Site && p.RegisteredName == issuer.RegisteredName {
				*p = before.Permission(p.Site, p.RegisteredName)
			}
		}
	}
}

func (tf *testFarm) reverseIssuer(f *farm.SharePointFarm, r farm.Difference, before farm.SharePointFarm, issuer farm.Issuer) {
	if r.Want == "absent" {
		f.Issuers = slices.DeleteFunc(f.Issuers, func(t farm.TokenIssuer) bool { return t.RegisteredName == issuer.RegisteredName })
	}
	was, _ := before.Issuer(issuer.RegisteredName)
	for k := range f.Issuers {
		if t := &f.Issuers[k]; t.RegisteredName == issuer.RegisteredName {
			t.Thumbprint, t.ChangedAt = was.Thumbprint, tf.now
		}
	}
}

// clearUnrestored clears what a rollback does not restore of a SharePoint farm: the
// times of starts and changes, and the names of issuers and root authorities.
func clearUnrestored(f *farm.SharePointFarm) {
	for k := range f.Servers {
		f.Servers[k].Timer, f.Servers[k].WorkersStartedAt = farm.Service{}, time.Time{}
	}
	for k := range f.Issuers {
		f.Issuers[k].ChangedAt, f.Issuers[k].Name, f.Issuers[k].Certificate = time.Time{}, "", nil
	}
	slices.SortFunc(f.Issuers, func(a, b farm.TokenIssuer) int { return strings.Compare(a.RegisteredName, b.RegisteredName) })
	for k := range f.RootAuthorities {
		f.RootAuthorities[k].Name = ""
	}
}

func issuerOf(t farm.TokenIssuer) farm.Issuer {
	i, _ := farm.IssuerByRegisteredName(t.RegisteredName)
	return i
}

func cloneObserved(o farm.Observed) farm.Observed {
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
