package powershell_test

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestGetOfficeServer(t *testing.T) {
	t.Parallel()
	t.Run("returns what is there", func(t *testing.T) {
		t.Parallel()
		s2s, same, unrelated := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com"), newCertificate(t, "unrelated")
		web, root := newCertificate(t, "office.contoso.com"), newCertificate(t, "Contoso Root")
		spec := newOfficeServer().
			in(model.My, s2s.withKey(friendly), same.withoutKey("old"), unrelated.withKey("unrelated"), web.withKey("office.contoso.com")).
			in(model.Root, root.withoutKey(""), unrelated.withoutKey("")).
			in(model.CA, root.withoutKey(""), unrelated.withoutKey("")).
			override("Get-OfficeWebAppsFarm", pwsh.Edit("CertificateName", "office.contoso.com")).
			override("Get-OfficeWebAppsMachine", pwsh.Edit("HealthStatus", "Unhealthy"))
		spec.office.S2SCertificateName = friendly
		s := newServer(t, spec)
		machine := s.World.State().Machines[0]
		since := machine.WorkersSince.UTC().Truncate(time.Millisecond)
		written := s.World.State().Office.Members[0].SettingsWritten.UTC().Truncate(time.Millisecond)

		got := mustRun(t, s, powershell.GetOfficeServer{
			Thumbprint: s2s.thumbprint, FriendlyName: friendly, Subject: s2s.subject, Chain: []string{root.thumbprint},
		})

		want := powershell.OfficeServer{
			Machine: powershell.Machine{
				Name: "OOS-01", Domain: "contoso.com", Forest: "contoso.com", WindowsBuild: build2019, Elevated: true, ConfigurationMode: "ApplyAndMonitor",
			},
			Certificates: []powershell.Certificate{
				recordOf(s2s, friendly, true, true), recordOf(same, "old", false, false), recordOf(web, "office.contoso.com", true, false),
			},
			Roots:         []powershell.Certificate{recordOf(root, "", false, false)},
			Intermediates: []string{root.thumbprint},
			Joined:        true, Master: "OOS-01", Machines: []string{"OOS-01", "OOS-02"}, Health: "Unhealthy",
			S2SCertificateName: friendly, CertificateName: "office.contoso.com",
			Discovery:    powershell.Discovery{URL: "https://office.contoso.com/hosting/discovery", Status: 200},
			Service:      powershell.Service{Name: "WACSM", Running: true, Since: &since},
			WebServer:    powershell.Service{Name: "W3SVC", Running: true, Since: &since},
			Activation:   powershell.Service{Name: "WAS", Running: true, Since: &since},
			LastErrors:   []string{},
			WorkersSince: &since, SettingsSince: &written,
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(powershell.Machine{}, "Clock", "PowerShell"), keyTimes); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		if age := time.Since(got.Machine.Clock); age < 0 || age > time.Minute {
			t.Errorf("the clock is %v old", age)
		}
	})
	t.Run("archived certificates, the one before and what else names one", func(t *testing.T) {
		t.Parallel()
		s2s, same, before := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com"), newCertificate(t, "before")
		spec := newOfficeServer().in(model.My, archived(s2s.withKey(friendly)), same.withKey("old"), archived(before.withKey("before")))
		usesOf(same)["http.sys"](spec)
		got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{
			Thumbprint: s2s.thumbprint, FriendlyName: friendly, Subject: s2s.subject, Previous: before.thumbprint,
		})
		want := []powershell.Certificate{
			recordOf(s2s, friendly, true, true), recordOf(same, "old", true, false), recordOf(before, "before", true, true),
		}
		want[0].Archived, want[2].Archived = true, true
		want[1].Uses = []string{"http.sys [::]:444", "http.sys office.contoso.com:443"}
		if diff := cmp.Diff(want, got.Certificates, keyTimes); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("returns the previous certificate, archived or not", func(t *testing.T) {
		t.Parallel()
		previous, current, unrelated := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		spec := newOfficeServer().in(model.My, archived(previous.withKey("old")), current.withKey(friendly), unrelated.withKey("unrelated"))
		spec.office.S2SCertificateName = friendly
		s := newServer(t, spec)
		before := recordOf(previous, "old", true, true)
		before.Archived = true
		// The certificate in use is tested too.
		now := recordOf(current, friendly, true, true)

		got := mustRun(t, s, powershell.GetOfficeServer{Previous: previous.thumbprint})
		if diff := cmp.Diff([]powershell.Certificate{before, now}, got.Certificates, keyTimes); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		for _, c := range got.Certificates {
			if c.KeySince == nil || time.Since(*c.KeySince) < 0 || time.Since(*c.KeySince) > time.Minute {
				t.Errorf("the key of %q is of %v, want a time in the last minute", c.FriendlyName, c.KeySince)
			}
		}
	})
	for name, s2sName := range map[string]string{
		"returns what there is to select from where the S2S name is lost":   "",
		"returns what there is to select from where the S2S name dangles":   "dangling",
		"returns what there is to select from where it selects an archived": "archived",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named, unnamed, hidden := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "unnamed"), newCertificate(t, "archived")
			archived := hidden.withKey("archived")
			archived.archived = true
			spec := newOfficeServer().in(model.My, named.withKey("by hand"), unnamed.withKey(""), archived).
				override("Get-OfficeWebAppsFarm", pwsh.Edit("S2SCertificateName", s2sName))
			want := []powershell.Certificate{recordOf(named, "by hand", true, false)}
			if s2sName == "archived" {
				want = append(want, recordOf(hidden, "archived", true, true))
				want[1].Archived = true
			}

			got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{})
			if diff := cmp.Diff(want, got.Certificates, keyTimes); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
	t.Run("in no farm is a result", func(t *testing.T) {
		t.Parallel()
		spec := newMachine()
		spec.machine.Office = true
		spec.override("Get-Service", pwsh.Return([]any{pwsh.Object("Service", map[string]any{"Name": "WACSM", "Status": "Running", "StartType": "Automatic"})})).
			override("Get-ServiceStart", pwsh.Return(dateTime(time.Now())))
		got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{})
		want := powershell.OfficeServer{Discovery: powershell.Discovery{Problem: "NotJoined"}}
		only := cmpopts.IgnoreFields(powershell.OfficeServer{}, "Machine", "Service", "WebServer", "Activation", "WorkersSince")
		if diff := cmp.Diff(want, got, only, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
}

// keyTimes leaves out when keys were created.
var keyTimes = cmpopts.IgnoreFields(powershell.Certificate{}, "KeySince")

func recordOf(c testCertificate, friendlyName string, key, signs bool) powershell.Certificate {
	r := powershell.Certificate{
		Thumbprint: c.thumbprint, FriendlyName: friendlyName, Subject: c.subject, KeyReaders: []string{}, Uses: []string{},
		NotBefore: notBefore, NotAfter: notAfter, HasKey: key, KeySigns: signs, ModernKeySigns: signs,
	}
	if key {
		r.Provider, r.KeyReaders = farm.KeyProvider, []string{model.System, model.Administrators}
	}
	return r
}

// TestGetOfficeServer_Discovery checks that a server is asked under the farm's
// name, by the scheme of the farm.
func TestGetOfficeServer_Discovery(t *testing.T) {
	t.Parallel()
	respond := func(status int, problem string) pwsh.Override {
		return pwsh.Return(pwsh.Object("SiteResponse", map[string]any{"Status": status, "Problem": problem}))
	}
	ok := respond(200, "")
	cases := []struct {
		name     string
		settings map[string]any
		response pwsh.Override
		want     powershell.Discovery
	}{
		{"https", nil, ok, powershell.Discovery{URL: "https://office.contoso.com", Status: 200}},
		{"http", map[string]any{"AllowHTTP": true}, ok, powershell.Discovery{URL: "http://office.contoso.com", Status: 200}},
		{"TLS ends elsewhere", map[string]any{"SSLOffloaded": true, "InternalURL": "https://office.contoso.com:8443/"}, ok, powershell.Discovery{URL: "http://office.contoso.com", Status: 200}},
		{"http on a port of its own", map[string]any{"AllowHTTP": true, "InternalURL": "http://office.contoso.com:8080"}, ok, powershell.Discovery{URL: "http://office.contoso.com:8080", Status: 200}},
		{"external URL alone", map[string]any{"InternalURL": "", "ExternalURL": "https://docs.contoso.com/"}, ok, powershell.Discovery{URL: "https://docs.contoso.com", Status: 200}},
		{"both URLs", map[string]any{"ExternalURL": "https://docs.contoso.com/"}, ok, powershell.Discovery{URL: "https://office.contoso.com", Status: 200}},
		{"no URL", map[string]any{"InternalURL": "", "ExternalURL": nil}, ok, powershell.Discovery{URL: "https://" + host, Status: 200}},
		{"refused", nil, respond(503, ""), powershell.Discovery{URL: "https://office.contoso.com", Status: 503}},
		{"no trust", nil, respond(0, "TrustFailure"), powershell.Discovery{URL: "https://office.contoso.com", Problem: "TrustFailure"}},
		{"nothing listens", nil, respond(0, "ConnectFailure"), powershell.Discovery{URL: "https://office.contoso.com", Problem: "ConnectFailure"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Send-SiteRequest", c.response)
			spec.override("Get-OfficeWebAppsFarm", editAll(c.settings))
			c.want.URL += "/hosting/discovery"
			if diff := cmp.Diff(c.want, mustRun(t, newServer(t, spec), powershell.GetOfficeServer{}).Discovery); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// editAll makes a cmdlet return its object with properties changed.
func editAll(properties map[string]any) pwsh.Override {
	return func(parameters json.RawMessage, do func() (any, error)) (any, error) {
		for property, value := range properties {
			edited := do
			do = func() (any, error) { return pwsh.Edit(property, value)(parameters, edited) }
		}
		return do()
	}
}

// TestGetOfficeServer_Names checks that a machine with a long name, or whose DNS
// suffix is not its domain, is known as its farm's master.
func TestGetOfficeServer_Names(t *testing.T) {
	t.Parallel()
	const long = "OOS-PRODUCTION-"
	for name, master := range map[string]string{"computer name": long, "DNS name": "oos-production-01.contoso.com", "another suffix": "oos-production-01.corp.contoso.com"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Get-ComputerName", pwsh.Return(long)).
				override("Get-OfficeWebAppsMachine", pwsh.Edit("MasterMachineName", master))
			if got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{}); len(got.Machines) == 0 {
				t.Errorf("%s is not taken for the master %s", long, master)
			}
		})
	}
	t.Run("another long name", func(t *testing.T) {
		t.Parallel()
		spec := newOfficeServer().override("Get-ComputerName", pwsh.Return(long)).
			override("Get-OfficeWebAppsMachine", pwsh.Edit("MasterMachineName", "oos-productio-01"))
		if got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{}); len(got.Machines) != 0 {
			t.Error("another machine is taken for the master")
		}
	})
}

func TestObserve_WithoutTheProduct(t *testing.T) {
	t.Parallel()
	t.Run("Office Online Server", func(t *testing.T) {
		t.Parallel()
		assertRefused(t, newServer(t, newMachine()), powershell.GetOfficeServer{}, powershell.NotOffice)
	})
	t.Run("SharePoint", func(t *testing.T) {
		t.Parallel()
		assertRefused(t, newServer(t, newMachine()), powershell.GetSharePointFarm{}, powershell.NotSharePoint)
	})
	t.Run("SharePoint without its cmdlets", func(t *testing.T) {
		t.Parallel()
		version := pwsh.Object("Version", map[string]any{"Value": editions["Subscription Edition"]})
		spec := newMachine().override("Get-SharePointFileVersion", pwsh.Return(version))
		assertRefused(t, newServer(t, spec), powershell.GetSharePointFarm{}, powershell.NotSharePoint)
	})
}

func TestGetSharePointServer(t *testing.T) {
	t.Parallel()
	t.Run("needs no farm", func(t *testing.T) {
		t.Parallel()
		spec := newMachine().override("Get-WorkerStart", pwsh.Return(nil))
		got := mustRun(t, newServer(t, spec), powershell.GetSharePointServer{})
		got.Machine = powershell.Machine{Forest: got.Machine.Forest}
		want := powershell.SharePointServer{
			Machine: powershell.Machine{Forest: "contoso.com"}, Timer: powershell.Service{Name: "SPTimerV4"},
			WebServer: powershell.Service{Name: "W3SVC"}, Activation: powershell.Service{Name: "WAS"},
			Sites: []powershell.Discovery{}, LastErrors: []string{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("is asked for every site", func(t *testing.T) {
		t.Parallel()
		const unknown = "https://unknown.contoso.com"
		got := mustRun(t, newServer(t, newFrontEnd(editions["2016"])), powershell.GetSharePointServer{Sites: []string{site, unknown}})
		want := []powershell.Discovery{{URL: site, Status: 401}, {URL: unknown, Problem: "ConnectFailure"}}
		if diff := cmp.Diff(want, got.Sites); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("all sites together are waited for less than a minute", func(t *testing.T) {
		t.Parallel()
		for count, want := range map[int]int{1: 30_000, 2: 22_500, 45: 1000} {
			var got atomic.Int64
			spec := newFrontEnd(editions["2016"]).override("Send-SiteRequest", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
				var given struct{ Milliseconds int64 }
				err := json.Unmarshal(parameters, &given)
				got.Store(given.Milliseconds)
				if err != nil {
					return nil, err
				}
				return do()
			})
			mustRun(t, newServer(t, spec), powershell.GetSharePointServer{Sites: slices.Repeat([]string{site}, count)})
			if int(got.Load()) != want {
				t.Errorf("%d sites have %d ms each, want %d", count, got.Load(), want)
			}
		}
	})
	t.Run("reports the FIPS policy", func(t *testing.T) {
		t.Parallel()
		for _, on := range []bool{false, true} {
			spec := newMachine()
			spec.machine.FIPS = on
			if got := mustRun(t, newServer(t, spec), powershell.GetSharePointServer{}).Machine.FIPS; got != on {
				t.Errorf("FIPS policy %v is observed as %v", on, got)
			}
		}
	})
}

func TestObserve_OnlyMachineIfNoRights(t *testing.T) {
	t.Parallel()
	machine := powershell.Machine{
		Name: "OOS-01", Domain: "contoso.com", Forest: "contoso.com", WindowsBuild: build2019, ConfigurationMode: "ApplyAndMonitor",
	}
	ignore := cmpopts.IgnoreFields(powershell.Machine{}, "Clock", "PowerShell")
	t.Run("office server", func(t *testing.T) {
		t.Parallel()
		spec := newOfficeServer()
		spec.filtered = true
		got := mustRun(t, newServer(t, spec), powershell.GetOfficeServer{FriendlyName: friendly})
		if diff := cmp.Diff(powershell.OfficeServer{Machine: machine}, got, ignore); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("SharePoint server", func(t *testing.T) {
		t.Parallel()
		spec := newMachine()
		spec.filtered = true
		got := mustRun(t, newServer(t, spec), powershell.GetSharePointServer{})
		if diff := cmp.Diff(powershell.SharePointServer{Machine: machine}, got, ignore); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
}

// TestForestName has what Windows knows of the domains that the machine's domain
// trusts.
func TestForestName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		forest  string
		trusted []string
		want    string
	}{
		{"one domain", "", nil, "contoso.com"},
		{"a tree of another name", "fabrikam.com", []string{"fabrikam.com"}, "fabrikam.com"},
		{"another forest is trusted", "", []string{"fabrikam.com"}, "contoso.com"},
		{"the other forest does not answer", "", []string{""}, "contoso.com"},
		{"a tree of another name, and another forest is trusted", "fabrikam.com", []string{"adatum.com"}, ""},
		{"a forest whose name ends alike is trusted", "", []string{"oso.com"}, "contoso.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer()
			spec.machine.Forest, spec.machine.TrustedForests = c.forest, c.trusted
			s := newServer(t, spec)
			if got := mustRun(t, s, powershell.GetOfficeServer{}).Machine.Forest; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("Windows does not tell", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newOfficeServer().override("Get-KnownForest", pwsh.Return(nil)))
		if got := mustRun(t, s, powershell.GetOfficeServer{}).Machine.Forest; got != "" {
			t.Errorf("got %q", got)
		}
	})
}
