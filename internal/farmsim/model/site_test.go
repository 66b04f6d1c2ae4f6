package model_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

const (
	discovery  = "https://office.contoso.com/hosting/discovery"
	longMaster = "oos-production-01.contoso.com"
)

// assertResponds asserts how a machine responds to a request for a URL.
func assertResponds(f *testfarm.Farm, host, url string, want model.SiteResponse) {
	f.T.Helper()
	got, err := f.On(host).RequestSite(url)
	f.OK(err)
	if got != want {
		f.T.Errorf("%s responds %+v to %s, want %+v", host, got, url, want)
	}
}

var siteStories = map[model.RuleID]story{
	model.RuleFarmNameOnly: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		untrusted := model.SiteResponse{Problem: "TrustFailure"}
		assertResponds(f, testfarm.Member, discovery, model.SiteResponse{Status: 200})
		assertResponds(f, testfarm.Member, "https://oos-02.contoso.com/hosting/discovery", untrusted)
		f.World.NameOfficeSites("oos-02.contoso.com")
		assertResponds(f, testfarm.Member, discovery, untrusted)
		return f
	},
	model.RuleComputerName: func(t *testing.T) *testfarm.Farm {
		f := &testfarm.Farm{T: t, World: model.New(model.Policy{})}
		f.OK(f.World.AddMachine(model.MachineSpec{Host: longMaster, Domain: "corp.contoso.com", Build: 14393}))
		d, err := f.On(longMaster).Describe()
		f.OK(err)
		if d.Name != "OOS-PRODUCTION-" || d.Domain != "corp.contoso.com" {
			t.Errorf("the machine is %q in domain %q", d.Name, d.Domain)
		}
		own, err := f.On(longMaster).HostEntry()
		f.OK(err)
		if own.Name != longMaster {
			t.Errorf("its DNS name is %q", own.Name)
		}
		return f
	},
	model.RuleDNSMachineNames: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{DNSMachineNames: true})
		m, err := f.On(testfarm.Member).Office().GetOfficeWebAppsMachine()
		f.OK(err)
		if m.MachineName != testfarm.Member || m.MasterMachineName != testfarm.Master {
			t.Errorf("the machine is %+v", m)
		}
		return f
	},
	model.RuleSiteCold: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{WarmUp: time.Minute})
		served := model.SiteResponse{Status: 401}
		assertResponds(f, testfarm.Second, testfarm.Site, served)
		f.RestartSharePoint(testfarm.Second)
		assertResponds(f, testfarm.Second, testfarm.Site, model.SiteResponse{Problem: "Timeout"})
		assertResponds(f, testfarm.Front, testfarm.Site, served)
		time.Sleep(time.Minute)
		assertResponds(f, testfarm.Second, testfarm.Site, served)
		return f
	},
}

// TestSites checks how machines respond where no rule of its own decides.
func TestSites(t *testing.T) {
	t.Parallel()
	dead := model.SiteResponse{Problem: "ConnectFailure"}
	t.Run("a farm with HTTP alone has no other binding", func(t *testing.T) {
		t.Parallel()
		f := &testfarm.Farm{T: t, World: model.New(model.Policy{})}
		f.OK(f.World.AddMachine(model.MachineSpec{Host: testfarm.Master, Build: 14393}))
		f.OK(f.World.NewOfficeFarm(model.OfficeSettings{AllowHTTP: true}, testfarm.Master))
		assertResponds(f, testfarm.Master, "http://office.contoso.com/hosting/discovery", model.SiteResponse{Status: 200})
		assertResponds(f, testfarm.Master, discovery, dead)
	})
	t.Run("a server without the web application serves no site", func(t *testing.T) {
		t.Parallel()
		f := testfarm.New(t, model.Policy{}, func(sp *model.SharePointSpec) { sp.WithoutSites = []string{testfarm.Second} })
		assertResponds(f, testfarm.Second, testfarm.Site, dead)
		assertResponds(f, testfarm.Front, "https://unknown.contoso.com", dead)
	})
	t.Run("services, pools and SQL Server decide", func(t *testing.T) {
		t.Parallel()
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.Impose(testfarm.Member, model.Condition{Kind: model.ServiceFails, Service: model.W3SVC, Starts: -1}, true))
		assertResponds(f, testfarm.Member, discovery, dead)
		f.OK(f.World.Impose(testfarm.Master, model.Condition{Kind: model.ServiceFails, Service: model.WACSM, Starts: -1}, true))
		assertResponds(f, testfarm.Master, discovery, model.SiteResponse{Status: 503})
		f.OK(f.World.Impose(testfarm.Second, model.Condition{Kind: model.PoolDown, Starts: -1}, true))
		assertResponds(f, testfarm.Second, testfarm.Site, model.SiteResponse{Status: 503})
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.SQLAway}, false))
		assertResponds(f, testfarm.Front, testfarm.Site, model.SiteResponse{Status: 503})
	})
	t.Run("what is broken responds so", func(t *testing.T) {
		t.Parallel()
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.BreakSites(testfarm.Master, &dead))
		assertResponds(f, testfarm.Master, discovery, dead)
		f.OK(f.World.BreakSites(testfarm.Master, nil))
		assertResponds(f, testfarm.Master, discovery, model.SiteResponse{Status: 200})
	})
}
