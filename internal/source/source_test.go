package source_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/source"
)

const (
	day      = 24 * time.Hour
	password = "open sesame"
)

// start is when the tests begin.
var start = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func TestTheNewestIsTheOneThatBecameValidLast(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	put(t, d, "long.pfx", start.Add(-300*day), 3000*day)
	want := put(t, d, "new.P12", start.Add(-2*day), 30*day)
	put(t, d, "older.pfx", start.Add(-3*day), 300*day)
	put(t, d, "expired.pfx", start.Add(-1*day), time.Hour)
	put(t, d, "early.pfx", start.Add(time.Second), 300*day)
	write(t, d, "readme.txt", []byte("no PFX"))
	write(t, d, ".hidden.pfx", []byte("no PFX"))
	got, err := d.Newest(t.Context())
	if err != nil || got.Certificate.Thumbprint != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

func TestOfTwoThatBecameValidTogetherTheOneThatEndsLastIsNewer(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	put(t, d, "a.pfx", start, 10*day)
	want := put(t, d, "b.pfx", start, 20*day)
	put(t, d, "c.pfx", start, 15*day)
	got, err := d.Newest(t.Context())
	if err != nil || got.Certificate.Thumbprint != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

func TestWithoutAValidCertificateTheReasonIsGiven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from time.Duration
		want string
	}{
		"expired":       {-2 * day, " expired on 2026-08-31T12:00:00Z: put a new PFX there"},
		"not yet valid": {day, " is not valid before 2026-09-02T12:00:00Z: put a new PFX there"},
	} {
		d := directory(t, start)
		thumbprint := put(t, d, "only.pfx", start.Add(c.from), day)
		_, err := d.Newest(t.Context())
		want := "no valid certificate in " + d.Path + ": certificate " + thumbprint.Short() + " (CN=test)" + c.want
		if !errors.Is(err, source.ErrNone) || err.Error() != want {
			t.Errorf("%s: got\n%v\nwant\n%s", name, err, want)
		}
	}
	empty := directory(t, start)
	_, err := empty.Newest(t.Context())
	want := "no valid certificate in " + empty.Path + ": it holds no *.pfx or *.p12 file: put a new PFX there"
	if !errors.Is(err, source.ErrNone) || err.Error() != want {
		t.Errorf("empty: got %v; want %s", err, want)
	}
}

func TestACertificateIsFoundWhetherValidOrNot(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	expired := put(t, d, "expired.pfx", start.Add(-10*day), day)
	put(t, d, "valid.pfx", start.Add(-day), 10*day)
	got, err := d.Find(t.Context(), expired)
	if err != nil || got.Certificate.Thumbprint != expired {
		t.Errorf("got %v, %v", got, err)
	}
	gone := farm.Thumbprint(strings.Repeat("AB", 20))
	_, err = d.Find(t.Context(), gone)
	if want := "certificate not found: no PFX file of " + d.Path + " holds " + string(gone) + ": put it back"; !errors.Is(err, source.ErrNotFound) || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestAFileThatCannotBeUsedIsNamedAndNeverPassedOver(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	good := put(t, d, "good.pfx", start.Add(-day), 10*day)
	write(t, d, "damaged.pfx", []byte("no PFX"))
	write(t, d, "large.pfx", make([]byte, 1<<20+1))
	if err := os.Mkdir(filepath.Join(d.Path, "folder.pfx"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := d.Newest(t.Context())
	if !errors.Is(err, cert.ErrUnreadable) || errors.Is(err, source.ErrNone) {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"read certificate " + d.Path + "/damaged.pfx: unreadable PFX: ",
		"read certificate: " + d.Path + "/folder.pfx is no regular file: move it away",
		"read certificate: " + d.Path + "/large.pfx is larger than 1 MiB: it is no PFX of a certificate",
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got\n%s\nwant\n%s", got[i], want[i])
		}
	}
	if found, err := d.Find(t.Context(), good); err != nil || found.Certificate.Thumbprint != good {
		t.Errorf("Find of a good file beside bad ones: %v, %v", found, err)
	}
	if _, err := d.Find(t.Context(), "GONE"); !errors.Is(err, cert.ErrUnreadable) {
		t.Errorf("Find of what may be in a bad file: %v", err)
	}
}

func TestAWrongPasswordNamesTheFileAndNotThePassword(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	put(t, d, "a.pfx", start, day)
	d.Password = secretFile(t, "other "+password)
	_, err := d.Newest(t.Context())
	want := "read certificate " + d.Path + "/a.pfx: wrong password for the PFX: correct the password that the configuration names"
	if !errors.Is(err, cert.ErrPassword) || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	d.Password = "file:/no/such/secret"
	if _, err := d.Newest(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "file:/no/such/secret") || !strings.Contains(err.Error(), d.Path) {
		t.Errorf("no password: %v", err)
	}
	d = directory(t, start)
	d.Path += "/gone"
	if _, err := d.Newest(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), d.Path) {
		t.Errorf("no folder: %v", err)
	}
}

func TestACancelledLookEnds(t *testing.T) {
	t.Parallel()
	d := directory(t, start)
	put(t, d, "a.pfx", start, day)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Newest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestASelfSignedSourceKeepsItsCertificateUntilTheLeadTime(t *testing.T) {
	t.Parallel()
	s := selfSigned(t)
	first := newest(t, s)
	if first.Subject != "CN=OOS S2S 20260901-120000" || !first.SelfSigned {
		t.Errorf("made %+v", first)
	}
	if !first.NotBefore.Before(start) || !first.NotAfter.Equal(start.Add(s.ValidFor)) {
		t.Errorf("valid from %s to %s", first.NotBefore, first.NotAfter)
	}
	s.Now = at(start.Add(s.ValidFor - s.LeadTime - time.Second))
	if again := newest(t, s); again.Thumbprint != first.Thumbprint {
		t.Errorf("made %s before it was needed", again.Subject)
	}
	s.Now = at(start.Add(s.ValidFor - s.LeadTime))
	second := newest(t, s)
	if second.Thumbprint == first.Thumbprint || second.Subject == first.Subject {
		t.Errorf("did not replace %s", first.Subject)
	}
	if old, err := s.Find(t.Context(), first.Thumbprint); err != nil || old.Certificate.Thumbprint != first.Thumbprint {
		t.Errorf("the certificate before is gone: %v", err)
	}
}

func TestFilesOfASelfSignedSourceAreForTheUserAlone(t *testing.T) {
	t.Parallel()
	s := selfSigned(t)
	newest(t, s)
	entries, err := os.ReadDir(s.Path)
	if err != nil || len(entries) != 1 || entries[0].Name() != "first.pfx" {
		t.Fatalf("the folder holds %v, %v", entries, err)
	}
	for _, path := range []string{s.Path, filepath.Join(s.Path, "first.pfx")} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestSeveralWorkersAgreeOnOneSelfSignedCertificate(t *testing.T) {
	t.Parallel()
	s := selfSigned(t)
	for _, now := range []time.Time{start, start.Add(s.ValidFor - time.Hour)} {
		s.Now = at(now)
		made := make([]farm.Thumbprint, 4)
		var workers sync.WaitGroup
		for i := range made {
			workers.Go(func() { made[i] = newest(t, s).Thumbprint })
		}
		workers.Wait()
		for _, other := range made[1:] {
			if other != made[0] {
				t.Errorf("workers have %v", made)
			}
		}
	}
	if entries, err := os.ReadDir(s.Path); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestASelfSignedSourceMakesNothingBesideAFileThatItCannotUse(t *testing.T) {
	t.Parallel()
	s := selfSigned(t)
	newest(t, s)
	write(t, s.Directory, "damaged.pfx", []byte("no PFX"))
	s.Now = at(start.Add(s.ValidFor))
	if made, err := s.Newest(t.Context()); !errors.Is(err, cert.ErrUnreadable) {
		t.Errorf("got %v, %v", made, err)
	}
}

func TestAFolderThatCannotBeMadeIsNamed(t *testing.T) {
	t.Parallel()
	s := selfSigned(t)
	if err := os.WriteFile(s.Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Newest(t.Context()); err == nil || !strings.Contains(err.Error(), s.Path) {
		t.Errorf("got %v", err)
	}
}

// directory is an empty folder looked at at that time.
func directory(t *testing.T, now time.Time) source.Directory {
	t.Helper()
	return source.Directory{Path: t.TempDir(), Password: secretFile(t, password), Now: at(now)}
}

// selfSigned is a source whose folder is yet to be made.
func selfSigned(t *testing.T) source.SelfSigned {
	t.Helper()
	s := source.SelfSigned{Directory: directory(t, start), Subject: "OOS S2S", ValidFor: 90 * day, LeadTime: 30 * day}
	s.Path = filepath.Join(s.Path, "pfx")
	return s
}

func newest(t *testing.T, s source.Source) farm.Certificate {
	t.Helper()
	bundle, err := s.Newest(t.Context())
	if err != nil {
		t.Error(err)
		return farm.Certificate{}
	}
	return bundle.Certificate
}

// put adds a certificate with that validity to the folder.
func put(t *testing.T, d source.Directory, name string, from time.Time, validFor time.Duration) farm.Thumbprint {
	t.Helper()
	bundle, err := cert.SelfSigned("test", from, validFor, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := bundle.Encode(0, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, name, pfx)
	return bundle.Certificate.Thumbprint
}

func write(t *testing.T, d source.Directory, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.Path, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func secretFile(t *testing.T, content string) secret.Ref {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Ref("file:" + path)
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }
