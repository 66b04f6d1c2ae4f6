package farm_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/farm"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// testFarm is a model of a farm: what is desired of it, and what its servers would
// show. Steps can be carried out on it and rolled back; see carryOut and reverse.
type testFarm struct {
	desired  farm.Desired
	observed farm.Observed
	// now is when the last step was carried out or rolled back. It begins after
	// every time that is drawn.
	now time.Time
}

// drawTestFarm draws a farm anywhere between never set up and as desired.
func drawTestFarm(t *rapid.T) *testFarm {
	tf := &testFarm{desired: drawDesired(t), now: epoch.Add(24 * time.Hour)}
	for _, office := range tf.desired.Farm.Offices() {
		master := rapid.SampledFrom(office.Hosts()).Draw(t, "master")
		for _, host := range office.Hosts() {
			s := tf.drawOfficeServer(t, host, master)
			s.OfficeFarm = office.Name
			tf.observed.Office = append(tf.observed.Office, s)
		}
	}
	for _, sp := range tf.desired.Farm.SharePoint {
		tf.observed.SharePoint = append(tf.observed.SharePoint, tf.drawSharePoint(t, sp))
	}
	return tf
}

func drawDesired(t *rapid.T) farm.Desired {
	f := farm.Farm{Name: "contoso", Certificate: farm.CertificatePolicy{Name: "OOS S2S"}}
	f.Office = drawOffice(t, "oos")
	for range rapid.IntRange(0, 1).Draw(t, "other office farms") {
		other := drawOffice(t, "dr")
		other.Name = "dr"
		f.Office.Others = append(f.Office.Others, other)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "sharepoint farms") {
		front := farm.Server{Host: fmt.Sprintf("sp-%02d", i)}
		f.SharePoint = append(f.SharePoint, farm.SharePoint{
			FrontEnd: front, Servers: []farm.Server{front, {Host: front.Host + "b"}}, IssuerName: "OOS",
			Sites: []string{"https://portal-" + front.Host}[:1],
		})
	}
	target := farm.Certificate{
		Thumbprint: testThumbprint("T"), Subject: "CN=oos-s2s", FriendlyName: "OOS S2S new", DER: []byte("new"),
		NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(365 * 24 * time.Hour), SelfSigned: rapid.Bool().Draw(t, "self-signed"),
	}
	if !target.SelfSigned {
		for i := range rapid.IntRange(1, 3).Draw(t, "chain") {
			target.Chain = append(target.Chain, farm.ChainCertificate{Thumbprint: testThumbprint(fmt.Sprint("C", i)), Subject: fmt.Sprint("CN=CA ", i), DER: []byte{byte(i)}})
		}
	}
	return farm.Desired{Farm: f, Target: target}
}

func drawOffice(t *rapid.T, prefix string) (o farm.Office) {
	for i := range rapid.IntRange(1, 4).Draw(t, "office servers") {
		o.Servers = append(o.Servers, farm.Server{Host: fmt.Sprintf("%s-%02d", prefix, i)})
	}
	o.AllowOutboundHTTP = rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "allowOutboundHttp")
	o.AllowHTTPSecureStoreConnections = rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "allowHttpSecureStore")
	return o
}

func (tf *testFarm) drawOfficeServer(t *rapid.T, host, master string) farm.OfficeServer {
	target := tf.desired.Target
	s := farm.OfficeServer{
		Machine: testMachine(host), Joined: true,
		Settings: farm.OfficeFarm{
			Master:                          strings.ToUpper(master),
			S2SCertificateName:              rapid.SampledFrom([]string{"", "old", target.FriendlyName}).Draw(t, "s2s name"),
			AllowOutboundHTTP:               rapid.Bool().Draw(t, "outbound"),
			AllowHTTPSecureStoreConnections: rapid.Bool().Draw(t, "secure store"),
		},
		Service:           farm.Service{Name: "WACSM", Running: rapid.Bool().Draw(t, "running"), StartedAt: drawTime(t)},
		SettingsChangedAt: drawTime(t), WorkersStartedAt: drawTime(t),
	}
	if rapid.Bool().Draw(t, "has target") {
		s.Certificates = append(s.Certificates, farm.StoreCertificate{
			Thumbprint: target.Thumbprint, Subject: target.Subject, FriendlyName: rapid.SampledFrom([]string{"", target.FriendlyName}).Draw(t, "friendly name"),
			HasKey: rapid.Bool().Draw(t, "has key"), KeySigns: rapid.Bool().Draw(t, "signs"), Archived: rapid.Bool().Draw(t, "archived"),
			KeyReaders: rapid.SampledFrom([][]string{nil, {farm.NetworkService}}).Draw(t, "readers"),
		})
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "others of the subject") {
		s.Certificates = append(s.Certificates, farm.StoreCertificate{
			Thumbprint: testThumbprint(fmt.Sprint("OLD", i)), Subject: strings.ToUpper(target.Subject), FriendlyName: fmt.Sprint("old", i),
			HasKey: true, Archived: rapid.Bool().Draw(t, "archived"),
		})
	}
	if rapid.Bool().Draw(t, "has chain") {
		for _, c := range target.Intermediates() {
			s.Intermediates = append(s.Intermediates, c.Thumbprint)
		}
	}
	if rapid.Bool().Draw(t, "has root") {
		s.Roots = append(s.Roots, farm.StoreCertificate{Thumbprint: target.Thumbprint})
	}
	return s
}

func (tf *testFarm) drawSharePoint(t *rapid.T, sp farm.SharePoint) farm.SharePointFarm {
	f := farm.SharePointFarm{
		FrontEnd: sp.FrontEnd.Host, UserProfileServices: 1, UserProfileProxies: 1, ProxiedSites: sp.Sites,
		AppManagement: 1, SubscriptionSettings: 1,
	}
	for _, i := range farm.Issuers() {
		if rapid.Bool().Draw(t, "has issuer") {
			f.Issuers = append(f.Issuers, farm.TokenIssuer{
				Name: "by hand", RegisteredName: i.RegisteredName, ChangedAt: drawTime(t), Certificate: []byte("DER"),
				Thumbprint: rapid.SampledFrom([]farm.Thumbprint{tf.desired.Target.Thumbprint, testThumbprint("OLD")}).Draw(t, "issuer certificate"),
			})
		}
		for _, site := range sp.Sites {
			f.Permissions = append(f.Permissions, farm.AppPermission{
				Site: site, RegisteredName: i.RegisteredName, AppOnly: rapid.Bool().Draw(t, "app only"),
				Right: rapid.SampledFrom([]string{"", "Read", farm.FullControl}).Draw(t, "right"),
			})
		}
	}
	for _, c := range tf.desired.Target.RootAuthorities() {
		if rapid.Bool().Draw(t, "trusted") {
			f.RootAuthorities = append(f.RootAuthorities, farm.RootAuthority{Name: "by hand", Thumbprint: c.Thumbprint})
		}
	}
	for _, s := range sp.Servers {
		f.Servers = append(f.Servers, farm.SharePointServer{
			Machine: testMachine(s.Host), WorkersStartedAt: drawTime(t),
			Timer: farm.Service{Name: "SPTimerV4", Running: true, StartedAt: drawTime(t)},
		})
	}
	return f
}

func testMachine(host string) farm.Machine {
	return farm.Machine{Host: host, Name: strings.ToUpper(host), Forest: "contoso.com", Elevated: true, Clock: epoch, WindowsBuild: 14393}
}

func drawTime(t *rapid.T) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "hour")) * time.Hour)
}

// targetOn returns the target in the store of an office server; nil when it is not
// there.
func (tf *testFarm) targetOn(s *farm.OfficeServer) *farm.StoreCertificate {
	for i := range s.Certificates {
		if c := &s.Certificates[i]; c.Thumbprint == tf.desired.Target.Thumbprint {
			return c
		}
	}
	return nil
}

// hasVisible reports whether a server has a certificate other than the target that
// is not archived.
func (tf *testFarm) hasVisible(s farm.OfficeServer) bool {
	return slices.ContainsFunc(s.Certificates, func(c farm.StoreCertificate) bool {
		return c.Thumbprint != tf.desired.Target.Thumbprint && !c.Archived
	})
}

func testThumbprint(seed string) farm.Thumbprint { return farm.ThumbprintOf([]byte(seed)) }

// testSite is the one site of [newTestFarm].
const testSite = "https://portal.contoso.com"

// newTestFarm returns a farm that meets every precondition of a rotation.
func newTestFarm() *testFarm {
	front := farm.Server{Host: "sp-01"}
	tf := &testFarm{desired: farm.Desired{
		Farm: farm.Farm{
			Office:     farm.Office{Servers: []farm.Server{{Host: "oos-01"}, {Host: "oos-02"}}},
			SharePoint: []farm.SharePoint{{FrontEnd: front, Servers: []farm.Server{front}, IssuerName: "OOS", Sites: []string{testSite}}},
		},
		Target: farm.Certificate{
			Thumbprint: testThumbprint("new"), Subject: "CN=new", FriendlyName: "OOS S2S new",
			NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(time.Hour),
		},
	}}
	for _, s := range tf.desired.Farm.Office.Servers {
		tf.observed.Office = append(tf.observed.Office, farm.OfficeServer{
			Machine: testMachine(s.Host), Joined: true, Service: farm.Service{Name: "WACSM", Running: true},
			Discovery: farm.Discovery{URL: "https://office.contoso.com/hosting/discovery", Status: 200},
			Settings:  farm.OfficeFarm{Master: "OOS-01", Machines: []string{"OOS-01", "OOS-02"}},
		})
	}
	tf.observed.SharePoint = []farm.SharePointFarm{{
		FrontEnd: "sp-01", UserProfileServices: 1, UserProfileProxies: 1, ProxiedSites: []string{testSite}, AppManagement: 1, SubscriptionSettings: 1, Members: []string{"SP-01"},
		Servers: []farm.SharePointServer{{Machine: testMachine("sp-01")}},
	}}
	return tf
}
