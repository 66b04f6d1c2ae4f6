package model_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestObservingAnOfficeServerShowsWhatConcernsTheTarget(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		root := ecPair(t, "Root CA", nil)
		issuing := ecPair(t, "Issuing CA", &root)
		p := pair(t, "s2s", &issuing)
		call := importOf(t, p, "S2S")
		call.Intermediates = []string{base64.StdEncoding.EncodeToString(issuing.cert.Raw)}
		must(s, master, call)
		must(s, master, grantOf(p))
		s.install(master, pair(t, "something else", nil), "HTTPS")
		seen := must(s, master, powershell.GetOfficeServer{
			Thumbprint: string(p.thumbprint()), FriendlyName: "S2S", Subject: "CN=s2s, O=Contoso",
			Chain: []string{string(issuing.thumbprint()), string(root.thumbprint())},
		})
		if len(seen.Certificates) != 1 || !seen.Certificates[0].KeySigns || !slices.Contains(seen.Certificates[0].KeyReaders, farm.NetworkService) {
			t.Errorf("certificates: %+v", seen.Certificates)
		}
		if diff := cmp.Diff([]string{string(issuing.thumbprint())}, seen.Intermediates); diff != "" {
			t.Errorf("intermediates (-want +got):\n%s", diff)
		}
		wantDiscovery := powershell.Discovery{URL: "https://oos-01.contoso.com/hosting/discovery", Status: 200}
		if seen.Discovery != wantDiscovery || seen.Master != "OOS-01" || !slices.Equal(seen.Machines, []string{"OOS-01", "OOS-02"}) {
			t.Errorf("farm: %+v", seen)
		}
		if m := seen.Machine; m.Name != "OOS-01" || m.Forest != "contoso.com" || m.WindowsBuild != 14393 || !m.Elevated {
			t.Errorf("machine: %+v", m)
		}
	})
}

func TestAMachineOutsideAnyFarmIsObservedAsSuch(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		seen := must(s, alone, powershell.GetOfficeServer{})
		if seen.Joined || seen.Service.Running || seen.SettingsSince != nil || seen.Discovery.Problem != "NotJoined" {
			t.Errorf("observed: %+v", seen)
		}
	})
}

func TestDiscoveryIsNotAnsweredWhileTheServerWarmsUp(t *testing.T) {
	tell(t, model.Policy{WarmUp: time.Minute}, func(t *testing.T, s *scene) {
		status := func() int { return must(s, master, powershell.GetOfficeServer{}).Discovery.Status }
		before := status()
		s.restartOffice(master)
		during := status()
		time.Sleep(time.Minute)
		if after := status(); before != 200 || during != 503 || after != 200 {
			t.Errorf("status before, during and after: %d, %d, %d", before, during, after)
		}
	})
}

func TestTimesAreByTheServersOwnClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t, model.New(model.Policy{})}
		const ahead = 7 * time.Minute
		s.ok(s.world.AddMachine(model.MachineSpec{Host: master, Build: 14393, Skew: ahead}))
		s.ok(s.world.NewOfficeFarm(model.OfficeSettings{}, master))
		s.useS2S("S2S")
		s.ok(s.on(master).IISReset())
		seen := must(s, master, powershell.GetOfficeServer{})
		want := time.Now().Add(ahead)
		if !seen.Machine.Clock.Equal(want) || !seen.WorkersSince.Equal(want) || !seen.SettingsSince.Equal(want) {
			t.Errorf("clock %s, workers %s, settings %s; want all %s", seen.Machine.Clock, seen.WorkersSince, seen.SettingsSince, want)
		}
	})
}

func issuerOf(i farm.Issuer, p keyPair) powershell.SetTrustedIssuer {
	return powershell.SetTrustedIssuer{Name: "OOS " + i.Product, RegisteredName: i.RegisteredName, Certificate: p.cert.Raw, Sites: []string{site}}
}

func lookOf() powershell.GetSharePointFarm {
	call := powershell.GetSharePointFarm{Sites: []string{site}}
	for _, i := range farm.Issuers() {
		call.RegisteredNames = append(call.RegisteredNames, i.RegisteredName)
	}
	return call
}

func TestAnIssuerIsCreatedOnceAndUpdatedInPlaceWhateverItsName(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		i := farm.Issuers()[1]
		old, next := pair(t, "old", nil), pair(t, "new", nil)
		byHand := issuer(i, old)
		byHand.Name = "by hand"
		s.ok(s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(byHand))
		updated := must(s, front, issuerOf(i, next))
		again := must(s, front, issuerOf(i, next))
		if !updated.Updated || updated.Created || updated.Name != "by hand" || !slices.Equal(updated.Granted, []string{site}) {
			t.Errorf("first: %+v", updated)
		}
		if again.Changed {
			t.Errorf("second: %+v", again)
		}
		created := must(s, front, issuerOf(farm.Issuers()[0], next))
		if !created.Created || created.Name != "OOS SharePoint Server" {
			t.Errorf("the other issuer: %+v", created)
		}
		seen := must(s, front, lookOf())
		for _, found := range seen.Issuers {
			if found.Thumbprint != string(next.thumbprint()) || found.Since == nil || !found.Since.Equal(time.Now()) {
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

func TestIssuersThatCannotBeToldApartAreRefused(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		i, p := farm.Issuers()[0], pair(t, "s2s", nil)
		taken := issuer(farm.Issuers()[1], p)
		taken.Name = "OOS " + i.Product
		s.ok(s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(taken))
		says(s, front, issuerOf(i, p), "NameTaken")
		for _, name := range []string{"one", "two"} {
			with := issuer(i, p)
			with.Name = name
			s.ok(s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(with))
		}
		says(s, front, issuerOf(i, p), "IssuerAmbiguous")
	})
}

func TestRootAuthoritiesAreAddedByThumbprint(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		known, missing := pair(t, "known", nil), pair(t, "missing", nil)
		s.ok(s.on(front).SharePoint().NewTrustedRootAuthority("somebody's", known.cert.Raw, true))
		call := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{
			{Name: "a", Certificate: known.cert.Raw}, {Name: "b", Certificate: missing.cert.Raw},
		}}
		first, second := must(s, front, call), must(s, front, call)
		if !slices.Equal(first.Added, []string{"b"}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		call.Authorities[0] = powershell.RootAuthorityCertificate{Name: "B", Certificate: pair(t, "third", nil).cert.Raw}
		says(s, front, call, "NameTaken")
	})
}

func TestScriptsSayThatTheirProductIsNotThere(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		says(s, alone, lookOf(), "NotSharePoint")
		says(s, alone, issuerOf(farm.Issuers()[0], p), "NotSharePoint")
		says(s, alone, powershell.AddRootAuthority{}, "NotSharePoint")
		says(s, front, powershell.GetOfficeServer{}, "NotOffice")
	})
}

func TestAServiceThatDidNotStartIsStartedByTheNextRestart(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		s.setUp(p)
		s.useS2S("misspelt")
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		s.useS2S("S2S")
		if r := must(s, master, powershell.RestartOfficeServer{}); !slices.Contains(r.Restarted, model.WACSM) {
			t.Errorf("restarted %v", r.Restarted)
		}
		s.works()
	})
}
