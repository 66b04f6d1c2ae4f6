package farm_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestInspection_BrokenTrust(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*farm.Inspection)
		want   []string
	}{
		{"in order", func(*farm.Inspection) {}, nil},
		{"a renewal is due", func(n *farm.Inspection) { n.Plan = []farm.Difference{{Step: farm.StepImport}} }, nil},
		{"before the first set-up", func(n *farm.Inspection) { n.Current, n.Observed.SharePoint[0].Issuers = farm.StoreCertificate{}, nil }, nil},
		{"not every server was observed", func(n *farm.Inspection) {
			n.Servers = []farm.InspectedServer{{Host: "oos-02", Problem: "connection refused"}}
			n.Observed.SharePoint[0].Issuers = nil
		}, nil},
		{"half-way: the issuers hold another certificate", func(n *farm.Inspection) {
			for i := range n.Observed.SharePoint[0].Issuers {
				n.Observed.SharePoint[0].Issuers[i].Thumbprint = testThumbprint("new")
			}
		}, []string{"sp-01 does not accept what is signed with", "its issuer for SharePoint Server holds " + testThumbprint("new").Short(), "its issuer for SQL Server holds"}},
		{"an issuer was removed", func(n *farm.Inspection) { n.Observed.SharePoint[0].Issuers = n.Observed.SharePoint[0].Issuers[:1] }, []string{"its issuer for SQL Server holds none"}},
		{"a server has another name", func(n *farm.Inspection) { n.Observed.Office[1].Settings.S2SCertificateName = "other" }, []string{"oos-02 does not sign with"}},
		{"a service is down", func(n *farm.Inspection) {
			n.Observed.Office[1].Joined, n.Observed.Office[1].Service.Running = false, false
		}, []string{"oos-02: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tf := newTestFarm()
			current := farm.StoreCertificate{Thumbprint: testThumbprint("old"), FriendlyName: "OOS S2S old"}
			for i := range tf.observed.Office {
				s := &tf.observed.Office[i]
				s.Settings.S2SCertificateName, s.Certificates = current.FriendlyName, []farm.StoreCertificate{current}
			}
			trust(&tf.observed, "old")
			n := farm.Inspection{Farm: "contoso", Current: current, Observed: tf.observed}
			c.change(&n)
			got := strings.Join(n.BrokenTrust(), "\n")
			for _, part := range c.want {
				if !strings.Contains(got, part) {
					t.Errorf("got %q, want that it says %q", got, part)
				}
			}
			if len(c.want) == 0 && got != "" {
				t.Errorf("got %q, want nothing", got)
			}
		})
	}
}
