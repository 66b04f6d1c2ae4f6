package model_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// run runs the model of a script.
func run[R any](s *scene, host string, p powershell.Params[R]) (R, error) {
	s.t.Helper()
	var none R
	raw, err := json.Marshal(p)
	s.ok(err)
	var secrets [][]byte
	if private, ok := p.(powershell.SecretCarrier); ok {
		secrets = private.Secrets()
	}
	result, err := s.on(host).RunScript(powershell.ScriptOf(p), raw, secrets)
	if err != nil {
		return none, err
	}
	return result.(R), nil
}

func must[R any](s *scene, host string, p powershell.Params[R]) R {
	s.t.Helper()
	r, err := run(s, host, p)
	s.ok(err)
	return r
}

// says asserts that a script says no with an error of ours.
func says[R any](s *scene, host string, p powershell.Params[R], id string) {
	s.t.Helper()
	_, err := run(s, host, p)
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) || refused.ID != "farmtrust."+id {
		s.t.Errorf("%s: got %v, want farmtrust.%s", powershell.ScriptOf(p), err, id)
	}
}

// tell tells a story on simulated time.
func tell(t *testing.T, policy model.Policy, story func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { story(t, newScene(t, policy)) })
}

func importOf(t testing.TB, p keyPair, name string) powershell.ImportS2SCertificate {
	t.Helper()
	return powershell.ImportS2SCertificate{
		Thumbprint: string(p.thumbprint()), FriendlyName: name, Provider: farm.KeyProvider, SelfSigned: len(p.chain) == 0,
		Intermediates: []string{}, PFX: p.named(t), Password: []byte(password),
	}
}

func grantOf(p keyPair) powershell.GrantS2SKey {
	return powershell.GrantS2SKey{Thumbprint: string(p.thumbprint()), Sid: farm.NetworkService, ProveAs: string(farm.AsNetworkService)}
}

func nameOf(p keyPair, name string) powershell.SetS2SCertificateName {
	return powershell.SetS2SCertificateName{FriendlyName: name, Thumbprint: string(p.thumbprint())}
}

func TestEveryScriptHasAModel(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(powershell.Scripts(), model.Scripts()); diff != "" {
		t.Errorf("scripts and models differ (-scripts +models):\n%s", diff)
	}
}

func TestAModelRefusesParametersThatItsScriptDoesNotHave(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		_, err := s.on(front).RunScript("Get-SharePointServer", []byte(`{"NotBefore":"now"}`), nil)
		var refused *powershell.ScriptError
		if !errors.As(err, &refused) || refused.ID != "NamedParameterNotFound" {
			t.Errorf("got %v", err)
		}
	})
}

func TestImportPutsEachCertificateWhereItBelongsAndSaysAlreadyTheSecondTime(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		first := must(s, master, importOf(t, p, "S2S 1"))
		if !first.Changed || !slices.Equal(first.Added, []string{"My", "Root"}) || !first.Certificate.KeySigns ||
			first.Certificate.Provider != farm.KeyProvider || first.Certificate.FriendlyName != "S2S 1" {
			t.Errorf("first import: %+v", first)
		}
		second := must(s, master, importOf(t, p, "S2S 1"))
		if second.Changed || len(second.Added) > 0 {
			t.Errorf("second import: %+v", second)
		}
		roots, err := s.on(master).Certificates(model.Root)
		s.ok(err)
		if len(roots) != 1 || roots[0].Key != nil || roots[0].FriendlyName != "" {
			t.Errorf("Trusted Root holds %+v, want the public part without a name", roots)
		}
	})
}

func TestImportRefusesWithoutLeavingAnythingBehind(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		wrongPassword := importOf(t, p, "S2S")
		wrongPassword.Password = []byte("wrong")
		says(s, master, wrongPassword, "PfxRefused")
		other := importOf(t, p, "S2S")
		other.Thumbprint = string(pair(t, "other", nil).thumbprint())
		says(s, master, other, "WrongCertificate")
		unnamed := importOf(t, p, "S2S")
		unnamed.PFX = p.pfx(t)
		says(s, master, unnamed, "ProviderNotApplied")
		modern := importOf(t, p, "S2S")
		modern.PFX = p.modern(t)
		says(s, master, modern, "PfxRefused")
		if found, err := s.on(master).Certificates(model.My); err != nil || len(found) > 0 {
			t.Errorf("Personal holds %+v, %v", found, err)
		}
	})
}

func TestImportKeepsNamesUniqueAndNeverRenames(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		must(s, master, importOf(t, p, "S2S"))
		says(s, master, importOf(t, p, "another name"), "NameDiffers")
		says(s, master, importOf(t, pair(t, "next", nil), "S2S"), "AmbiguousFriendlyName")
	})
}

func TestGrantProvesThatNetworkServiceSigns(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		says(s, master, grantOf(p), "CertificateNotFound")
		must(s, master, importOf(t, p, "S2S"))
		first, second := must(s, master, grantOf(p)), must(s, master, grantOf(p))
		if !first.Changed || second.Changed || first.SignedAs != farm.NetworkService || first.KeyFile == "" {
			t.Errorf("first %+v, second %+v", first, second)
		}
		weak := pair(t, "weak", nil)
		_, err := s.on(master).ImportPFX(model.StoreAdd, weak.pfx(t), []byte(password), machineKey)
		s.ok(err)
		says(s, master, grantOf(weak), "KeyDoesNotSign")
		public := pair(t, "public", nil)
		_, err = s.on(master).AddToStore(model.My, public.cert.Raw)
		s.ok(err)
		says(s, master, grantOf(public), "KeyMissing")
	})
}

func TestExportReturnsThePublicPartAndWritesItOnce(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		call := powershell.ExportS2SCertificate{Thumbprint: string(p.thumbprint()), Path: `C:\s2s.cer`}
		says(s, master, call, "CertificateNotFound")
		must(s, master, importOf(t, p, "S2S"))
		first, second := must(s, master, call), must(s, master, call)
		if !first.Changed || second.Changed || !slices.Equal(first.DER, p.cert.Raw) {
			t.Errorf("first changed %t, second %t, same certificate %t", first.Changed, second.Changed, slices.Equal(first.DER, p.cert.Raw))
		}
	})
}

func TestTheNameIsSetOnTheMasterAndOnlyForTheTarget(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		says(s, alone, nameOf(p, "S2S"), "NotJoined")
		says(s, member, nameOf(p, "S2S"), "NotMaster")
		says(s, master, nameOf(p, "S2S"), "CertificateNotFound")
		must(s, master, importOf(t, p, "S2S"))
		says(s, master, nameOf(p, "misspelt"), "WrongCertificate")
		first, second := must(s, master, nameOf(p, "S2S")), must(s, master, nameOf(p, "S2S"))
		want := powershell.SetNameResult{Changed: true}
		if first != want || second != (powershell.SetNameResult{Previous: "S2S"}) {
			t.Errorf("first %+v, second %+v", first, second)
		}
		s.install(master, pair(t, "other", nil), "S2S")
		says(s, master, nameOf(p, "S2S"), "AmbiguousFriendlyName")
	})
}

func TestHTTPSwitchesAreSetOnlyWhereAsked(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		on := true
		call := powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on}
		says(s, member, call, "NotMaster")
		first, second := must(s, master, call), must(s, master, call)
		if !slices.Equal(first.Settings, []string{"AllowOutboundHttp"}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		settings, err := s.on(member).Office().GetOfficeWebAppsFarm()
		s.ok(err)
		if !settings.AllowOutboundHTTP || settings.AllowHTTPSecureStoreConnections {
			t.Errorf("settings: %+v", settings.OfficeSettings)
		}
	})
}

func TestAnOfficeServerRestartsOnlyWhatStartedBeforeItsSettings(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		if r := must(s, master, powershell.RestartOfficeServer{}); r.Changed {
			t.Errorf("nothing was changed, but it restarted %v", r.Restarted)
		}
		for _, host := range []string{master, member} {
			must(s, host, importOf(t, p, "S2S"))
		}
		must(s, master, nameOf(p, "S2S"))
		time.Sleep(time.Second)
		if r := must(s, master, powershell.RestartOfficeServer{}); !slices.Equal(r.Restarted, []string{model.WACSM, model.IIS}) {
			t.Errorf("restarted %v", r.Restarted)
		}
		if r := must(s, master, powershell.RestartOfficeServer{}); r.Changed {
			t.Errorf("restarted again: %v", r.Restarted)
		}
		time.Sleep(time.Second)
		now := time.Now()
		if r := must(s, master, powershell.RestartOfficeServer{NotBefore: &now}); !r.Changed {
			t.Error("not restarted although it was asked for")
		}
	})
}

func TestASharePointServerRestartsOnlyWhatStartedBefore(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		since := time.Now()
		time.Sleep(time.Second)
		first := must(s, front, powershell.RestartSharePointServer{NotBefore: since})
		second := must(s, front, powershell.RestartSharePointServer{NotBefore: since})
		if !slices.Equal(first.Restarted, []string{model.IIS, model.SPTimerV4}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		seen := must(s, front, powershell.GetSharePointServer{})
		if seen.Timer.Since == nil || seen.Timer.Since.Before(since) || seen.WorkersSince.Before(since) {
			t.Errorf("afterwards: %+v", seen)
		}
	})
}
