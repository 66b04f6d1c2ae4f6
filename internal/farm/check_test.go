package farm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestCheck(t *testing.T) {
	type finding struct {
		Severity farm.Severity
		Code     string
		Server   string
	}
	for _, c := range []struct {
		name   string
		change func(*farm.Desired, *farm.Observed)
		want   []finding
	}{
		{"nothing wrong", func(*farm.Desired, *farm.Observed) {}, nil},
		{"no elevated token", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.Elevated = false
		}, []finding{{farm.Stop, "not-elevated", "oos-02"}}},
		{"what an account without rights cannot see is not missing", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0] = farm.OfficeServer{Machine: farm.Machine{Host: "oos-01"}}
		}, []finding{{farm.Stop, "not-elevated", "oos-01"}}},
		{"FIPS policy warns", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.FIPS, o.SharePoint[0].Servers[0].Machine.FIPS = true, true
		}, []finding{{farm.Warn, "fips", "oos-02"}, {farm.Warn, "fips", "sp-01"}}},
		{"not joined", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Joined = false
			o.Office[0].Settings.Machines = []string{"OOS-01"}
		}, []finding{{farm.Stop, "not-joined", "oos-02"}}},
		{"service stopped", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Joined, o.Office[1].Service.Running = false, false
			o.Office[0].Settings.Machines = []string{"OOS-01"}
		}, []finding{{farm.Stop, "wacsm-stopped", "oos-02"}}},
		{"another master", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Settings.Master = "OOS-02"
		}, []finding{{farm.Stop, "masters-differ", "oos-02"}}},
		{"another office farm has its own master", func(_ *farm.Desired, o *farm.Observed) {
			separateOffice(o)
		}, nil},
		{"two office farms are one", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].OfficeFarm = "dr"
		}, []finding{{farm.Stop, "master-not-configured", "oos-02"}, {farm.Stop, "machine-not-configured", "OOS-02"}}},
		{"a friendly name that two certificates have", func(_ *farm.Desired, o *farm.Observed) {
			nameCertificates(&o.Office[0], testCertificates("A"))
			nameCertificates(&o.Office[1], testCertificates("A", "B"))
		}, []finding{{farm.Stop, "s2s-name-ambiguous", "oos-02"}}},
		{"an archived certificate of the name is no other", func(_ *farm.Desired, o *farm.Observed) {
			archived := testCertificates("A", "B")
			archived[1].Archived = true
			nameCertificates(&o.Office[0], archived)
			nameCertificates(&o.Office[1], testCertificates("A"))
		}, nil},
		{"a friendly name that no certificate has", func(_ *farm.Desired, o *farm.Observed) {
			nameCertificates(&o.Office[0], testCertificates("A"))
			nameCertificates(&o.Office[1], nil)
		}, []finding{{farm.Warn, "s2s-name-dangling", "oos-02"}}},
		{"an office farm was re-created without its name", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Certificates = testCertificates("A")
			trust(o, "A")
		}, []finding{{farm.Warn, "s2s-name-lost", "oos-01"}}},
		{"an office farm whose master is stopped has lost no name", func(_ *farm.Desired, o *farm.Observed) {
			nameCertificates(&o.Office[1], testCertificates("A"))
			o.Office[0].Certificates, o.Office[0].Settings = testCertificates("A"), farm.OfficeFarm{}
			o.Office[0].Joined, o.Office[0].Service.Running = false, false
			trust(o, "A")
		}, []finding{{farm.Stop, "wacsm-stopped", "oos-01"}}},
		{"one of two office farms was re-created without its name", func(_ *farm.Desired, o *farm.Observed) {
			separateOffice(o)
			nameCertificates(&o.Office[0], testCertificates("A"))
			o.Office[1].Certificates = testCertificates("A")
			trust(o, "A")
		}, []finding{{farm.Warn, "s2s-name-lost", "oos-02"}}},
		{"one of two office farms never had a name", func(_ *farm.Desired, o *farm.Observed) {
			separateOffice(o)
			nameCertificates(&o.Office[0], testCertificates("A"))
			trust(o, "A")
		}, []finding{{farm.Warn, "s2s-never-set", "oos-02"}}},
		{"two office farms with different certificates", func(_ *farm.Desired, o *farm.Observed) {
			separateOffice(o)
			nameCertificates(&o.Office[0], testCertificates("A"))
			nameCertificates(&o.Office[1], testCertificates("B"))
		}, []finding{{farm.Warn, "s2s-certificates-differ", ""}}},
		{"master not configured", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Master = "X"
			o.Office[1].Settings.Master = "X"
		}, []finding{{farm.Stop, "master-not-configured", "oos-01"}}},
		{"machine not configured", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Machines = append(o.Office[0].Settings.Machines, "OOS-09")
		}, []finding{{farm.Stop, "machine-not-configured", "OOS-09"}}},
		{"machine that is left out", func(d *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Machines = append(o.Office[0].Settings.Machines, "OOS-09")
			d.Farm.LeftOut = []string{"oos-09.contoso.com"}
		}, nil},
		{"master that is left out", func(d *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Master, o.Office[1].Settings.Master = "OOS-09", "OOS-09"
			d.Farm.LeftOut = []string{"oos-09.contoso.com"}
		}, []finding{{farm.Stop, "master-left-out", "oos-01"}}},
		{"configured server is not a machine of the farm", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.Machines = []string{"OOS-01"}
		}, []finding{{farm.Stop, "machine-not-in-farm", "oos-02"}}},
		{"SharePoint server not configured", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Members = append(o.SharePoint[0].Members, "SP-02")
		}, []finding{{farm.Stop, "sharepoint-server-not-configured", "SP-02"}}},
		{"another forest", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Servers[0].Machine.Forest = "fabrikam.com"
		}, []finding{{farm.Stop, "forests-differ", "sp-01"}}},
		{"unknown forest only warns", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.Forest = ""
		}, []finding{{farm.Warn, "forest-unknown", "oos-02"}}},
		{"no User Profile service", func(_ *farm.Desired, o *farm.Observed) {
			f := &o.SharePoint[0]
			f.UserProfileServices, f.UserProfileProxies, f.ProxiedSites = 0, 0, nil
		}, []finding{{farm.Stop, "no-user-profiles", "sp-01"}}},
		{"another farm's User Profile service", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].UserProfileServices = 0
		}, nil},
		{"a User Profile service in no proxy group", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].ProxiedSites = nil
		}, []finding{{farm.Stop, "user-profile-not-in-proxy-group", "sp-01"}}},
		{"no services for app permissions", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].AppManagement, o.SharePoint[0].SubscriptionSettings = 0, 0
		}, []finding{{farm.Stop, "no-app-management", "sp-01"}, {farm.Stop, "no-subscription-settings", "sp-01"}}},
		{"a site without TLS", func(d *farm.Desired, o *farm.Observed) {
			d.Farm.SharePoint[0].Sites = append(d.Farm.SharePoint[0].Sites, "HTTP://portal.contoso.com")
			o.SharePoint[0].ProxiedSites = d.Farm.SharePoint[0].Sites
		}, []finding{{farm.Stop, "oauth-over-http-off", "sp-01"}}},
		{"a site without TLS, and tokens are accepted there", func(d *farm.Desired, o *farm.Observed) {
			d.Farm.SharePoint[0].Sites = []string{"http://portal.contoso.com"}
			o.SharePoint[0].ProxiedSites, o.SharePoint[0].AllowOAuthOverHTTP = d.Farm.SharePoint[0].Sites, true
		}, nil},
		{"an issuer of another realm, with the configured name", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Issuers = []farm.TokenIssuer{{
				Name: "OOS SharePoint Server", RegisteredName: "67E3DF25-268a-4324-a550-0de1c7f97287@d09b8d2b-0000-0000-0000-000000000000",
			}}
		}, []finding{{farm.Stop, "issuer-realm-changed", "sp-01"}}},
		{"clock before the certificate is valid", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.Clock = epoch.Add(-2 * time.Hour)
		}, []finding{{farm.Stop, "not-yet-valid", "oos-02"}}},
		{"clock after the certificate expires", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Machine.Clock = epoch.Add(2 * time.Hour)
		}, []finding{{farm.Stop, "expired", "oos-02"}}},
		{"friendly name in use", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), FriendlyName: "OOS S2S new"}}
		}, []finding{{farm.Stop, "friendly-name-taken", "oos-02"}}},
		{"friendly name in use in other letters", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), FriendlyName: "oos s2s NEW"}}
		}, []finding{{farm.Stop, "friendly-name-taken", "oos-02"}}},
		{"friendly name on the copy in Trusted Root", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Roots = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "OOS S2S new"}}
		}, []finding{{farm.Stop, "friendly-name-taken", "oos-02"}}},
		{"target under two names", func(d *farm.Desired, o *farm.Observed) {
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "OOS S2S new"}}
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, FriendlyName: "b"}}
		}, []finding{{farm.Stop, "friendly-names-differ", ""}}},
		{"shared subject only warns", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), Subject: d.Target.Subject}}
		}, []finding{{farm.Warn, "subject-shared", "oos-02"}}},
		{"archived certificate of the subject", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), Subject: d.Target.Subject, Archived: true, Uses: []string{"http.sys"}}}
		}, nil},
		{"shared subject with the TLS certificate", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Settings.CertificateName = "TLS"
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), Subject: d.Target.Subject, FriendlyName: "tls"}}
		}, []finding{{farm.Stop, "subject-shared-in-use", "oos-02"}}},
		{"shared subject with a certificate of WinRM", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), Subject: d.Target.Subject, Uses: []string{"WinRM listener"}}}
		}, []finding{{farm.Stop, "subject-shared-in-use", "oos-02"}}},
		{"key in a key storage provider", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, Provider: "Microsoft Software Key Storage Provider"}}
		}, []finding{{farm.Stop, "key-storage-provider", "oos-02"}}},
		{"key that signs by CNG alone", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, ModernKeySigns: true}}
		}, []finding{{farm.Stop, "key-storage-provider", "oos-02"}}},
		{"key that signs by both paths", func(d *farm.Desired, o *farm.Observed) {
			o.Office[1].Certificates = []farm.StoreCertificate{{Thumbprint: d.Target.Thumbprint, KeySigns: true, ModernKeySigns: true}}
		}, nil},
		{"key in use that signs by CNG alone", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.S2SCertificateName = "old"
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), FriendlyName: "old", ModernKeySigns: true}}
		}, []finding{{farm.Warn, "current-key-storage-provider", "oos-01"}}},
		{"target that ends before what is in use", func(d *farm.Desired, o *farm.Observed) {
			o.Office[0].Settings.S2SCertificateName = "old"
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), FriendlyName: "old", KeySigns: true, NotAfter: d.Target.NotAfter.Add(time.Hour)}}
		}, []finding{{farm.Stop, "target-ends-earlier", ""}}},
		{"two issuers with one registered name", func(_ *farm.Desired, o *farm.Observed) {
			i := farm.TokenIssuer{RegisteredName: farm.Issuers()[1].RegisteredName}
			o.SharePoint[0].Issuers = []farm.TokenIssuer{i, i}
		}, []finding{{farm.Stop, "issuers-ambiguous", "sp-01"}}},
		{"name of an issuer in use", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Issuers = []farm.TokenIssuer{{Name: "oos sql server", RegisteredName: "another@realm"}}
		}, []finding{{farm.Stop, "issuer-name-taken", "sp-01"}}},
		{"pending reboot", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Machine.PendingReboot = true
		}, []finding{{farm.Stop, "pending-reboot", "oos-01"}}},
		{"DSC auto-corrects", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Machine.ConfigurationMode = "ApplyAndAutoCorrect"
		}, []finding{{farm.Stop, "dsc-auto-correct", "oos-01"}}},
		{"a server that warms up", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[1].Discovery.Status = 503
		}, []finding{{farm.Stop, "discovery-unhealthy", "oos-02"}}},
		{"a certificate without the farm's name", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Discovery = farm.Discovery{Problem: "TrustFailure"}
		}, []finding{{farm.Stop, "discovery-unhealthy", "oos-01"}}},
		{"a server where nothing listens", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Discovery = farm.Discovery{Problem: "ConnectFailure"}
		}, []finding{{farm.Stop, "office-server-unreachable", "oos-01"}}},
		{"a server without IIS", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].WebServer = farm.Service{Name: "W3SVC"}
			o.Office[0].Discovery = farm.Discovery{Problem: "ConnectFailure"}
		}, []finding{{farm.Stop, "office-server-unreachable", "oos-01"}}},
		{"no server serves a site", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Servers[0].Sites = []farm.Discovery{{URL: "https://portal", Problem: "ConnectFailure"}}
		}, []finding{{farm.Stop, "no-site-answers", "sp-01"}}},
		{"a server that is not a front end only warns", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Servers = append(o.SharePoint[0].Servers, farm.SharePointServer{Machine: testMachine("sp-02")})
			o.SharePoint[0].Servers[0].Sites = []farm.Discovery{{URL: "https://portal", Status: 401}}
			o.SharePoint[0].Servers[1].Sites = []farm.Discovery{{URL: "https://portal", Status: 503}}
		}, []finding{{farm.Warn, "site-not-served", "sp-02"}}},
		{"one site is enough", func(_ *farm.Desired, o *farm.Observed) {
			o.SharePoint[0].Servers[0].Sites = []farm.Discovery{{URL: "https://portal", Status: 302}, {URL: "https://teams", Problem: "TrustFailure"}}
		}, nil},
		{"the certificate for HTTPS is the one in use", func(d *farm.Desired, o *farm.Observed) {
			s := &o.Office[0]
			s.Settings.S2SCertificateName, s.Settings.CertificateName = "old", "old"
			s.Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("old"), FriendlyName: "old", NotAfter: d.Target.NotAfter}}
		}, []finding{{farm.Warn, "certificate-name-shared", "oos-01"}}},
		{"the certificate for HTTPS expires within the lead time", func(d *farm.Desired, o *farm.Observed) {
			d.Farm.Certificate.LeadTime = 48 * time.Hour
			o.Office[0].Settings.CertificateName = "office.contoso.com"
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("https"), FriendlyName: "office.contoso.com", NotAfter: epoch.Add(24 * time.Hour)}}
		}, []finding{{farm.Warn, "certificate-name-shared", "oos-01"}}},
		{"the certificate for HTTPS is valid for long", func(d *farm.Desired, o *farm.Observed) {
			d.Farm.Certificate.LeadTime = 48 * time.Hour
			o.Office[0].Settings.CertificateName = "office.contoso.com"
			o.Office[0].Certificates = []farm.StoreCertificate{{Thumbprint: testThumbprint("https"), FriendlyName: "office.contoso.com", NotAfter: epoch.Add(72 * time.Hour)}}
		}, nil},
		{"PowerShell 4", func(_ *farm.Desired, o *farm.Observed) {
			o.Office[0].Machine.PowerShell, o.Office[1].Machine.PowerShell = "4.0", "5.0.10586.117"
		}, []finding{{farm.Stop, "powershell-old", "oos-01"}}},
		{"tokens in clear text only warn", func(d *farm.Desired, _ *farm.Observed) {
			d.Farm.Office.AllowOutboundHTTP = new(true)
		}, []finding{{farm.Warn, "clear-text", ""}}},
		{"ODC files in clear text only warn", func(d *farm.Desired, _ *farm.Observed) {
			d.Farm.Office.AllowHTTPSecureStoreConnections = new(true)
		}, []finding{{farm.Warn, "clear-text", ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			c.change(&tf.desired, &tf.observed)
			var got []finding
			for _, f := range farm.Check(tf.desired, tf.observed) {
				got = append(got, finding{f.Severity, f.Code, f.Server})
				if f.Text == "" || f.Remedy == "" {
					t.Errorf("%s does not say what was found and what to do: %+v", f.Code, f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheck_RemedyCanBePasted has an issuer whose name would end a quoted text.
func TestCheck_RemedyCanBePasted(t *testing.T) {
	tf := newTestFarm()
	tf.observed.SharePoint[0].Issuers = []farm.TokenIssuer{{
		Name: "Ada's issuer", RegisteredName: "67e3df25-268a-4324-a550-0de1c7f97287@d09b8d2b-0000-0000-0000-000000000000",
	}}
	const want = "Remove-SPTrustedSecurityTokenIssuer -Identity 'Ada''s issuer'"
	for _, f := range farm.Check(tf.desired, tf.observed) {
		if f.Code == "issuer-realm-changed" && strings.Contains(f.Remedy, want) {
			return
		}
	}
	t.Errorf("no remedy has %s", want)
}

// separateOffice makes the second office server an office farm of its own.
func separateOffice(o *farm.Observed) {
	o.Office[1].OfficeFarm = "dr"
	o.Office[0].Settings.Machines = []string{"OOS-01"}
	o.Office[1].Settings = farm.OfficeFarm{Master: "OOS-02", Machines: []string{"OOS-02"}}
}

// nameCertificates has an office server's S2S setting name certificates.
func nameCertificates(s *farm.OfficeServer, certificates []farm.StoreCertificate) {
	s.Settings.S2SCertificateName, s.Certificates = "OOS S2S", certificates
}

// testCertificates are certificates of one friendly name.
func testCertificates(seeds ...string) (all []farm.StoreCertificate) {
	for _, seed := range seeds {
		all = append(all, farm.StoreCertificate{Thumbprint: testThumbprint(seed), FriendlyName: "OOS S2S", HasKey: true})
	}
	return all
}

// trust has SharePoint's issuers hold a certificate.
func trust(o *farm.Observed, seed string) {
	for _, i := range farm.Issuers() {
		o.SharePoint[0].Issuers = append(o.SharePoint[0].Issuers, farm.TokenIssuer{
			Name: i.Product, RegisteredName: i.RegisteredName, Thumbprint: testThumbprint(seed),
		})
	}
}
