package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// ready is a farm that a rotation may start on.
func ready() (farm.Desired, farm.Observed) {
	front := farm.Server{Host: "sp-01"}
	d := farm.Desired{
		Farm: farm.Farm{
			Office:     farm.Office{Servers: []farm.Server{{Host: "oos-01"}, {Host: "oos-02"}}},
			SharePoint: []farm.SharePoint{{FrontEnd: front, Servers: []farm.Server{front}, IssuerName: "OOS"}},
		},
		Target: farm.Certificate{
			Thumbprint: print40("new"), Subject: "CN=new", FriendlyName: "OOS S2S new",
			NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(time.Hour),
		},
	}
	var o farm.Observed
	for _, s := range d.Farm.Office.Servers {
		o.Office = append(o.Office, farm.OfficeServer{
			Machine: machine(s.Host), Joined: true, Service: farm.Service{Name: "WACSM", Running: true},
			Settings: farm.OfficeFarm{Master: "OOS-01", Machines: []string{"OOS-01", "OOS-02"}},
		})
	}
	o.SharePoint = []farm.SharePointFarm{{
		FrontEnd: "sp-01", UserProfileServices: 1, Members: []string{"SP-01"},
		Servers: []farm.SharePointServer{{Machine: machine("sp-01")}},
	}}
	return d, o
}

func TestPreconditionsThatFailStopARotation(t *testing.T) {
	for claim, c := range map[string]struct {
		change func(*farm.Desired, *farm.Observed)
		want   string // severity code server
	}{
		"nothing wrong":     {func(*farm.Desired, *farm.Observed) {}, ""},
		"no elevated token": {func(_ *farm.Desired, o *farm.Observed) { o.Office[1].Machine.Elevated = false }, "stop not-elevated oos-02"},
		"what an account without rights does not see is not missing": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0] = farm.OfficeServer{Machine: farm.Machine{Host: "oos-01"}}
		}, "stop not-elevated oos-01"},
		"FIPS policy warns": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.FIPS, o.SharePoint[0].Servers[0].Machine.FIPS = true, true
		}, "warn fips oos-02\nwarn fips sp-01"},
		"not joined": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Joined = false
			o.Office[0].Settings.Machines = []string{"OOS-01"}
		}, "stop not-joined oos-02"},
		"service stopped": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Joined, o.Office[1].Service.Running = false, false
			o.Office[0].Settings.Machines = []string{"OOS-01"}
		}, "stop wacsm-stopped oos-02"},
		"another master": {func(_ *farm.Desired, o *farm.Observed) { o.Office[1].Settings.Master = "OOS-02" }, "stop masters-differ oos-02"},
		"master not configured": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Master = "X"
			o.Office[1].Settings.Master = "X"
		}, "stop master-not-configured oos-01"},
		"machine not configured": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Machines = append(o.Office[0].Settings.Machines, "OOS-09")
		}, "stop machine-not-configured OOS-09"},
		"configured server not a machine": {func(_ *farm.Desired, o *farm.Observed) { o.Office[0].Settings.Machines = []string{"OOS-01"} }, "stop machine-not-in-farm oos-02"},
		"SharePoint server not configured": {func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Members = append(o.SharePoint[0].Members, "SP-02")
		}, "stop sharepoint-server-not-configured SP-02"},
		"another forest":                      {func(_ *farm.Desired, o *farm.Observed) { o.SharePoint[0].Servers[0].Machine.Forest = "fabrikam.com" }, "stop forests-differ sp-01"},
		"forest unknown only warns":           {func(_ *farm.Desired, o *farm.Observed) { o.Office[1].Machine.Forest = "" }, "warn forest-unknown oos-02"},
		"no User Profile service":             {func(_ *farm.Desired, o *farm.Observed) { o.SharePoint[0].UserProfileServices = 0 }, "stop no-user-profiles sp-01"},
		"clock before the certificate begins": {func(_ *farm.Desired, o *farm.Observed) { o.Office[1].Machine.Clock = epoch.Add(-2 * time.Hour) }, "stop not-yet-valid oos-02"},
		"clock after the certificate ends":    {func(_ *farm.Desired, o *farm.Observed) { o.Office[1].Machine.Clock = epoch.Add(2 * time.Hour) }, "stop expired oos-02"},
		"friendly name in use": {func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: print40("old"), FriendlyName: "OOS S2S new"}}
		}, "stop friendly-name-taken oos-02"},
		"friendly name on the root copy": {func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Roots = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "OOS S2S new"}}
		}, "stop friendly-name-taken oos-02"},
		"target under two names": {func(d *farm.Desired, o *farm.Observed) {
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "OOS S2S new"}}
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "b"}}
		}, "stop friendly-names-differ "},
		"subject shared only warns": {func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: print40("old"), Subject: d.Target.Subject}}
		}, "warn subject-shared oos-02"},
		"key in a key storage provider only warns": {func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, Provider: "Microsoft Software Key Storage Provider"}}
		}, "warn key-storage-provider oos-02"},
		"two issuers of one registered name": {func(_ *farm.Desired, o *farm.Observed) {
			i := farm.TokenIssuer{RegisteredName: farm.Issuers()[1].RegisteredName}
			o.SharePoint[0].Issuers = []farm.TokenIssuer{i, i}
		}, "stop issuers-ambiguous sp-01"},
		"name of an issuer in use": {func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Issuers = []farm.TokenIssuer{{Name: "oos sql server", RegisteredName: "another@realm"}}
		}, "stop issuer-name-taken sp-01"},
		"pending reboot":    {func(_ *farm.Desired, o *farm.Observed) { o.Office[0].Machine.PendingReboot = true }, "stop pending-reboot oos-01"},
		"DSC auto-corrects": {func(_ *farm.Desired, o *farm.Observed) { o.Office[0].Machine.ConfigurationMode = "ApplyAndAutoCorrect" }, "stop dsc-auto-correct oos-01"},
		"clear text warns":  {func(d *farm.Desired, _ *farm.Observed) { d.Farm.Office.AllowOutboundHTTP = new(true) }, "warn clear-text "},
	} {
		t.Run(claim, func(t *testing.T) {
			d, o := ready()
			c.change(&d, &o)
			var got []string
			for _, f := range farm.Check(d, o) {
				got = append(got, string(f.Severity)+" "+f.Code+" "+f.Server)
				if f.Text == "" || f.Remedy == "" {
					t.Errorf("finding does not say what was found and what to do: %+v", f)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
