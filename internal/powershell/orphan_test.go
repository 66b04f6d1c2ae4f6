package powershell_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// cutOff lets the process of an import end, so many times, when Windows has written the
// key and nothing else has happened yet.
func cutOff(times int) pwsh.Override {
	return func(_ json.RawMessage, do func() (any, error)) (any, error) {
		opened, err := do()
		if times--; times < 0 || err != nil {
			return opened, err
		}
		return nil, &model.Error{
			ID: "PipelineStopped", Message: "The pipeline has been stopped.", Category: "OperationStopped",
			Exception: "System.Management.Automation.PipelineStoppedException",
		}
	}
}

// refuseAccess is Windows where a program keeps a key from being deleted.
func refuseAccess(json.RawMessage, func() (any, error)) (any, error) {
	return nil, &model.Error{
		ID: "CryptographicException", Message: "Access is denied.", Category: "NotSpecified", Exception: model.CryptographicException,
	}
}

// newServerWithOrphan has the key of an import that was cut off.
func newServerWithOrphan(t *testing.T, c testCertificate, spec *serverSpec) *testServer {
	t.Helper()
	s := newServer(t, spec.override("Open-Pfx", cutOff(1)))
	if _, err := powershell.Run(t.Context(), s, target, importOf(c)); err == nil {
		t.Fatal("an import that was cut off succeeded")
	}
	return s
}

// A killed import leaves a key that no certificate has. Nothing else on the server tells
// of it, and Windows keeps it for ever.
func TestOrphanedKey(t *testing.T) {
	t.Parallel()
	s2s := newCertificate(t, "s2s.contoso.com")
	removal := powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Personal: true}

	t.Run("the next attempt deletes what the last one left", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newOfficeServer().override("Open-Pfx", cutOff(3)))
		for range 3 {
			if _, err := powershell.Run(t.Context(), s, target, importOf(s2s)); err == nil {
				t.Fatal("an import that was cut off succeeded")
			}
			assertKeyFiles(t, s, 1)
		}
		got := mustRun(t, s, importOf(s2s))
		if want := farm.KeyContainer(farm.Thumbprint(s2s.thumbprint)); got.Container != want {
			t.Errorf("the key has the container %q, want %q", got.Container, want)
		}
		if diff := cmp.Diff([]string{s.keyFile(s2s)}, s.state().KeyFiles); diff != "" {
			t.Errorf("key files, want -, got +:\n%s", diff)
		}
	})
	t.Run("the way back deletes it", func(t *testing.T) {
		t.Parallel()
		s := newServerWithOrphan(t, s2s, newOfficeServer())
		mustRun(t, s, powershell.RemoveS2SCertificate{Thumbprint: s2s.thumbprint, Root: true})
		assertKeyFiles(t, s, 1) // Nobody asked for it.
		if seen := mustRun(t, s, powershell.GetOfficeServer{Thumbprint: s2s.thumbprint}); !seen.OrphanedKey {
			t.Errorf("nobody sees it: %+v", seen)
		}
		want := powershell.RemoveResult{Changed: true, Removed: []string{}, OrphanedKey: true}
		if diff := cmp.Diff(want, mustRun(t, s, removal)); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		assertKeyFiles(t, s, 0)
		if seen := mustRun(t, s, powershell.GetOfficeServer{Thumbprint: s2s.thumbprint}); seen.OrphanedKey {
			t.Errorf("it is seen after its removal: %+v", seen)
		}
		if again := mustRun(t, s, removal); again.Changed || again.OrphanedKey {
			t.Errorf("again: %+v", again)
		}
	})
	t.Run("also where the certificate came with another key file", func(t *testing.T) {
		t.Parallel()
		s := newServerWithOrphan(t, s2s, newOfficeServer())
		s.add(model.My, s2s.withKey(friendly))
		assertKeyFiles(t, s, 2)
		want := powershell.RemoveResult{Changed: true, Removed: []string{"My"}, OrphanedKey: true}
		if diff := cmp.Diff(want, mustRun(t, s, removal)); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		assertKeyFiles(t, s, 0)
	})
	t.Run("keys of others stay", func(t *testing.T) {
		t.Parallel()
		theirs, alone := newCertificate(t, "theirs"), newCertificate(t, "alone")
		s := newServerWithOrphan(t, s2s, newOfficeServer().in(model.My, theirs.withKey("theirs")))
		for _, pfx := range [][]byte{alone.pfx, alone.pfx} { // one under its name, one under another
			_, err := s.session().OpenPFX(model.StoreAdd, pfx, []byte(pfxPassword), model.ImportFlags{MachineKeySet: true, PersistKeySet: true})
			requireNoError(t, err)
		}
		assertKeyFiles(t, s, 4)
		mustRun(t, s, removal)
		assertKeyFiles(t, s, 3)
		mustRun(t, s, importOf(s2s))
		assertKeyFiles(t, s, 4)
		requireNoError(t, s.session().Sign(farm.Thumbprint(theirs.thumbprint), model.Administrators, model.Legacy))
	})
	t.Run("a key that another certificate has stays, and the import gets another", func(t *testing.T) {
		t.Parallel()
		renewed := newCertificate(t, "renewed.contoso.com")
		s := newServerWithOrphan(t, s2s, newOfficeServer())
		file, err := s.session().ContainerFile(farm.KeyContainer(farm.Thumbprint(s2s.thumbprint)))
		requireNoError(t, err)
		_, err = s.session().AddCertificate(model.My, model.Certificate{DER: renewed.der, Key: &model.Key{File: file}})
		requireNoError(t, err)
		if got := mustRun(t, s, importOf(s2s)); got.Container == farm.KeyContainer(farm.Thumbprint(s2s.thumbprint)) {
			t.Errorf("got %+v, want a key of its own", got)
		}
		mustRun(t, s, removal)
		if diff := cmp.Diff([]string{file}, s.state().KeyFiles); diff != "" {
			t.Errorf("key files, want -, got +:\n%s", diff)
		}
		if got := s.keyFile(renewed); got != file {
			t.Errorf("the other certificate has the key file %q, want %q", got, file)
		}
	})
	t.Run("one that Windows keeps stops no import, and the removal says so", func(t *testing.T) {
		t.Parallel()
		s := newServerWithOrphan(t, s2s, newOfficeServer().override("Remove-KeyContainer", pwsh.Ignore()))
		got := mustRun(t, s, importOf(s2s))
		if !strings.Contains(got.KeptKey, "still there") || got.Container == farm.KeyContainer(farm.Thumbprint(s2s.thumbprint)) || !got.Certificate.KeySigns {
			t.Errorf("got %+v", got)
		}
		assertKeyFiles(t, s, 2)
		assertRefused(t, s, removal, powershell.SettingNotKept)
		assertKeyFiles(t, s, 1)
	})
	t.Run("neither does one that Windows refuses to delete", func(t *testing.T) {
		t.Parallel()
		s := newServerWithOrphan(t, s2s, newOfficeServer().override("Remove-KeyContainer", refuseAccess))
		if got := mustRun(t, s, importOf(s2s)); got.KeptKey != "Access is denied." {
			t.Errorf("got %+v", got)
		}
		assertKeyFiles(t, s, 2)
	})
}
