package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

var loadedAt = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// inOrder is a farm whose office server has loaded certificate A, which SharePoint
// trusts.
func inOrder() farm.Observed {
	runs := func(name string) farm.Service { return farm.Service{Name: name, Running: true, StartedAt: loadedAt} }
	var sp farm.SharePointFarm
	sp.FrontEnd = "sp-01"
	for _, i := range farm.Issuers() {
		sp.Issuers = append(sp.Issuers, farm.TokenIssuer{RegisteredName: i.RegisteredName, Thumbprint: "A", ChangedAt: loadedAt.Add(-time.Minute)})
		sp.Permissions = append(sp.Permissions, farm.AppPermission{RegisteredName: i.RegisteredName, Right: farm.FullControl, AppOnly: true})
	}
	sp.Servers = []farm.SharePointServer{{
		Machine: farm.Machine{Host: "sp-01"}, Timer: runs("SPTimerV4"), WebServer: runs("W3SVC"), Activation: runs("WAS"), WorkersStartedAt: loadedAt,
	}}
	key := func(t farm.Thumbprint, name string) farm.StoreCertificate {
		return farm.StoreCertificate{Thumbprint: t, FriendlyName: name, HasKey: true, KeySigns: true, KeyReaders: []string{farm.NetworkService}}
	}
	return farm.Observed{SharePoint: []farm.SharePointFarm{sp}, Office: []farm.OfficeServer{{
		Machine: farm.Machine{Host: "oos-01", Name: "OOS-01"}, Joined: true,
		Settings:     farm.OfficeFarm{Master: "OOS-01", S2SCertificateName: "old"},
		Certificates: []farm.StoreCertificate{key("A", "old"), key("B", "new")},
		Service:      runs("WACSM"), WebServer: runs("W3SVC"), Activation: runs("WAS"), WorkersStartedAt: loadedAt,
		Loaded: &farm.LoadedSettings{Since: loadedAt.Add(-time.Second), Service: loadedAt, S2SCertificateName: "old", Thumbprint: "A"},
	}}}
}

func TestRefreshDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*farm.Observed)
		want   string
	}{
		"all is in order": {func(*farm.Observed) {}, ""},
		"a name that nobody has loaded does no harm": {func(o *farm.Observed) { o.Office[0].Settings.S2SCertificateName = "new" }, ""},
		"the server has loaded another certificate":  {func(o *farm.Observed) { o.Office[0].Loaded.Thumbprint = "B" }, "oos-01 signs with B, and SharePoint trusts A"},
		"the note is of another process, which is older than the settings": {func(o *farm.Observed) {
			o.Office[0].Loaded, o.Office[0].SettingsChangedAt = nil, loadedAt.Add(time.Hour)
		}, "oos-01: which certificate it has loaded is not known"},
		"a service is stopped":             {func(o *farm.Observed) { o.Office[0].Service.Running = false }, "oos-01: WACSM is not running"},
		"the key is gone":                  {func(o *farm.Observed) { o.Office[0].Certificates = nil }, "is not in the Personal store"},
		"the issuers differ":               {func(o *farm.Observed) { o.SharePoint[0].Issuers[1].Thumbprint = "B" }, "sp-01: the issuer of"},
		"an issuer is missing":             {func(o *farm.Observed) { o.SharePoint[0].Issuers = o.SharePoint[0].Issuers[:1] }, "there is no issuer for"},
		"a permission is missing":          {func(o *farm.Observed) { o.SharePoint[0].Permissions[0].Right = "" }, "has no app-only full control"},
		"SharePoint has not loaded it yet": {func(o *farm.Observed) { o.SharePoint[0].Issuers[0].ChangedAt = loadedAt.Add(time.Hour) }, "SPTimerV4 started before the settings changed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := inOrder()
			c.change(&o)
			if got := o.RefreshDoubt(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestPlanRollback_Staged rolls back a rotation that has only staged: it removes that,
// whatever else has changed since, but for what someone else uses by now.
func TestPlanRollback_Staged(t *testing.T) {
	before := inOrder()
	before.Office[0].Certificates = before.Office[0].Certificates[:1]
	s := farm.Snapshot{
		Target: farm.Certificate{Thumbprint: "B", FriendlyName: "new"}, Previous: farm.StoreCertificate{Thumbprint: "A", NotAfter: loadedAt}, Before: before, Staged: true,
	}
	configured := farm.Farm{Office: farm.Office{Servers: []farm.Server{{Host: "oos-01"}}}, SharePoint: []farm.SharePoint{{FrontEnd: farm.Server{Host: "sp-01"}}}}
	for name, c := range map[string]struct {
		change func(*farm.Observed)
		want   []string
	}{
		"what was staged is removed": {func(*farm.Observed) {}, []string{"remove certificate oos-01"}},
		"although the old certificate has expired, and someone has changed an issuer": {func(o *farm.Observed) {
			o.Office[0].Machine.Clock, o.SharePoint[0].Issuers[0].Thumbprint = loadedAt.Add(time.Hour), "C"
		}, []string{"remove certificate oos-01"}},
		"nothing, where nothing was": {func(o *farm.Observed) { o.Office[0].Certificates = before.Office[0].Certificates }, nil},
		"also the key of an import that was cut off": {func(o *farm.Observed) {
			o.Office[0].Certificates, o.Office[0].OrphanedKey = before.Office[0].Certificates, true
		}, []string{"remove certificate oos-01"}},
		"unless someone has set it": {func(o *farm.Observed) { o.Office[0].Settings.S2SCertificateName = "new" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now := inOrder()
			c.change(&now)
			plan := farm.PlanRollback(s, configured, now)
			var got []string
			for _, d := range plan.Reversals {
				got = append(got, string(d.Step)+" "+d.Server)
			}
			if strings.Join(got, ",") != strings.Join(c.want, ",") || len(plan.Conflicts) > 0 || len(farm.Stops(plan.Remaining)) > 0 {
				t.Errorf("got %v with %+v, want %v", got, plan, c.want)
			}
		})
	}
}
