package powershell_test

import (
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
		s := newServer(t, spec)
		machine := s.World.State().Machines[0]
		since := machine.WorkersSince.UTC().Truncate(time.Millisecond)

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
			CertificateName: "office.contoso.com",
			Discovery:       powershell.Discovery{URL: "https://oos-01.contoso.com/hosting/discovery", Status: 200},
			Service:         powershell.Service{Name: "WACSM", Running: true, Since: &since},
			WebServer:       powershell.Service{Name: "W3SVC", Running: true, Since: &since},
			Activation:      powershell.Service{Name: "WAS", Running: true, Since: &since},
			LastErrors:      []string{},
			WorkersSince:    &since, SettingsSince: &since,
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

// A server asks for its own discovery, by the scheme of the farm.
func TestGetOfficeServer_Discovery(t *testing.T) {
	t.Parallel()
	respond := func(status int, problem string) pwsh.Override {
		return pwsh.Return(pwsh.Object("Response", map[string]any{"StatusCode": status, "Problem": problem}))
	}
	cases := []struct {
		name, setting string
		response      pwsh.Override
		want          powershell.Discovery
	}{
		{name: "https", response: respond(200, ""), want: powershell.Discovery{URL: "https://", Status: 200}},
		{name: "http", setting: "AllowHTTP", response: respond(200, ""), want: powershell.Discovery{URL: "http://", Status: 200}},
		{name: "TLS ends elsewhere", setting: "SSLOffloaded", response: respond(200, ""), want: powershell.Discovery{URL: "http://", Status: 200}},
		{name: "refused", response: respond(503, ""), want: powershell.Discovery{URL: "https://", Status: 503}},
		{name: "no trust", response: respond(0, "TrustFailure"), want: powershell.Discovery{URL: "https://", Problem: "TrustFailure"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Invoke-WebRequest", c.response)
			if c.setting != "" {
				spec.override("Get-OfficeWebAppsFarm", pwsh.Edit(c.setting, true))
			}
			c.want.URL += host + "/hosting/discovery"
			if diff := cmp.Diff(c.want, mustRun(t, newServer(t, spec), powershell.GetOfficeServer{}).Discovery); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
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
			WebServer: powershell.Service{Name: "W3SVC"}, Activation: powershell.Service{Name: "WAS"}, LastErrors: []string{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
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
