package scripts_test

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
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// run runs the model of a script.
func run[R any](f *testfarm.Farm, host string, p powershell.Params[R]) (R, error) {
	f.T.Helper()
	var none R
	raw, err := json.Marshal(p)
	f.OK(err)
	var secrets [][]byte
	if private, ok := p.(powershell.SecretCarrier); ok {
		secrets = private.Secrets()
	}
	result, err := scripts.Run(f.On(host), powershell.ScriptOf(p), raw, secrets)
	if err != nil {
		return none, err
	}
	return result.(R), nil
}

func must[R any](f *testfarm.Farm, host string, p powershell.Params[R]) R {
	f.T.Helper()
	r, err := run(f, host, p)
	f.OK(err)
	return r
}

// says asserts that a script says no with an error of ours.
func says[R any](f *testfarm.Farm, host string, p powershell.Params[R], id string) {
	f.T.Helper()
	_, err := run(f, host, p)
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) || refused.ID != "farmtrust."+id {
		f.T.Errorf("%s: got %v, want farmtrust.%s", powershell.ScriptOf(p), err, id)
	}
}

// tell tells a story on simulated time.
func tell(t *testing.T, policy model.Policy, story func(t *testing.T, f *testfarm.Farm)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { story(t, testfarm.New(t, policy)) })
}

func importOf(t testing.TB, p testfarm.KeyPair, name string) powershell.ImportS2SCertificate {
	t.Helper()
	return powershell.ImportS2SCertificate{
		Thumbprint: string(p.Thumbprint()), FriendlyName: name, Provider: farm.KeyProvider, SelfSigned: len(p.Chain) == 0,
		Intermediates: []string{}, PFX: p.NamedPFX(t), Password: []byte(testfarm.Password),
	}
}

func grantOf(p testfarm.KeyPair) powershell.GrantS2SKey {
	return powershell.GrantS2SKey{Thumbprint: string(p.Thumbprint()), Sid: farm.NetworkService, ProveAs: string(farm.AsNetworkService)}
}

func nameOf(p testfarm.KeyPair, name string) powershell.SetS2SCertificateName {
	return powershell.SetS2SCertificateName{FriendlyName: name, Thumbprint: string(p.Thumbprint())}
}

func TestModels(t *testing.T) {
	t.Parallel()
	t.Run("every script has a model", func(t *testing.T) {
		t.Parallel()
		if diff := cmp.Diff(powershell.Scripts(), scripts.Names()); diff != "" {
			t.Errorf("scripts and models differ (-scripts +models):\n%s", diff)
		}
	})
	t.Run("a model refuses parameters that its script does not have", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			_, err := scripts.Run(f.On(testfarm.Front), "Get-SharePointServer", []byte(`{"NotBefore":"now"}`), nil)
			var refused *powershell.ScriptError
			if !errors.As(err, &refused) || refused.ID != "NamedParameterNotFound" {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestImport(t *testing.T) {
	t.Parallel()
	t.Run("puts each certificate where it belongs and changes nothing the second time", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			first := must(f, testfarm.Master, importOf(t, p, "S2S 1"))
			if !first.Changed || !slices.Equal(first.Added, []string{"My", "Root"}) || !first.Certificate.KeySigns ||
				first.Certificate.Provider != farm.KeyProvider || first.Certificate.FriendlyName != "S2S 1" {
				t.Errorf("first import: %+v", first)
			}
			second := must(f, testfarm.Master, importOf(t, p, "S2S 1"))
			if second.Changed || len(second.Added) > 0 {
				t.Errorf("second import: %+v", second)
			}
			roots, err := f.On(testfarm.Master).Certificates(model.Root)
			f.OK(err)
			if len(roots) != 1 || roots[0].Key != nil || roots[0].FriendlyName != "" {
				t.Errorf("Trusted Root holds %+v, want the public part without a name", roots)
			}
		})
	})
	t.Run("refuses without leaving anything behind", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			wrongPassword := importOf(t, p, "S2S")
			wrongPassword.Password = []byte("wrong")
			says(f, testfarm.Master, wrongPassword, "PfxRefused")
			other := importOf(t, p, "S2S")
			other.Thumbprint = string(testfarm.NewPair(t, "other", nil).Thumbprint())
			says(f, testfarm.Master, other, "WrongCertificate")
			unnamed := importOf(t, p, "S2S")
			unnamed.PFX = p.PFX(t)
			says(f, testfarm.Master, unnamed, "ProviderNotApplied")
			modern := importOf(t, p, "S2S")
			modern.PFX = p.ModernPFX(t)
			says(f, testfarm.Master, modern, "PfxRefused")
			if found, err := f.On(testfarm.Master).Certificates(model.My); err != nil || len(found) > 0 {
				t.Errorf("Personal holds %+v, %v", found, err)
			}
		})
	})
	t.Run("keeps names unique and never renames", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			must(f, testfarm.Master, importOf(t, p, "S2S"))
			says(f, testfarm.Master, importOf(t, p, "another name"), "NameDiffers")
			says(f, testfarm.Master, importOf(t, testfarm.NewPair(t, "next", nil), "S2S"), "AmbiguousFriendlyName")
		})
	})
}

// TestGrant checks that a grant proves that Network Service can sign.
func TestGrant(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		says(f, testfarm.Master, grantOf(p), "CertificateNotFound")
		must(f, testfarm.Master, importOf(t, p, "S2S"))
		first, second := must(f, testfarm.Master, grantOf(p)), must(f, testfarm.Master, grantOf(p))
		if !first.Changed || second.Changed || first.SignedAs != farm.NetworkService || first.KeyFile == "" {
			t.Errorf("first %+v, second %+v", first, second)
		}
		weak := testfarm.NewPair(t, "weak", nil)
		_, err := f.On(testfarm.Master).ImportPFX(model.StoreAdd, weak.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		if done := must(f, testfarm.Master, grantOf(weak)); done.Provider != model.EnhancedProvider || done.SignedBy != "legacy" {
			t.Errorf("a key of %s signs by %q", done.Provider, done.SignedBy)
		}
		modern := testfarm.NewPair(t, "modern", nil)
		_, err = f.On(testfarm.Master).ImportPFX(model.PfxCmdlet, modern.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		says(f, testfarm.Master, grantOf(modern), "KeyModernOnly")
		public := testfarm.NewPair(t, "public", nil)
		_, err = f.On(testfarm.Master).AddToStore(model.My, public.Cert.Raw)
		f.OK(err)
		says(f, testfarm.Master, grantOf(public), "KeyMissing")
	})
}

// TestExport checks that the export returns the public part.
func TestExport(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		call := powershell.ExportS2SCertificate{Thumbprint: string(p.Thumbprint())}
		says(f, testfarm.Master, call, "CertificateNotFound")
		must(f, testfarm.Master, importOf(t, p, "S2S"))
		if !slices.Equal(must(f, testfarm.Master, call).DER, p.Cert.Raw) {
			t.Error("it is another certificate")
		}
	})
}

// TestSetName checks that the name is set on the master and only for the
// target.
func TestSetName(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		says(f, testfarm.Alone, nameOf(p, "S2S"), "NotJoined")
		says(f, testfarm.Member, nameOf(p, "S2S"), "NotMaster")
		says(f, testfarm.Master, nameOf(p, "S2S"), "CertificateNotFound")
		must(f, testfarm.Master, importOf(t, p, "S2S"))
		says(f, testfarm.Master, nameOf(p, "misspelt"), "WrongCertificate")
		first, second := must(f, testfarm.Master, nameOf(p, "S2S")), must(f, testfarm.Master, nameOf(p, "S2S"))
		want := []powershell.SetNameResult{{Changed: true, Marked: []string{}}, {Previous: "S2S", Marked: []string{}}}
		if diff := cmp.Diff(want, []powershell.SetNameResult{first, second}); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		f.Install(testfarm.Master, testfarm.NewPair(t, "other", nil), "S2S")
		says(f, testfarm.Master, nameOf(p, "S2S"), "AmbiguousFriendlyName")
	})
}

// TestHTTPSettings checks that the HTTP settings are changed only where asked.
func TestHTTPSettings(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		on := true
		call := powershell.SetOfficeHTTPSetting{AllowOutboundHTTP: &on}
		says(f, testfarm.Member, call, "NotMaster")
		first, second := must(f, testfarm.Master, call), must(f, testfarm.Master, call)
		if !slices.Equal(first.Settings, []string{"AllowOutboundHttp"}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		settings, err := f.On(testfarm.Member).Office().GetOfficeWebAppsFarm()
		f.OK(err)
		if !settings.AllowOutboundHTTP || settings.AllowHTTPSecureStoreConnections {
			t.Errorf("settings: %+v", settings.OfficeSettings)
		}
	})
}

func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("an office server restarts only what started before its settings", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			if r := must(f, testfarm.Master, powershell.RestartOfficeServer{}); r.Changed {
				t.Errorf("nothing was changed, but it restarted %v", r.Restarted)
			}
			for _, host := range []string{testfarm.Master, testfarm.Member} {
				must(f, host, importOf(t, p, "S2S"))
			}
			must(f, testfarm.Master, nameOf(p, "S2S"))
			time.Sleep(time.Second)
			if r := must(f, testfarm.Master, powershell.RestartOfficeServer{}); !slices.Equal(r.Restarted, []string{model.WACSM, model.IIS}) {
				t.Errorf("restarted %v", r.Restarted)
			}
			if r := must(f, testfarm.Master, powershell.RestartOfficeServer{}); r.Changed {
				t.Errorf("restarted again: %v", r.Restarted)
			}
			time.Sleep(time.Second)
			now := time.Now()
			if r := must(f, testfarm.Master, powershell.RestartOfficeServer{NotBefore: &now}); !r.Changed {
				t.Error("not restarted although it was asked for")
			}
		})
	})
	t.Run("a SharePoint server restarts only what started before", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			since := time.Now()
			time.Sleep(time.Second)
			first := must(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: since})
			second := must(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: since})
			if !slices.Equal(first.Restarted, []string{model.IIS, model.SPTimerV4}) || second.Changed {
				t.Errorf("first %+v, second %+v", first, second)
			}
			seen := must(f, testfarm.Front, powershell.GetSharePointServer{})
			if seen.Timer.Since == nil || seen.Timer.Since.Before(since) || seen.WorkersSince.Before(since) {
				t.Errorf("afterwards: %+v", seen)
			}
		})
	})
}
