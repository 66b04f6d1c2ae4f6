package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// TestCompare_Restarts is about an office server that has the setting of the target,
// whose farm trusts the target: does it have to restart, and why?
func TestCompare_Restarts(t *testing.T) {
	at := func(hour int) time.Time { return epoch.Add(time.Duration(hour) * time.Hour) }
	for _, c := range []struct {
		name   string
		change func(*farm.OfficeServer, *farm.SharePointFarm)
		// want is a word of the reason; empty when no restart is pending.
		want string
	}{
		{"without a note, started after everything", func(*farm.OfficeServer, *farm.SharePointFarm) {}, ""},
		{"without a note, the settings file is newer", func(s *farm.OfficeServer, _ *farm.SharePointFarm) { s.SettingsChangedAt = at(11) }, "before the settings changed"},
		{"without a note, the certificate's key is newer", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Certificates[0].KeyCreatedAt = at(11)
		}, "came to the server"},
		{"without a note, the issuers are newer", func(_ *farm.OfficeServer, f *farm.SharePointFarm) { f.Issuers[1].ChangedAt = at(11) }, "before the issuers changed"},
		{"without a note, the issuers are about to change", func(_ *farm.OfficeServer, f *farm.SharePointFarm) {
			f.Issuers[0].Thumbprint = testThumbprint("old")
		}, "the issuers change"},
		{"without a note, IIS alone is older", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.SettingsChangedAt, s.Service.StartedAt = at(11), at(12)
		}, "IIS workers"},
		{"without a note, no IIS worker runs", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.SettingsChangedAt, s.Service.StartedAt, s.WorkersStartedAt = at(11), at(12), time.Time{}
		}, ""},
		{"a note of what is set now, and everything else is newer", func(s *farm.OfficeServer, f *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.SettingsChangedAt, s.Certificates[0].KeyCreatedAt, f.Issuers[1].ChangedAt = at(11), at(11), at(11)
		}, ""},
		{"a note of what is set now, and the issuers are about to change", func(s *farm.OfficeServer, f *farm.SharePointFarm) {
			s.Loaded, f.Issuers[0].Thumbprint = noteOf(*s), testThumbprint("old")
		}, ""},
		{"a note of what is set now, and another start since", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.Service.StartedAt, s.WorkersStartedAt, s.SettingsChangedAt = at(12), at(12), at(13)
		}, ""},
		{"a note of what is set now, another start since, and the issuers are about to change", func(s *farm.OfficeServer, f *farm.SharePointFarm) {
			s.Loaded, f.Issuers[0].Thumbprint = noteOf(*s), testThumbprint("old")
			s.Service.StartedAt, s.WorkersStartedAt = at(12), at(12)
		}, "the issuers change"},
		{"a note of what is set now, another start since, and newer issuers", func(s *farm.OfficeServer, f *farm.SharePointFarm) {
			s.Loaded, f.Issuers[1].ChangedAt = noteOf(*s), at(13)
			s.Service.StartedAt, s.WorkersStartedAt = at(12), at(12)
		}, "before the issuers changed"},
		{"a note of what is set now, but a process is older than it", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded, s.SettingsChangedAt, s.WorkersStartedAt = noteOf(*s), at(10), at(8)
		}, "IIS workers started before the settings changed"},
		{"a note of another certificate of the same name, and the same process", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.Loaded.Thumbprint = testThumbprint("old")
		}, "last restarted with"},
		{"a note of another name, and the same process", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.Loaded.S2SCertificateName = "old"
		}, "last restarted with old"},
		{"a note of another HTTP setting, and the same process", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.Loaded.AllowOutboundHTTP = true
		}, "last restarted with"},
		{"a note of another certificate, and another start since", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded = noteOf(*s)
			s.Loaded.Thumbprint, s.Service.StartedAt = testThumbprint("old"), at(12)
		}, ""},
		{"WACSM stopped", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Service.Running, s.LastErrors = false, []string{"Application: no certificate"}
		}, "WACSM is not running (last errors: Application: no certificate)"},
		{"IIS stopped, although the note proves what WACSM loaded", func(s *farm.OfficeServer, _ *farm.SharePointFarm) {
			s.Loaded, s.WebServer = noteOf(*s), farm.Service{Name: "W3SVC"}
		}, "W3SVC is not running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
			s := &tf.observed.Office[1]
			s.Service = farm.Service{Name: "WACSM", Running: true, StartedAt: at(10)}
			s.WorkersStartedAt, s.SettingsChangedAt = at(10), at(9)
			for i := range tf.observed.SharePoint[0].Issuers {
				tf.observed.SharePoint[0].Issuers[i].ChangedAt = at(9)
			}
			c.change(s, &tf.observed.SharePoint[0])
			why := ""
			for _, d := range farm.Compare(tf.desired, tf.observed) {
				if d.Step == farm.StepRestart && d.Server == s.Machine.Host {
					why = d.Text
				}
			}
			if (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
				t.Errorf("restart: %q, want %q", why, c.want)
			}
		})
	}
}

// noteOf is the note of a restart that loaded what is set on a server now.
func noteOf(s farm.OfficeServer) *farm.LoadedSettings {
	return &farm.LoadedSettings{
		Since: s.Service.StartedAt.Add(-time.Minute), Service: s.Service.StartedAt,
		S2SCertificateName: s.Settings.S2SCertificateName, Thumbprint: s.Certificates[0].Thumbprint,
	}
}

// TestUnknownSettings is about a server whose service is stopped: what it has is
// unknown, and neither unset nor another administrator's.
func TestUnknownSettings(t *testing.T) {
	const unknown = "unknown: WACSM is not running"
	for name, host := range map[string]int{"the master": 0, "a member": 1} {
		t.Run(name, func(t *testing.T) {
			tf := newTestFarm()
			for i := range tf.observed.Office {
				tf.observed.Office[i].Settings.S2SCertificateName = "old"
			}
			snapshot := tf.takeSnapshot()
			tf.carryOutAll(farm.Compare(tf.desired, tf.observed))
			s := &tf.observed.Office[host]
			s.Joined, s.Settings = false, farm.OfficeFarm{}
			s.Service = farm.Service{Name: "WACSM"}
			plan := farm.PlanRollback(snapshot, tf.desired.Farm, tf.observed)
			if len(plan.Conflicts) > 0 {
				t.Errorf("conflicts: %+v", plan.Conflicts)
			}
			for what, list := range map[string][]farm.Difference{"compare": farm.Compare(tf.desired, tf.observed), "plan a rollback": plan.Reversals} {
				found := false
				for _, d := range list {
					assertExplained(t, d)
					found = found || (d.Server == s.Machine.Host && d.Subject == "S2SCertificateName" && d.Have == unknown)
				}
				if !found {
					t.Errorf("%s: nothing says that S2SCertificateName is %s on %s:\n%s", what, unknown, s.Machine.Host, joinTexts(list))
				}
			}
		})
	}
}
