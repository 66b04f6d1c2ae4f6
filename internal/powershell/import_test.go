package powershell_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func importOf(m made) powershell.ImportS2SCertificate {
	return powershell.ImportS2SCertificate{
		Thumbprint: m.thumbprint, FriendlyName: friendly, Provider: farm.KeyProvider,
		PFX: slices.Clone(m.pfx), Password: []byte(pfxPassword),
	}
}

func TestImportPutsEachPartWhereItBelongsAndOnlyOnce(t *testing.T) {
	t.Parallel()
	target, issuing := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "Contoso Issuing CA")
	e := newEngine(t, officeServer(t))
	params := importOf(target)
	params.SelfSigned = true
	params.Intermediates = []string{b64(issuing.der)}

	first := run(t, e, params)
	if !first.Changed || !cmp.Equal(first.Added, []string{"My", "CA", "Root"}) {
		t.Errorf("first import: changed %v, added %v; want My, CA and Root", first.Changed, first.Added)
	}
	if c := first.Certificate; !c.HasKey || !c.KeySigns || c.Provider != farm.KeyProvider || c.FriendlyName != friendly {
		t.Errorf("certificate after import: %+v", c)
	}
	second := run(t, e, params)
	if second.Changed || len(second.Added) != 0 {
		t.Errorf("second import: changed %v, added %v; want nothing", second.Changed, second.Added)
	}

	stores := e.state(t).Stores
	if len(stores["My"]) != 1 || len(stores["CA"]) != 1 || len(stores["Root"]) != 1 {
		t.Fatalf("stores hold %d, %d, %d certificates; want one each", len(stores["My"]), len(stores["CA"]), len(stores["Root"]))
	}
	root := stores["Root"][0]
	if len(root.PFX) != 0 || root.FriendlyName != "" || !cmp.Equal(root.DER, target.der) {
		t.Errorf("Trusted Root holds more than the public part: key %t, name %q", len(root.PFX) != 0, root.FriendlyName)
	}
}

func TestImportNamesACertificateThatHasNoName(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	w := officeServer(t)
	with(w, "stores", "My", []storeEntry{target.owned(t, "")})
	e := newEngine(t, w)
	got := run(t, e, importOf(target))
	if !got.Changed || len(got.Added) != 0 || e.state(t).Stores["My"][0].FriendlyName != friendly {
		t.Errorf("changed %v, added %v, name %q; want only the name set", got.Changed, got.Added, e.state(t).Stores["My"][0].FriendlyName)
	}
}

func TestImportReplacesACopyWithoutItsKey(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{target.inStore(friendly)}))
	got := run(t, e, importOf(target))
	if my := e.state(t).Stores["My"]; !got.Certificate.HasKey || len(my) != 1 || len(my[0].PFX) == 0 {
		t.Errorf("has key %v, %d certificates; want one, with its key", got.Certificate.HasKey, len(my))
	}
}

func TestImportThatIsRefusedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	target, other := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "other.contoso.com")
	cases := []struct {
		claim       string
		world       func(w map[string]any)
		params      func(p *powershell.ImportS2SCertificate)
		id          string
		removesKeys bool
	}{
		{
			claim: "a wrong password", id: powershell.PfxRefused,
			params: func(p *powershell.ImportS2SCertificate) { p.Password = []byte("wrong") },
		},
		{
			claim: "a PFX with another certificate", id: powershell.WrongCertificate, removesKeys: true,
			params: func(p *powershell.ImportS2SCertificate) { p.PFX = other.pfx },
		},
		{
			claim: "another provider took the key", id: powershell.ProviderNotApplied, removesKeys: true,
			world: func(w map[string]any) { w["keyProvider"] = "Microsoft Enhanced Cryptographic Provider v1.0" },
		},
		{
			claim: "the store lost the key", id: powershell.KeyMissing, removesKeys: true,
			world: func(w map[string]any) { w["losesKeys"] = true },
		},
		{
			claim: "no administrator rights", id: powershell.NotElevated,
			world: func(w map[string]any) { with(w, "machine", "elevated", false) },
		},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w, params := officeServer(t), importOf(target)
			if c.world != nil {
				c.world(w)
			}
			if c.params != nil {
				c.params(&params)
			}
			e := newEngine(t, w)
			refused(t, e, params, c.id)
			state := e.state(t)
			if len(state.Stores["My"]) != 0 || (len(state.RemovedKeys) == 1) != c.removesKeys {
				t.Errorf("%d certificates left, keys removed %v", len(state.Stores["My"]), state.RemovedKeys)
			}
		})
	}
}

func TestImportNeverRenamesAndNeverMakesANameAmbiguous(t *testing.T) {
	t.Parallel()
	target, other := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "other.contoso.com")
	cases := []struct {
		claim, store string
		entry        storeEntry
		id           string
	}{
		{"the target under another name", "My", target.owned(t, "theirs"), powershell.NameDiffers},
		{"another certificate with the name", "My", other.owned(t, friendly), powershell.AmbiguousFriendlyName},
		{"another certificate with the name in Trusted Root", "Root", other.inStore(friendly), powershell.AmbiguousFriendlyName},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, with(officeServer(t), "stores", c.store, []storeEntry{c.entry}))
			before := e.state(t)
			refused(t, e, importOf(target), c.id)
			if diff := cmp.Diff(before, e.state(t)); diff != "" {
				t.Errorf("the machine changed:\n%s", diff)
			}
		})
	}
}
