package powershell_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func b64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func TestOfficeServerIsObservedAsItIs(t *testing.T) {
	t.Parallel()
	target, same, other := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "unrelated")
	web, root := makeCertificate(t, "office.contoso.com"), makeCertificate(t, "Contoso Root")
	w := with(officeServer(t), "stores", "My", []storeEntry{
		target.owned(t, friendly), same.inStore("old"), other.owned(t, "unrelated"), web.owned(t, "office.contoso.com"),
	})
	with(w, "stores", "Root", []storeEntry{root.inStore(""), other.inStore("")})
	with(w, "stores", "CA", []storeEntry{root.inStore(""), other.inStore("")})
	e := newEngine(t, w)
	writeSettings(t, e, moment(t, yesterday))

	got := run(t, e, powershell.GetOfficeServer{
		Thumbprint: target.thumbprint, FriendlyName: friendly, Subject: target.subject, Chain: []string{root.thumbprint},
	})

	name := machineName(t)
	since := moment(t, sinceStart)
	settings := moment(t, yesterday)
	want := powershell.OfficeServer{
		Machine: powershell.Machine{
			Name: name, Domain: "contoso.com", Forest: "contoso.com", WindowsBuild: 17763, Elevated: true, ConfigurationMode: "ApplyAndMonitor",
		},
		Certificates: []powershell.Certificate{
			record(target, friendly, true, true), record(same, "old", false, false), record(web, "office.contoso.com", true, false),
		},
		Roots:         []powershell.Certificate{record(root, "", false, false)},
		Intermediates: []string{root.thumbprint},
		Joined:        true, Master: name, Machines: []string{name, "OOS-02"}, Health: "Unhealthy",
		CertificateName: "office.contoso.com",
		Discovery:       powershell.Discovery{Status: 200},
		Service:         powershell.Service{Name: "WACSM", Running: true, Since: &since},
		WorkersSince:    &since, SettingsSince: &settings,
	}
	ignore := cmpopts.IgnoreFields(powershell.Machine{}, "Clock", "PowerShell")
	if diff := cmp.Diff(want, got, ignore, cmpopts.IgnoreFields(powershell.Discovery{}, "URL")); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if age := time.Since(got.Machine.Clock); age < 0 || age > time.Minute {
		t.Errorf("the clock is %v old", age)
	}
}

func record(m made, friendlyName string, key, signs bool) powershell.Certificate {
	c := powershell.Certificate{
		Thumbprint: m.thumbprint, FriendlyName: friendlyName, Subject: m.subject, KeyReaders: []string{},
		NotBefore: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC),
		HasKey: key, KeySigns: signs,
	}
	if key {
		c.Provider, c.KeyReaders = farm.KeyProvider, []string{"S-1-5-18", "S-1-5-32-544"}
	}
	return c
}

func TestOfficeServerTellsItsOwnDiscoveryFromTheFarmsScheme(t *testing.T) {
	t.Parallel()
	cases := []struct {
		claim, field, scheme string
		web                  map[string]any
		status               int
		problem              string
	}{
		{claim: "https", scheme: "https", web: map[string]any{"status": 200, "problem": ""}, status: 200},
		{claim: "http", field: "allowHttp", scheme: "http", web: map[string]any{"status": 204, "problem": ""}, status: 204},
		{claim: "TLS ends elsewhere", field: "sslOffloaded", scheme: "http", web: map[string]any{"status": 200, "problem": ""}, status: 200},
		{claim: "no trust", scheme: "https", web: map[string]any{"status": 0, "problem": "TrustFailure"}, problem: "TrustFailure"},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := officeServer(t)
			office, ok := w["office"].(map[string]any)
			if !ok {
				t.Fatal("no office")
			}
			if c.field != "" {
				with(office, "farm", c.field, true)
			}
			w["web"] = c.web
			got := run(t, newEngine(t, w), powershell.GetOfficeServer{}).Discovery
			if got.Status != c.status || got.Problem != c.problem {
				t.Errorf("got %+v", got)
			}
			if want := c.scheme + "://"; got.URL[:len(want)] != want {
				t.Errorf("asked %s, want %s", got.URL, want)
			}
		})
	}
}

func TestMachineInNoFarmIsAnAnswer(t *testing.T) {
	t.Parallel()
	got := run(t, newEngine(t, with(officeServer(t), "office", "joined", false)), powershell.GetOfficeServer{})
	if got.Joined || got.Master != "" || len(got.Machines) != 0 || got.Discovery.Problem != "NotJoined" || got.SettingsSince != nil {
		t.Errorf("got %+v", got)
	}
}

func TestServerWithoutTheProductSaysSo(t *testing.T) {
	t.Parallel()
	e := newEngine(t, someMachine())
	e.modules = t.TempDir()
	refused(t, e, powershell.GetOfficeServer{}, powershell.NotOffice)
	refused(t, newEngine(t, frontEnd("")), powershell.GetSharePointFarm{}, powershell.NotSharePoint)
	bare := newEngine(t, frontEnd("16.0.18526.20508"))
	bare.modules = t.TempDir()
	refused(t, bare, powershell.GetSharePointFarm{}, powershell.NotSharePoint)
}

func TestSharePointServerNeedsNoFarm(t *testing.T) {
	t.Parallel()
	w := someMachine()
	with(w, "services", "SPTimerV4", map[string]any{"status": "Stopped", "startType": "Disabled", "since": nil})
	w["workersSince"] = nil
	got := run(t, newEngine(t, w), powershell.GetSharePointServer{})
	if got.Timer.Running || got.Timer.Since != nil || got.WorkersSince != nil || got.Machine.Forest != "contoso.com" {
		t.Errorf("got %+v", got)
	}
}

func TestAnAccountWithoutRightsIsToldOfTheMachineAlone(t *testing.T) {
	t.Parallel()
	office := newEngine(t, with(officeServer(t), "machine", "elevated", false))
	seen := run(t, office, powershell.GetOfficeServer{FriendlyName: friendly})
	seen.Machine.Clock = time.Time{}
	want := powershell.OfficeServer{Machine: powershell.Machine{
		Name: machineName(t), Domain: "contoso.com", Forest: "contoso.com", WindowsBuild: 17763,
		PowerShell: seen.Machine.PowerShell, ConfigurationMode: "ApplyAndMonitor",
	}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	server := run(t, newEngine(t, with(someMachine(), "machine", "elevated", false)), powershell.GetSharePointServer{})
	if server.Machine.Elevated || server.Machine.Name == "" || server.Timer.Name != "" {
		t.Errorf("got %+v", server)
	}
}

func TestAFrontEndTellsMissingRightsFromAMissingSecondHop(t *testing.T) {
	t.Parallel()
	w := with(frontEnd(editions["2016"]), "sharePoint", "reachable", false)
	refused(t, newEngine(t, w), powershell.GetSharePointFarm{}, powershell.SecondHop)
	refused(t, newEngine(t, with(w, "machine", "elevated", false)), powershell.GetSharePointFarm{}, powershell.NotElevated)
}

func TestFIPSPolicyIsObserved(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		if got := run(t, newEngine(t, with(someMachine(), "machine", "fips", on)), powershell.GetSharePointServer{}).Machine.FIPS; got != on {
			t.Errorf("FIPS policy %v is observed as %v", on, got)
		}
	}
}
