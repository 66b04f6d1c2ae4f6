package powershell_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// bindings is what netsh prints on a German server for a certificate.
func bindings(m made) []string {
	return []string{
		"", "SSL-Zertifikatbindungen:", "-------------------------", "",
		"    IP:Port                      : 0.0.0.0:443",
		"    Zertifikathash               : 00112233445566778899aabbccddeeff00112233",
		"    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}", "",
		"    IP:Port                      : [::]:444",
		"    Zertifikathash               : " + strings.ToLower(m.thumbprint),
		"    Anwendungs-ID                : {4dc3e181-e14b-4a21-b022-59fc669b0914}", "",
		"    Hostname:Port                : office.contoso.com:443",
		"    Zertifikathash               : " + strings.ToLower(m.thumbprint), "",
	}
}

// uses are the ways in which something may name a certificate called friendly.
func uses(m made) map[string]func(w map[string]any) {
	inFarm := func(field string) func(map[string]any) {
		return func(w map[string]any) {
			office, ok := w["office"].(map[string]any)
			if !ok {
				panic("no office")
			}
			with(office, "farm", field, friendly)
		}
	}
	return map[string]func(w map[string]any){
		"the S2S name": inFarm("s2sCertificateName"),
		"the TLS name": inFarm("certificateName"),
		"http.sys":     func(w map[string]any) { w["tlsText"] = bindings(m) },
		"WinRM listener": func(w map[string]any) {
			w["listeners"] = []string{"", "\u200e" + strings.ToLower(m.thumbprint[:2]) + " " + m.thumbprint[2:]}
		},
	}
}

func TestUseOfACertificateIsListedWhateverTheServersLanguage(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{m.owned(t, friendly)})
	if got := run(t, newEngine(t, w), powershell.GetCertificateUse{Thumbprint: m.thumbprint}); !got.Present || got.Archived || len(got.Uses) != 0 {
		t.Errorf("unused: %+v", got)
	}
	for _, use := range uses(m) {
		use(w)
	}
	got := run(t, newEngine(t, w), powershell.GetCertificateUse{Thumbprint: m.thumbprint})
	want := []string{"S2SCertificateName", "CertificateName", "http.sys [::]:444", "http.sys office.contoso.com:443", "WinRM listener"}
	if diff := cmp.Diff(want, got.Uses); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestUseOfACertificateThatIsNotThereOrInNoFarmIsAnAnswer(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	got := run(t, newEngine(t, officeServer(t)), powershell.GetCertificateUse{Thumbprint: m.thumbprint})
	if got.Present || got.Archived || len(got.Uses) != 0 {
		t.Errorf("absent: %+v", got)
	}
	archived := m.owned(t, friendly)
	archived.Archived = true
	w := with(officeServer(t), "stores", "My", []storeEntry{archived})
	got = run(t, newEngine(t, with(w, "office", "joined", false)), powershell.GetCertificateUse{Thumbprint: m.thumbprint})
	if !got.Present || !got.Archived || len(got.Uses) != 0 {
		t.Errorf("archived, in no farm: %+v", got)
	}
}

func TestCertificateIsArchivedOnce(t *testing.T) {
	t.Parallel()
	old, next := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{old.owned(t, "old"), next.owned(t, friendly)})
	e := newEngine(t, withS2SName(w, friendly, ""))
	params := powershell.SetS2SCertificateArchived{Thumbprint: old.thumbprint, Archived: true}
	first, second := run(t, e, params), run(t, e, params)
	if my := e.state(t).Stores["My"]; !first.Changed || second.Changed || !my[0].Archived || my[1].Archived {
		t.Errorf("first %+v, second %+v, archived %v and %v", first, second, my[0].Archived, my[1].Archived)
	}
	if got := run(t, e, powershell.GetOfficeServer{Thumbprint: old.thumbprint}); len(got.Certificates) != 1 {
		t.Errorf("an archived certificate is still found: %+v", got.Certificates)
	}
	params.Archived = false
	first, second = run(t, e, params), run(t, e, params)
	if my := e.state(t).Stores["My"]; !first.Changed || second.Changed || my[0].Archived {
		t.Errorf("shown again: first %+v, second %+v, archived %v", first, second, my[0].Archived)
	}
	params.Archived = true
	if got := run(t, newEngine(t, officeServer(t)), params); got.Changed {
		t.Errorf("without the certificate: %+v", got)
	}
}

func TestCertificateIsRemovedWithItsKeyAndWhatCameWithIt(t *testing.T) {
	t.Parallel()
	ours, theirs, issuing := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "theirs"), makeCertificate(t, "Contoso Issuing")
	owned := ours.owned(t, friendly)
	for _, archived := range []bool{false, true} {
		owned.Archived = archived
		w := with(officeServer(t), "stores", "My", []storeEntry{owned, theirs.owned(t, "theirs"), issuing.inStore("")})
		with(w, "stores", "Root", []storeEntry{ours.inStore(""), theirs.inStore("")})
		e := newEngine(t, with(w, "stores", "CA", []storeEntry{issuing.inStore(""), theirs.inStore("")}))
		params := powershell.RemoveS2SCertificate{
			Thumbprint: ours.thumbprint, Personal: true, Root: true, Intermediates: []string{issuing.thumbprint},
		}
		first, second := run(t, e, params), run(t, e, params)
		if !first.Changed || !cmp.Equal(first.Removed, []string{"Root", "CA", "My"}) || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		state := e.state(t)
		if diff := cmp.Diff([]string{ours.thumbprint}, state.RemovedKeys); diff != "" {
			t.Errorf("keys removed, want -, got +:\n%s", diff)
		}
		for store, want := range map[string]int{"My": 2, "Root": 1, "CA": 1} {
			if got := len(state.Stores[store]); got != want {
				t.Errorf("store %s holds %d certificates, want %d", store, got, want)
			}
		}
	}
}

func TestOnlyWhatIsAskedForIsRemoved(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{m.owned(t, friendly)})
	with(w, "stores", "Root", []storeEntry{m.inStore("")})
	e := newEngine(t, with(w, "stores", "CA", []storeEntry{m.inStore("")}))
	if got := run(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint, Root: true}); !cmp.Equal(got.Removed, []string{"Root"}) {
		t.Errorf("removed %v, want the copy in Trusted Root alone", got.Removed)
	}
	if s := e.state(t); len(s.Stores["My"]) != 1 || len(s.Stores["CA"]) != 1 || len(s.RemovedKeys) != 0 {
		t.Errorf("Personal holds %d, CA %d, keys removed %v", len(s.Stores["My"]), len(s.Stores["CA"]), s.RemovedKeys)
	}
}

func TestRemovalThatWasCutShortIsFinished(t *testing.T) {
	t.Parallel()
	m, public := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "public.contoso.com")
	entry := m.owned(t, friendly)
	entry.KeyGone = true
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{entry, public.inStore("")}))
	for _, thumbprint := range []string{m.thumbprint, public.thumbprint} {
		if got := run(t, e, powershell.RemoveS2SCertificate{Thumbprint: thumbprint, Personal: true}); !got.Changed {
			t.Errorf("got %+v", got)
		}
	}
	if s := e.state(t); len(s.Stores["My"]) != 0 || len(s.RemovedKeys) != 0 {
		t.Errorf("%d certificates left, keys removed %v", len(s.Stores["My"]), s.RemovedKeys)
	}
}

func TestKeyThatAnotherCertificateSharesIsKept(t *testing.T) {
	t.Parallel()
	old, next, broken := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "broken")
	renewed, gone := next.owned(t, friendly), broken.owned(t, "broken")
	renewed.File = old.owned(t, "").File
	gone.KeyGone = true
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{gone, old.owned(t, "old"), renewed}))
	run(t, e, powershell.RemoveS2SCertificate{Thumbprint: old.thumbprint, Personal: true})
	if s := e.state(t); len(s.Stores["My"]) != 2 || len(s.RemovedKeys) != 0 {
		t.Errorf("%d certificates left, keys removed %v", len(s.Stores["My"]), s.RemovedKeys)
	}
}

func TestCertificateInUseIsNeitherArchivedNorRemoved(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	for claim, use := range uses(m) {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := with(officeServer(t), "stores", "My", []storeEntry{m.owned(t, friendly)})
			with(w, "stores", "Root", []storeEntry{m.inStore("")})
			use(w)
			e := newEngine(t, w)
			before := e.state(t)
			refused(t, e, powershell.SetS2SCertificateArchived{Thumbprint: m.thumbprint, Archived: true}, powershell.InUse)
			refused(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint, Personal: true, Root: true}, powershell.InUse)
			if diff := cmp.Diff(before, e.state(t)); diff != "" {
				t.Errorf("the machine changed, before -, after +:\n%s", diff)
			}
		})
	}
}

func TestCertificateThatStaysIsAnError(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{m.owned(t, friendly)})
	with(w, "stores", "Root", []storeEntry{m.inStore("")})
	w["clings"] = true
	e := newEngine(t, w)
	refused(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint, Personal: true}, powershell.SettingNotKept)
	refused(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint, Root: true}, powershell.SettingNotKept)
	refused(t, e, powershell.SetS2SCertificateArchived{Thumbprint: m.thumbprint, Archived: true}, powershell.SettingNotKept)
}

func TestKeyInNoKnownFolderIsLeftToPeople(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	entry, odd := m.owned(t, friendly), m.owned(t, friendly)
	entry.File, odd.Provider = "", ""
	for _, c := range []struct {
		entry storeEntry
		id    string
	}{{entry, powershell.KeyFileNotFound}, {odd, powershell.KeyMissing}} {
		e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{c.entry}))
		refused(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint, Personal: true}, c.id)
		if s := e.state(t); len(s.Stores["My"]) != 1 {
			t.Errorf("%s: the certificate was removed without its key", c.id)
		}
	}
}

func TestReadAccessIsTakenBackOnce(t *testing.T) {
	t.Parallel()
	m, public := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "public.contoso.com")
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{m.owned(t, friendly), public.inStore("")}))
	before := e.state(t)
	run(t, e, powershell.GrantS2SKey{Thumbprint: m.thumbprint, Sid: farm.NetworkService, ProveAs: "administrator"})
	params := powershell.RevokeS2SKey{Thumbprint: m.thumbprint, Sid: farm.NetworkService}
	if first, second := run(t, e, params), run(t, e, params); !first.Changed || second.Changed {
		t.Errorf("first %+v, second %+v", first, second)
	}
	for _, without := range []string{public.thumbprint, makeCertificate(t, "absent").thumbprint} {
		if got := run(t, e, powershell.RevokeS2SKey{Thumbprint: without, Sid: farm.NetworkService}); got.Changed {
			t.Errorf("without a key: %+v", got)
		}
	}
	if diff := cmp.Diff(before, e.state(t)); diff != "" {
		t.Errorf("before -, after +:\n%s", diff)
	}
}

func TestReadAccessThatIsNotOursIsLeftToPeople(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	entry := m.owned(t, friendly)
	entry.Readers = append(entry.Readers, farm.NetworkService)
	entry.Inherited = []string{farm.NetworkService}
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{entry}))
	refused(t, e, powershell.RevokeS2SKey{Thumbprint: m.thumbprint, Sid: farm.NetworkService}, powershell.ChangedSince)
}

func TestRetiringNeedsAdministratorRights(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	e := newEngine(t, with(officeServer(t), "machine", "elevated", false))
	refused(t, e, powershell.GetCertificateUse{Thumbprint: m.thumbprint}, powershell.NotElevated)
	refused(t, e, powershell.SetS2SCertificateArchived{Thumbprint: m.thumbprint, Archived: true}, powershell.NotElevated)
	refused(t, e, powershell.RemoveS2SCertificate{Thumbprint: m.thumbprint}, powershell.NotElevated)
	refused(t, e, powershell.RevokeS2SKey{Thumbprint: m.thumbprint, Sid: farm.NetworkService}, powershell.NotElevated)
	refused(t, e, powershell.RestoreS2SCertificateName{Ours: friendly}, powershell.NotElevated)
}
