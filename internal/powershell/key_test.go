package powershell_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

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

func TestGrantReportsAProofThatFailsAndRemovesItsTask(t *testing.T) {
	t.Parallel()
	target := makeCertificate(t, "s2s.contoso.com")
	for result, id := range map[int]string{
		91: powershell.KeyDoesNotSign, 92: powershell.KeyDoesNotSign,
		0: powershell.ProofUnavailable, 93: powershell.ProofUnavailable, 2147942402: powershell.ProofUnavailable,
	} {
		t.Run(strconv.Itoa(result), func(t *testing.T) {
			t.Parallel()
			w := with(officeServer(t), "stores", "My", []storeEntry{target.owned(t, friendly)})
			w["taskResult"] = result
			e := newEngine(t, w)
			refused(t, e, powershell.GrantS2SKey{Thumbprint: target.thumbprint, Sid: farm.NetworkService, ProveAs: "networkService"}, id)
			if tasks := e.state(t).Tasks; len(tasks) != 0 {
				t.Errorf("tasks left on the server: %v", tasks)
			}
		})
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
