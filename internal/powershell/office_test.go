package powershell_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/google/go-cmp/cmp"
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

func TestGrantGivesReadOnceAndProvesTheKey(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	for _, proof := range []string{"networkService", "administrator"} {
		t.Run(proof, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)}))
			params := powershell.GrantS2SKey{Thumbprint: target.thumbprint, Sid: farm.NetworkService, ProveAs: proof}
			first, second := run(t, e, params), run(t, e, params)
			if !first.Changed || second.Changed || first.SignedAs == "" || first.Provider != farm.KeyProvider {
				t.Errorf("first %+v, second %+v", first, second)
			}
			state := e.state(t)
			if want := []string{"S-1-5-18", "S-1-5-32-544", "S-1-5-20"}; !cmp.Equal(state.Stores["My"][0].Readers, want) {
				t.Errorf("readers %v, want %v", state.Stores["My"][0].Readers, want)
			}
			if len(state.Tasks) != 0 {
				t.Errorf("tasks left on the server: %v", state.Tasks)
			}
		})
	}
}

func TestGrantRefusesAKeyThatCannotServe(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	owned := target.owned(t, friendly)
	denied, lost, unreadable := owned, owned, owned
	denied.Denied = []string{farm.NetworkService}
	lost.File = ""
	unreadable.Readers, unreadable.Denied = []string{farm.NetworkService}, []string{farm.NetworkService}
	cases := []struct {
		claim string
		my    []storeEntry
		id    string
	}{
		{"not imported", nil, powershell.CertificateNotFound},
		{"without its key", []storeEntry{target.inStore(friendly)}, powershell.KeyMissing},
		{"key in no folder", []storeEntry{lost}, powershell.KeyFileNotFound},
		{"denied", []storeEntry{denied}, powershell.KeyDenied},
		{"granted and denied", []storeEntry{unreadable}, powershell.KeyDenied},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, with(officeServer(t), "stores", "My", c.my))
			refused(t, e, powershell.GrantS2SKey{Thumbprint: target.thumbprint, Sid: farm.NetworkService, ProveAs: "networkService"}, c.id)
		})
	}
}

func TestGrantReportsAnAccountThatCannotSignAndRemovesItsTask(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
	w["taskResult"] = 92
	e := newEngine(t, w)
	refused(t, e, powershell.GrantS2SKey{Thumbprint: target.thumbprint, Sid: farm.NetworkService, ProveAs: "networkService"}, powershell.KeyDoesNotSign)
	if tasks := e.state(t).Tasks; len(tasks) != 0 {
		t.Errorf("tasks left on the server: %v", tasks)
	}
}

func TestExportGivesThePublicPartAndWritesItOnce(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	e := newEngine(t, with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)}))
	path := filepath.Join(t.TempDir(), "s2s.cer")
	nowhere := run(t, e, powershell.ExportS2SCertificate{Thumbprint: target.thumbprint})
	first := run(t, e, powershell.ExportS2SCertificate{Thumbprint: target.thumbprint, Path: path})
	second := run(t, e, powershell.ExportS2SCertificate{Thumbprint: target.thumbprint, Path: path})
	if nowhere.Changed || !first.Changed || second.Changed || !cmp.Equal(nowhere.DER, target.der) {
		t.Errorf("changed: %v, %v, %v; want only the first write", nowhere.Changed, first.Changed, second.Changed)
	}
	written, err := os.ReadFile(path)
	if err != nil || !cmp.Equal(written, target.der) {
		t.Errorf("file holds %d bytes, error %v; want the certificate", len(written), err)
	}
}

func TestS2SNameIsSetOnceOnTheMaster(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
	with(w, "office", "master", strings.ToLower(machineName(t))+".contoso.com")
	e := newEngine(t, w)
	params := powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: target.thumbprint}
	if first := run(t, e, params); !first.Changed || first.Previous != "" {
		t.Errorf("first: %+v", first)
	}
	if second := run(t, e, params); second.Changed || second.Previous != friendly {
		t.Errorf("second: %+v", second)
	}
	if got := e.state(t).Office.Farm.S2SCertificateName; got != friendly {
		t.Errorf("the farm's S2S certificate is %q, want %q", got, friendly)
	}
}

func TestS2SNameIsRefusedUnlessItMeansTheCertificateAndStays(t *testing.T) {
	t.Parallel()
	target, other := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "other.contoso.com")
	cases := []struct {
		claim, part, field string
		value              any
		id                 string
	}{
		{"another machine is the master", "office", "master", "OOS-02", powershell.NotMaster},
		{"the machine is in no farm", "office", "joined", false, powershell.NotJoined},
		{"the name means another certificate", "stores", "My", []storeEntry{target.owned(t, "theirs")}, powershell.WrongCertificate},
		{"the certificate is missing", "stores", "My", []storeEntry{}, powershell.CertificateNotFound},
		{"two certificates have the name", "stores", "My", []storeEntry{target.owned(t, friendly), other.owned(t, friendly)}, powershell.AmbiguousFriendlyName},
		{"the farm forgets the setting", "office", "forgets", true, powershell.SettingNotKept},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
			e := newEngine(t, with(w, c.part, c.field, c.value))
			refused(t, e, powershell.SetS2SCertificateName{FriendlyName: friendly, Thumbprint: target.thumbprint}, c.id)
			if got := e.state(t).Office.Farm.S2SCertificateName; got != "" {
				t.Errorf("the farm's S2S certificate is %q", got)
			}
		})
	}
}

func TestHTTPSwitchesThatAreNotGivenAreNotTouched(t *testing.T) {
	t.Parallel()
	e := newEngine(t, officeServer(t))
	on, off := true, false
	if got := run(t, e, powershell.SetOfficeHTTPSwitch{}); got.Changed {
		t.Errorf("without switches: %+v", got)
	}
	got := run(t, e, powershell.SetOfficeHTTPSwitch{AllowOutboundHTTP: &on, AllowHTTPSecureStoreConnections: &off})
	if want := []string{"AllowOutboundHttp"}; !got.Changed || !cmp.Equal(got.Settings, want) {
		t.Errorf("got %+v, want only %v set", got, want)
	}
	if got := run(t, e, powershell.SetOfficeHTTPSwitch{AllowHTTPSecureStoreConnections: &on}); !cmp.Equal(got.Settings, []string{"AllowHttpSecureStoreConnections"}) {
		t.Errorf("got %+v", got)
	}
	if f := e.state(t).Office.Farm; !f.AllowOutboundHTTP || !f.AllowHTTPSecureStoreConnections {
		t.Errorf("the farm has %+v", f)
	}
}

func TestHTTPSwitchThatDoesNotStayIsAnError(t *testing.T) {
	t.Parallel()
	on := true
	refused(t, newEngine(t, with(officeServer(t), "office", "forgets", true)),
		powershell.SetOfficeHTTPSwitch{AllowOutboundHTTP: &on}, powershell.SettingNotKept)
}

// writeSettings makes the farm's settings file as old as a moment.
func writeSettings(t *testing.T, e *engine, at time.Time) {
	t.Helper()
	file := filepath.Join(filepath.Dir(e.world), "Microsoft", "OfficeWebApps", "Data", "FarmState", "settings.xml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("<x/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOfficeServerRestartsWhatRunsOlderSettingsOnly(t *testing.T) {
	t.Parallel()
	started := moment(t, sinceStart)
	later := started.Add(time.Hour)
	both := []string{"WACSM", "IIS"}
	cases := []struct {
		claim     string
		settings  time.Time
		notBefore *time.Time
		world     func(w map[string]any)
		want      []string
	}{
		{claim: "settings are older", settings: started.Add(-time.Hour), want: []string{}},
		{claim: "settings are newer", settings: later, want: both},
		{claim: "no settings file", want: both},
		{claim: "asked to", settings: started.Add(-time.Hour), notBefore: &later, want: both},
		{claim: "no worker runs", settings: later, world: func(w map[string]any) { w["workersSince"] = nil }, want: []string{"WACSM"}},
		{
			claim: "the service stopped by itself", settings: started.Add(-time.Hour), want: []string{"WACSM"},
			world: func(w map[string]any) {
				with(w, "services", "WACSM", map[string]any{"status": "Stopped", "startType": "Automatic", "since": nil, "afterRestart": "Running"})
			},
		},
		{
			claim: "the service is switched off", settings: later, want: []string{"IIS"},
			world: func(w map[string]any) {
				with(w, "services", "WACSM", map[string]any{"status": "Stopped", "startType": "Disabled", "since": nil, "afterRestart": "Running"})
			},
		},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := officeServer(t)
			if c.world != nil {
				c.world(w)
			}
			e := newEngine(t, w)
			if !c.settings.IsZero() {
				writeSettings(t, e, c.settings)
			}
			got := run(t, e, powershell.RestartOfficeServer{NotBefore: c.notBefore})
			if !cmp.Equal(got.Restarted, c.want) || got.Changed != (len(c.want) > 0) {
				t.Errorf("restarted %v, want %v", got.Restarted, c.want)
			}
			if c.settings.IsZero() {
				return // Without the file it cannot know, and restarts each time.
			}
			if again := run(t, e, powershell.RestartOfficeServer{NotBefore: c.notBefore}); again.Changed {
				t.Errorf("again: restarted %v, want nothing", again.Restarted)
			}
		})
	}
}

func TestRestartThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	w := officeServer(t)
	w["iisResetCode"] = 5
	refused(t, newEngine(t, w), powershell.RestartOfficeServer{}, powershell.IisResetFailed)

	w = officeServer(t)
	with(w, "services", "WACSM", map[string]any{"status": "Running", "startType": "Automatic", "since": longAgo, "afterRestart": "StartPending"})
	_, err := powershell.Run(t.Context(), newEngine(t, w), powershell.Target{Host: "oos-01"}, powershell.RestartOfficeServer{})
	var said *powershell.ScriptError
	if !errors.As(err, &said) || said.Exception != "System.TimeoutException" || said.Line == 0 {
		t.Errorf("got %+v, want the exception and its line", err)
	}
}
