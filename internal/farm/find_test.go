package farm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestObserved_Current(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*farm.OfficeServer)
		want   farm.Thumbprint
	}{
		{"the certificate that the master's setting names", func(*farm.OfficeServer) {}, testThumbprint("current")},
		{"nothing before the first set-up", func(s *farm.OfficeServer) { s.Settings.S2SCertificateName = "" }, ""},
		{"nothing when the master lacks the certificate", func(s *farm.OfficeServer) { s.Certificates = nil }, ""},
		{"nothing when the master is not in the farm", func(s *farm.OfficeServer) { s.Joined = false }, ""},
		{"nothing when the certificate is archived", func(s *farm.OfficeServer) { s.Certificates[1].Archived = true }, ""},
		{"nothing when two certificates have the name", func(s *farm.OfficeServer) { s.Certificates[0].FriendlyName = "OOS S2S" }, ""},
		{"the certificate whose name differs in case", func(s *farm.OfficeServer) { s.Settings.S2SCertificateName = "oos s2s" }, testThumbprint("current")},
		{"nothing when two names differ in case", func(s *farm.OfficeServer) { s.Certificates[0].FriendlyName = "oos s2s" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			master := &tf.observed.Office[0]
			master.Settings.S2SCertificateName = "OOS S2S"
			master.Certificates = []farm.StoreCertificate{{}, {Thumbprint: testThumbprint("current"), FriendlyName: "OOS S2S"}}
			c.change(master)
			got, ok := tf.observed.Current()
			if got.Thumbprint != c.want || ok != (c.want != "") {
				t.Errorf("Current() = %q, %t; want %q", got.Thumbprint, ok, c.want)
			}
		})
	}
}

func TestObserved_Current_OfficeFarms(t *testing.T) {
	for name, c := range map[string]struct {
		other []farm.StoreCertificate
		want  farm.Thumbprint
	}{
		"the certificate that both use":                      {testCertificates("current"), testThumbprint("current")},
		"nothing when they use different ones":               {testCertificates("other"), ""},
		"nothing when the name is ambiguous in one":          {testCertificates("current", "other"), ""},
		"the certificate of one while the other has no name": {nil, testThumbprint("current")},
	} {
		t.Run(name, func(t *testing.T) {
			tf := newTestFarm()
			separateOffice(&tf.observed)
			nameCertificates(&tf.observed.Office[0], testCertificates("current"))
			if nameCertificates(&tf.observed.Office[1], c.other); c.other == nil {
				tf.observed.Office[1].Settings.S2SCertificateName = ""
			}
			got, ok := tf.observed.Current()
			if got.Thumbprint != c.want || ok != (c.want != "") {
				t.Errorf("Current() = %q, %t; want %q", got.Thumbprint, ok, c.want)
			}
		})
	}
}

func TestObserved_Covers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*farm.Observed)
		want   bool
	}{
		{"every server", func(*farm.Observed) {}, true},
		{"all but an office server", func(o *farm.Observed) { o.Office = o.Office[:1] }, false},
		{"all but a SharePoint farm", func(o *farm.Observed) { o.SharePoint = nil }, false},
		{"all but a SharePoint server", func(o *farm.Observed) { o.SharePoint[0].Servers = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			c.change(&tf.observed)
			if got := tf.observed.Covers(tf.desired.Farm); got != c.want {
				t.Errorf("Covers() = %t, want %t", got, c.want)
			}
		})
	}
}

func TestSameMachine(t *testing.T) {
	for _, c := range []struct {
		name, one, other string
		want             bool
	}{
		{"a computer name and a DNS name", "OOS-01", "oos-01.contoso.com", true},
		{"two machines", "oos-01", "oos-02", false},
		{"a name and its beginning", "oos-1", "oos-10", false},
		{"two empty names", "", "", false},
		{"one empty name", "", "oos-01", false},
		{"a computer name that is cut off", "OOS-PRODUCTION-", "oos-production-01.contoso.com", true},
		{"the other way round", "oos-production-01.contoso.com", "OOS-PRODUCTION-", true},
		{"two long DNS names", "oos-production-01.contoso.com", "oos-production-02.contoso.com", false},
		{"a shorter name is not cut off", "OOS-PRODUCTIO", "oos-production-01", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := farm.SameMachine(c.one, c.other); got != c.want {
				t.Errorf("SameMachine(%q, %q) = %t, want %t", c.one, c.other, got, c.want)
			}
		})
	}
}

func TestCutoverEstimate(t *testing.T) {
	servers := func(count int) []farm.Server {
		var all []farm.Server
		for i := range count {
			all = append(all, farm.Server{Host: fmt.Sprintf("server-%02d", i)})
		}
		return all
	}
	for _, c := range []struct {
		name               string
		office, sharePoint int
		batch              int
		want               time.Duration
		healthyFor         time.Duration
		others             []int // servers of further office farms
	}{
		{"one server of each kind", 1, 1, 1, 16 * time.Minute, 0, nil},
		{"the canary and the master", 2, 1, 1, 19 * time.Minute, 0, nil},
		{"the canary, three servers one at a time, the master", 5, 1, 1, 28 * time.Minute, 0, nil},
		{"the canary, four servers two at a time, the master", 6, 1, 2, 25 * time.Minute, 0, nil},
		{"the last batch is smaller", 7, 1, 2, 28 * time.Minute, 0, nil},
		{"no batch size counts as one", 3, 1, 0, 22 * time.Minute, 0, nil},
		{"each restart is watched", 2, 1, 1, 22 * time.Minute, time.Minute, nil},
		{"the larger SharePoint farm counts", 1, 4, 1, 25 * time.Minute, 0, nil},
		{"a batch is of one office farm", 2, 1, 2, 28 * time.Minute, 0, []int{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := farm.Farm{
				Office:     farm.Office{Servers: servers(c.office)},
				SharePoint: []farm.SharePoint{{Servers: servers(c.sharePoint)}, {Servers: servers(1)}},
				Rotation:   farm.RotationPolicy{RestartAtOnce: c.batch, HealthyFor: c.healthyFor},
			}
			for _, count := range c.others {
				f.Office.Others = append(f.Office.Others, farm.Office{Servers: servers(count)})
			}
			if got := f.CutoverEstimate(); got != c.want {
				t.Errorf("CutoverEstimate() = %v, want %v", got, c.want)
			}
		})
	}
}
