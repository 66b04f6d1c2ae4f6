package farmsim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
)

// Trust is everything of a farm that a rotation, a rollback or a retirement may
// touch, as facts by name, without what tells when or how often something was
// done. Two farms with equal facts are the same to users and to administrators;
// see [Trust.Diff]. The facts are:
//
//	HOST: certificate THUMBPRINT in STORE   friendly name, archived mark, provider, who may read the key
//	HOST: key file PATH                     the certificate whose key it is, or that there is none
//	HOST: file PATH                         its size
//	HOST: scheduled task NAME               that there is one
//	HOST: service NAME                      whether it runs
//	HOST: TLS binding ADDRESS               the certificate that http.sys serves
//	HOST: WinRM listener                    the certificate of the listener
//	HOST: office settings                   the member's copy of the farm's settings
//	HOST: loaded by PROCESS                 the S2S certificate that WACSM or IIS started with
//	FARM: issuer NAME                       registered name, description, whether it is a trust broker, certificate
//	FARM: root authority NAME               certificate
//	FARM: permission of REGISTERED NAME     the right, and whether it is app-only
//
// The note of when an issuer's certificate was set is no part of its
// description, and the note in the registry of what a restart loaded is no fact, for
// a rollback renews both. A permission that grants nothing is none.
type Trust map[string]string

// Trust reads the facts as they are now.
func (f *Farm) Trust() Trust { return TrustOf(f.State()) }

// TrustOf reads the facts from a state.
func TrustOf(state model.State) Trust {
	t := Trust{}
	for _, m := range state.Machines {
		t.addMachine(m)
	}
	for _, m := range state.OfficeMembers() {
		t[m.Host+": office settings"] = fmt.Sprintf("%+v", m.Settings)
		for process, loaded := range m.Loaded {
			t[m.Host+": loaded by "+process] = string(loaded)
		}
	}
	for _, sp := range state.SharePoint {
		t.addSharePoint(sp)
	}
	return t
}

func (t Trust) addMachine(m model.MachineState) {
	owners := map[string]farm.Thumbprint{}
	for store, held := range m.Stores {
		for _, c := range held {
			t[fmt.Sprintf("%s: certificate %s in %s", m.Host, c.Thumbprint, store)] = fmt.Sprintf(
				"friendly name %q, archived %t, provider %q, exportable %t, readers %q",
				c.FriendlyName, c.Archived, c.Provider, c.Exportable, c.KeyReaders)
			owners[c.KeyFile] = c.Thumbprint
		}
	}
	for _, path := range m.KeyFiles {
		t[m.Host+": key file "+path] = cmp.Or(string(owners[path]), "of no certificate")
	}
	for path, size := range m.Files {
		t[m.Host+": file "+path] = fmt.Sprintf("%d bytes", size)
	}
	for _, name := range m.Tasks {
		t[m.Host+": scheduled task "+name] = "present"
	}
	for name, service := range m.Services {
		t[m.Host+": service "+name] = fmt.Sprintf("running %t", service.Running)
	}
	for address, thumbprint := range m.Bindings {
		t[m.Host+": TLS binding "+address] = string(thumbprint)
	}
	if m.Listener != "" {
		t[m.Host+": WinRM listener"] = string(m.Listener)
	}
}

func (t Trust) addSharePoint(sp model.SharePointState) {
	for _, i := range sp.Issuers {
		t[sp.Name+": issuer "+i.Name] = fmt.Sprintf("registered name %s, description %q, trust broker %t, certificate %s",
			i.RegisteredName, scripts.WithoutMark(i.Description), i.TrustBroker, i.Thumbprint)
	}
	for _, a := range sp.Authorities {
		t[sp.Name+": root authority "+a.Name] = string(a.Thumbprint)
	}
	for name, p := range sp.Permissions {
		if p != (model.AppPermission{}) {
			t[sp.Name+": permission of "+name] = fmt.Sprintf("%s, app-only %t", p.Right, p.AppOnly)
		}
	}
}

// Diff names each fact that is not as it was, one in a line; empty when the
// farm is as it was.
func (t Trust) Diff(now Trust) string {
	names := map[string]bool{}
	for _, facts := range []Trust{t, now} {
		for name := range facts {
			names[name] = true
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := t[name]
		is, has := now[name]
		switch {
		case !has:
			lines = append(lines, fmt.Sprintf("- %s: %s", name, was))
		case !had:
			lines = append(lines, fmt.Sprintf("+ %s: %s", name, is))
		case was != is:
			lines = append(lines, fmt.Sprintf("- %s: %s", name, was), fmt.Sprintf("+ %s: %s", name, is))
		}
	}
	return strings.Join(lines, "\n")
}

// RefreshObstacles is what keeps a data refresh from working between any office
// server and any SharePoint server, one line each, and what would after a restart; empty
// when all work. It goes by what running processes have loaded, and by what is
// configured; see [model.World.DataRefresh].
func (f *Farm) RefreshObstacles() ([]string, error) {
	return f.findObstacles(func(model.Obstacle) bool { return true })
}

// RefreshFailures is what keeps a data refresh from working now; empty when all work.
// It goes by what running processes have loaded, and not by what is configured.
func (f *Farm) RefreshFailures() ([]string, error) {
	return f.findObstacles(func(o model.Obstacle) bool { return !o.Owed })
}

func (f *Farm) findObstacles(counts func(model.Obstacle) bool) ([]string, error) {
	state := f.State()
	var found []string
	for _, office := range state.OfficeMembers() {
		for _, sp := range state.SharePoint {
			for _, server := range sp.Servers {
				obstacles, err := f.World.DataRefresh(office.Host, server)
				if err != nil {
					return nil, err
				}
				for _, o := range obstacles {
					if counts(o) {
						found = append(found, fmt.Sprintf("data refresh from %s to %s: %s: %s", office.Host, server, o.Rule, o.Text))
					}
				}
			}
		}
	}
	return found, nil
}
