package scripts_test

import (
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// cutOffImport leaves what an import leaves that is killed when Windows has written the
// key and nothing else has happened yet.
func cutOffImport(f *testfarm.Farm, host string, p testfarm.KeyPair) {
	f.T.Helper()
	_, err := f.On(host).OpenPFX(model.StoreAdd, p.NamedPFX(f.T), []byte(testfarm.Password), testfarm.MachineKey)
	f.OK(err)
}

func TestOrphanedKey(t *testing.T) {
	t.Run("the next attempt deletes it, and the removal leaves nothing", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			before := f.Trust()
			p := testfarm.NewPair(t, "s2s", nil)
			cutOffImport(f, testfarm.Alone, p)
			got := must(f, testfarm.Alone, importOf(t, p, "S2S"))
			if want := farm.KeyContainer(p.Thumbprint()); got.Container != want {
				t.Errorf("the key has the container %q, want %q", got.Container, want)
			}
			must(f, testfarm.Alone, powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true, Root: true})
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("the way back deletes it, once", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			before := f.Trust()
			p := testfarm.NewPair(t, "s2s", nil)
			cutOffImport(f, testfarm.Alone, p)
			call := powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true}
			first, second := must(f, testfarm.Alone, call), must(f, testfarm.Alone, call)
			if !first.Changed || !first.OrphanedKey || second.Changed || second.OrphanedKey {
				t.Errorf("first %+v, second %+v", first, second)
			}
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("one that Windows keeps stops no import, and the removal says so", func(t *testing.T) {
		tell(t, model.Policy{KeepsKeys: true}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			cutOffImport(f, testfarm.Alone, p)
			got := must(f, testfarm.Alone, importOf(t, p, "S2S"))
			if !strings.Contains(got.KeptKey, "still there") || got.Container == farm.KeyContainer(p.Thumbprint()) {
				t.Errorf("got %+v", got)
			}
			says(f, testfarm.Alone, powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true, Root: true}, "SettingNotKept")
		})
	})
	t.Run("a key that another certificate has stays", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p, renewed := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
			cutOffImport(f, testfarm.Alone, p)
			file, err := f.On(testfarm.Alone).ContainerFile(farm.KeyContainer(p.Thumbprint()))
			f.OK(err)
			_, err = f.On(testfarm.Alone).AddCertificate(model.My, model.Certificate{DER: renewed.Cert.Raw, Key: &model.Key{File: file}})
			f.OK(err)
			before := f.Trust()
			must(f, testfarm.Alone, importOf(t, p, "S2S"))
			must(f, testfarm.Alone, powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true, Root: true})
			f.AssertUnchangedSince(before)
		})
	})
}
