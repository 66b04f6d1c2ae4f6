package reliability

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// holds demands that an outcome is the true one, by the state of the farm
// before and now, and that nothing that was done was done again.
func (s *site) holds(t *testing.T, w way, ended workflows.Rotation, before model.State, acts []act) {
	t.Helper()
	now := s.sim.State()
	s.refreshes(t, now)
	switch ended.Outcome {
	case farm.Verified:
		s.uses(t, now, s.target)
		target := s.target
		if w == away {
			target = s.journal.Previous.Thumbprint
			gone(t, before, now, target)
		}
		if ended.Target != target || len(ended.Differences) > 0 {
			t.Errorf("verified %s with the differences %+v, want %s and none", ended.Target, ended.Differences, target)
		}
	case farm.Undone:
		sameTrust(t, s.before, now)
	case farm.Refused:
		sameTrust(t, before, now)
		for _, a := range acts {
			if a.changed {
				t.Errorf("refused, and yet %.400s changed something", a.key())
			}
		}
	default:
		t.Errorf("ended %q: %s", ended.Outcome, ended.Statement)
	}
	doneOnce(t, acts)
}

// gone demands that a certificate and its key are on no server any more, and
// that everything else is as it was. An authority that somebody else added
// stays.
func gone(t *testing.T, before, now model.State, old farm.Thumbprint) {
	t.Helper()
	for i, m := range before.Machines {
		held := len(m.Stores[model.My])
		for store := range m.Stores {
			m.Stores[store] = slices.DeleteFunc(m.Stores[store], func(c model.CertificateState) bool { return c.Thumbprint == old })
		}
		before.Machines[i].KeyFiles = m.KeyFiles[:len(m.KeyFiles)-held+len(m.Stores[model.My])]
	}
	for i, f := range before.SharePoint {
		before.SharePoint[i].Authorities = slices.DeleteFunc(f.Authorities, func(a model.AuthorityState) bool {
			return a.Thumbprint == old && a.Name != byHand
		})
	}
	sameTrust(t, before, now)
}

// refreshes demands that a data refresh works between every office server and
// every SharePoint server: so it is with the old certificate and with the new.
func (s *site) refreshes(t *testing.T, now model.State) {
	t.Helper()
	for _, member := range now.Office.Members {
		for _, sp := range now.SharePoint {
			for _, server := range sp.Servers {
				obstacles, err := s.sim.World.DataRefresh(member.Host, server)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range obstacles {
					t.Errorf("data refresh from %s to %s fails: %s: %s", member.Host, server, o.Rule, o.Text)
				}
			}
		}
	}
}

// uses demands that a certificate is in use everywhere.
func (s *site) uses(t *testing.T, now model.State, want farm.Thumbprint) {
	t.Helper()
	for _, member := range now.Office.Members {
		if len(member.Loaded) == 0 || !member.Settings.AllowOutboundHTTP {
			t.Errorf("%s has loaded %d certificates, its settings are %+v", member.Host, len(member.Loaded), member.Settings)
		}
		for process, loaded := range member.Loaded {
			if loaded != want {
				t.Errorf("%s of %s has loaded %s, want %s", process, member.Host, loaded, want)
			}
		}
	}
	for _, sp := range now.SharePoint {
		for _, issuer := range sp.Issuers {
			if issuer.Thumbprint != want {
				t.Errorf("issuer %s of %s holds %s, want %s", issuer.Name, sp.Name, issuer.Thumbprint, want)
			}
		}
	}
}

// sameTrust demands that everything a rotation touches is as it was.
func sameTrust(t *testing.T, before, now model.State) {
	t.Helper()
	if diff := cmp.Diff(trustOf(before), trustOf(now)); diff != "" {
		t.Errorf("the farm is not as it was (-before +now):\n%s", diff)
	}
}

// marked is the note in an issuer's description of when its certificate was
// set. It stays after an undo, which has set it too.
var marked = regexp.MustCompile(` ?\[farmtrust [^\]]*\]`)

// trustOf is what of a state a rotation touches, without what tells when. A
// permission that grants nothing is the same as none.
func trustOf(s model.State) map[string]any {
	trust := map[string]any{}
	for _, m := range s.Machines {
		for store, entries := range m.Stores {
			if len(entries) > 0 {
				trust[m.Host+" "+string(store)] = entries
			}
		}
		trust[m.Host+" keys"], trust[m.Host+" files"] = len(m.KeyFiles), len(m.Files)
	}
	for _, m := range s.Office.Members {
		trust[m.Host+" settings"], trust[m.Host+" loaded"] = m.Settings, m.Loaded
	}
	for _, f := range s.SharePoint {
		for _, i := range f.Issuers {
			i.Description = marked.ReplaceAllString(i.Description, "")
			trust[f.Name+" issuer "+i.RegisteredName] = i
		}
		for name, p := range f.Permissions {
			if p != (model.AppPermission{}) {
				trust[f.Name+" permission "+name] = p
			}
		}
		trust[f.Name+" authorities"] = f.Authorities
	}
	return trust
}

// doneOnce demands that no completed change was made a second time. Restarts
// are no changes of the trust; they are counted by themselves.
func doneOnce(t *testing.T, acts []act) {
	t.Helper()
	done := map[string]bool{}
	for _, a := range acts {
		if !a.changed || a.script == powershell.ScriptOf(powershell.RestartOfficeServer{}) || a.script == powershell.ScriptOf(powershell.RestartSharePointServer{}) {
			continue
		}
		if done[a.key()] {
			t.Errorf("%.400s changed something a second time", a.key())
		}
		done[a.key()] = true
	}
}

// restarts counts the restarts of services and of IIS on all machines so far.
func restarts(s model.State) int {
	n := 0
	for _, m := range s.Machines {
		for _, times := range m.Restarts {
			n += times
		}
	}
	return n
}

// tell writes what reached the servers and what the worker logged, for whoever
// looks for a failure.
func (s *site) tell(t *testing.T, acts []act) {
	t.Helper()
	for _, a := range acts {
		t.Logf("%s %s on %s: changed %t", a.at.Format("15:04:05.000"), a.script, a.host, a.changed)
	}
	t.Logf("the worker's log:\n%s", read(t, s.worker.log.Name()))
}
