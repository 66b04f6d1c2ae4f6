package scripts_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestObserve_Office checks that observing an office server shows only what
// concerns the target.
func TestObserve_Office(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		root := testfarm.NewECPair(t, "Root CA", nil)
		issuing := testfarm.NewECPair(t, "Issuing CA", &root)
		p := testfarm.NewPair(t, "s2s", &issuing)
		call := importOf(t, p, "S2S")
		call.Intermediates = []string{base64.StdEncoding.EncodeToString(issuing.Cert.Raw)}
		must(f, testfarm.Master, call)
		must(f, testfarm.Master, grantOf(p))
		f.Install(testfarm.Master, testfarm.NewPair(t, "something else", nil), "HTTPS")
		must(f, testfarm.Master, powershell.SetS2SCertificateName{FriendlyName: "S2S", Thumbprint: string(p.Thumbprint())})
		seen := must(f, testfarm.Master, powershell.GetOfficeServer{
			Thumbprint: string(p.Thumbprint()), FriendlyName: "S2S", Subject: "CN=s2s, O=Contoso",
			Chain: []string{string(issuing.Thumbprint()), string(root.Thumbprint())},
		})
		if len(seen.Certificates) != 1 || !seen.Certificates[0].KeySigns || !slices.Contains(seen.Certificates[0].KeyReaders, farm.NetworkService) {
			t.Errorf("certificates: %+v", seen.Certificates)
		}
		if diff := cmp.Diff([]string{string(issuing.Thumbprint())}, seen.Intermediates); diff != "" {
			t.Errorf("intermediates (-want +got):\n%s", diff)
		}
		wantDiscovery := powershell.Discovery{URL: "https://office.contoso.com/hosting/discovery", Status: 200}
		if seen.Discovery != wantDiscovery || seen.Master != "OOS-01" || !slices.Equal(seen.Machines, []string{"OOS-01", "OOS-02"}) {
			t.Errorf("farm: %+v", seen)
		}
		if m := seen.Machine; m.Name != "OOS-01" || m.Forest != "contoso.com" || m.WindowsBuild != 14393 || !m.Elevated {
			t.Errorf("machine: %+v", m)
		}
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	t.Run("a machine outside any farm is observed as such", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			seen := must(f, testfarm.Alone, powershell.GetOfficeServer{})
			if seen.Joined || seen.Service.Running || seen.SettingsSince != nil || seen.Discovery.Problem != "NotJoined" {
				t.Errorf("observed: %+v", seen)
			}
		})
	})
	t.Run("where the S2S name selects nothing, what there is to select from is shown", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			f.Install(testfarm.Master, testfarm.NewPair(t, "one", nil), "one")
			f.Install(testfarm.Master, testfarm.NewPair(t, "two", nil), "two")
			shown := func() int { return len(must(f, testfarm.Master, powershell.GetOfficeServer{}).Certificates) }
			if n := shown(); n != 2 {
				t.Errorf("%d certificates are shown while no name is set, want both", n)
			}
			f.UseS2S("two")
			if n := shown(); n != 1 {
				t.Errorf("%d certificates are shown while the name selects one, want that", n)
			}
			f.UseS2S("three")
			if n := shown(); n != 2 {
				t.Errorf("%d certificates are shown while the name dangles, want both", n)
			}
		})
	})
	t.Run("discovery is not answered while the server warms up", func(t *testing.T) {
		tell(t, model.Policy{WarmUp: time.Minute}, func(t *testing.T, f *testfarm.Farm) {
			status := func() int { return must(f, testfarm.Master, powershell.GetOfficeServer{}).Discovery.Status }
			before := status()
			f.RestartOffice(testfarm.Master)
			during := status()
			time.Sleep(time.Minute)
			if after := status(); before != 200 || during != 503 || after != 200 {
				t.Errorf("status before, during and after: %d, %d, %d", before, during, after)
			}
		})
	})
	t.Run("times are by the server's own clock", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := &testfarm.Farm{T: t, World: model.New(model.Policy{})}
			const ahead = 7 * time.Minute
			f.OK(f.World.AddMachine(model.MachineSpec{Host: testfarm.Master, Build: 14393, Skew: ahead}))
			f.OK(f.World.NewOfficeFarm(model.OfficeSettings{}, testfarm.Master))
			f.UseS2S("S2S")
			f.OK(f.On(testfarm.Master).IISReset())
			seen := must(f, testfarm.Master, powershell.GetOfficeServer{})
			want := time.Now().Add(ahead)
			if !seen.Machine.Clock.Equal(want) || !seen.WorkersSince.Equal(want) || !seen.SettingsSince.Equal(want) {
				t.Errorf("clock %s, workers %s, settings %s; want all %s", seen.Machine.Clock, seen.WorkersSince, seen.SettingsSince, want)
			}
		})
	})
}

func issuerOf(i farm.Issuer, p testfarm.KeyPair) powershell.SetTrustedIssuer {
	return powershell.SetTrustedIssuer{Name: "OOS " + i.Product, RegisteredName: i.RegisteredName, Certificate: p.Cert.Raw, Sites: []string{testfarm.Site}}
}

func lookOf() powershell.GetSharePointFarm {
	call := powershell.GetSharePointFarm{Sites: []string{testfarm.Site}}
	for _, i := range farm.Issuers() {
		call.RegisteredNames = append(call.RegisteredNames, i.RegisteredName)
	}
	return call
}

// TestIssuer_UpdatedInPlace checks that an issuer is created once and updated
// in place, whatever its name.
func TestIssuer_UpdatedInPlace(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		i := farm.Issuers()[1]
		old, next := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "new", nil)
		byHand := testfarm.IssuerParameters(i, old)
		byHand.Name = "by hand"
		f.OK(f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(byHand))
		updated := must(f, testfarm.Front, issuerOf(i, next))
		again := must(f, testfarm.Front, issuerOf(i, next))
		if !updated.Updated || updated.Created || updated.Name != "by hand" || !slices.Equal(updated.Granted, []string{testfarm.Site}) {
			t.Errorf("first: %+v", updated)
		}
		if again.Changed {
			t.Errorf("second: %+v", again)
		}
		created := must(f, testfarm.Front, issuerOf(farm.Issuers()[0], next))
		if !created.Created || created.Name != "OOS SharePoint Server" {
			t.Errorf("the other issuer: %+v", created)
		}
		seen := must(f, testfarm.Front, lookOf())
		for _, found := range seen.Issuers {
			if found.Thumbprint != string(next.Thumbprint()) || found.Since == nil || !found.Since.Equal(time.Now()) {
				t.Errorf("issuer %+v is not marked as set now", found)
			}
		}
		for _, p := range seen.Permissions {
			if p.Right != farm.FullControl || !p.AppOnly {
				t.Errorf("permission %+v", p)
			}
		}
		if len(seen.Issuers) != 2 || len(seen.Permissions) != 2 || seen.UserProfileServices != 1 || !slices.Equal(seen.Members, []string{"SP-01", "SP-02"}) {
			t.Errorf("seen: %+v", seen)
		}
	})
}

// TestIssuer_Ambiguous checks that issuers that cannot be told apart are
// refused.
func TestIssuer_Ambiguous(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		i, p := farm.Issuers()[0], testfarm.NewPair(t, "s2s", nil)
		taken := testfarm.IssuerParameters(farm.Issuers()[1], p)
		taken.Name = "OOS " + i.Product
		f.OK(f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(taken))
		says(f, testfarm.Front, issuerOf(i, p), "NameTaken")
		for _, name := range []string{"one", "two"} {
			with := testfarm.IssuerParameters(i, p)
			with.Name = name
			f.OK(f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(with))
		}
		says(f, testfarm.Front, issuerOf(i, p), "IssuerAmbiguous")
	})
}

// TestAddRootAuthority checks that root authorities are added by thumbprint.
func TestAddRootAuthority(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		known, missing := testfarm.NewPair(t, "known", nil), testfarm.NewPair(t, "missing", nil)
		f.OK(f.On(testfarm.Front).SharePoint().NewTrustedRootAuthority(model.AuthorityParameters{Name: "somebody's", Certificate: known.Cert.Raw, Confirmed: true}))
		call := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{
			{Name: "a", Certificate: known.Cert.Raw}, {Name: "b", Certificate: missing.Cert.Raw},
		}}
		first, second := must(f, testfarm.Front, call), must(f, testfarm.Front, call)
		if !slices.Equal(first.Added, []string{"b"}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		call.Authorities[0] = powershell.RootAuthorityCertificate{Name: "B", Certificate: testfarm.NewPair(t, "third", nil).Cert.Raw}
		says(f, testfarm.Front, call, "NameTaken")
	})
}

// TestProductMissing checks that scripts say that their product is not there.
func TestProductMissing(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		says(f, testfarm.Alone, lookOf(), "NotSharePoint")
		says(f, testfarm.Alone, issuerOf(farm.Issuers()[0], p), "NotSharePoint")
		says(f, testfarm.Alone, powershell.AddRootAuthority{}, "NotSharePoint")
		says(f, testfarm.Front, powershell.GetOfficeServer{}, "NotOffice")
	})
}

// TestRestart_FailedService checks that a service that did not start is started
// by the next restart.
func TestRestart_FailedService(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		f.UseS2S("misspelt")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		f.UseS2S("S2S")
		if r := must(f, testfarm.Master, powershell.RestartOfficeServer{}); !slices.Contains(r.Restarted, model.WACSM) {
			t.Errorf("restarted %v", r.Restarted)
		}
		f.Works()
	})
}
