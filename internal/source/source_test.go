package source_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/source"
)

const (
	day      = 24 * time.Hour
	password = "open sesame"
)

// testTime is when the tests begin.
var testTime = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func TestDirectory_Newest(t *testing.T) {
	t.Parallel()
	t.Run("the newest is the one that became valid last", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		putCertificate(t, d, "long.pfx", testTime.Add(-300*day), 3000*day)
		want := putCertificate(t, d, "new.P12", testTime.Add(-2*day), 30*day)
		putCertificate(t, d, "older.pfx", testTime.Add(-3*day), 300*day)
		putCertificate(t, d, "expired.pfx", testTime.Add(-1*day), time.Hour)
		putCertificate(t, d, "early.pfx", testTime.Add(time.Second), 300*day)
		writeFile(t, d, "readme.txt", []byte("no PFX"))
		writeFile(t, d, ".hidden.pfx", []byte("no PFX"))
		got, err := d.Newest(t.Context())
		if err != nil || got.Certificate.Thumbprint != want {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})

	t.Run("of those that became valid together it is the one that expires last", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		putCertificate(t, d, "a.pfx", testTime, 10*day)
		want := putCertificate(t, d, "b.pfx", testTime, 20*day)
		putCertificate(t, d, "c.pfx", testTime, 15*day)
		got, err := d.Newest(t.Context())
		if err != nil || got.Certificate.Thumbprint != want {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	})

	t.Run("without a valid certificate the reason is given", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			from time.Duration
			want string
		}{
			"expired":       {-2 * day, " expired on 2026-08-31 12:00 UTC: put a new PFX there"},
			"not yet valid": {day, " is not valid before 2026-09-02 12:00 UTC: put a new PFX there"},
		} {
			t.Run(name, func(t *testing.T) {
				d := newDirectory(t, testTime)
				thumbprint := putCertificate(t, d, "only.pfx", testTime.Add(c.from), day)
				_, err := d.Newest(t.Context())
				want := "no valid certificate in " + d.Path + ": certificate " + thumbprint.Short() + " (CN=test) in only.pfx" + c.want
				if !errors.Is(err, source.ErrNone) || err.Error() != want {
					t.Errorf("got\n%v\nwant\n%s", err, want)
				}
			})
		}
		empty := newDirectory(t, testTime)
		_, err := empty.Newest(t.Context())
		want := "no valid certificate in " + empty.Path + ": it holds no *.pfx or *.p12 file: put a new PFX there"
		if !errors.Is(err, source.ErrNone) || err.Error() != want {
			t.Errorf("empty: got %v; want %s", err, want)
		}
	})

	t.Run("an unusable file is named and never skipped", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		good := putCertificate(t, d, "good.pfx", testTime.Add(-day), 10*day)
		writeFile(t, d, "damaged.pfx", []byte("no PFX"))
		writeFile(t, d, "large.pfx", make([]byte, 1<<20+1))
		if err := os.Mkdir(filepath.Join(d.Path, "folder.pfx"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := d.Newest(t.Context())
		if !errors.Is(err, cert.ErrUnreadable) || errors.Is(err, source.ErrNone) {
			t.Fatalf("got %v", err)
		}
		want := []string{
			"read certificate " + d.Path + "/damaged.pfx: unreadable PFX: ",
			"read certificate: " + d.Path + "/folder.pfx is not a regular file",
			"read certificate: " + d.Path + "/large.pfx is larger than 1 MiB: it is not a PFX with a certificate",
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
	})

	t.Run("a wrong password names the file and not the password", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		putCertificate(t, d, "a.pfx", testTime, day)
		d.Password = secretFile(t, "other "+password)
		_, err := d.Newest(t.Context())
		want := "read certificate " + d.Path + "/a.pfx: wrong password for the PFX: correct the password that the configuration names; or, if it is an old one with another password, move it away"
		if !errors.Is(err, cert.ErrPassword) || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	})

	t.Run("what is missing is named", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		d.Password = "file:/no/such/secret"
		_, err := d.Newest(t.Context())
		assertNotExist(t, err, "file:/no/such/secret", d.Path)
		d = newDirectory(t, testTime)
		d.Path += "/gone"
		_, err = d.Newest(t.Context())
		assertNotExist(t, err, d.Path)
	})

	t.Run("cancellation ends it", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		putCertificate(t, d, "a.pfx", testTime, day)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Newest(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDirectory_Private(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]struct {
		path func(source.Directory) string
		mode fs.FileMode
	}{
		"the folder":   {func(d source.Directory) string { return d.Path }, 0o777},
		"a file":       {func(d source.Directory) string { return filepath.Join(d.Path, "a.pfx") }, 0o644},
		"the password": {func(d source.Directory) string { return strings.TrimPrefix(string(d.Password), "file:") }, 0o666},
	} {
		t.Run("open to others: "+name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t, testTime)
			d.Opened = &source.Opened{}
			thumbprint := putCertificate(t, d, "a.pfx", testTime, day)
			if newestOf(t, d).Thumbprint != thumbprint {
				t.Fatal("not readable when all is private")
			}
			path := open.path(d)
			if err := os.Chmod(path, open.mode); err != nil {
				t.Fatal(err)
			}
			_, err := d.Newest(t.Context())
			if !errors.Is(err, secret.ErrExposed) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDirectory_Opened(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, testTime)
	d.Opened = &source.Opened{}
	first := putCertificate(t, d, "a.pfx", testTime.Add(-day), 10*day)
	if got := newestOf(t, d).Thumbprint; got != first {
		t.Fatalf("got %s", got)
	}
	// What changed counts at once: another file, another content, another password.
	second := putCertificate(t, d, "a.pfx", testTime.Add(-time.Hour), 10*day)
	if got := newestOf(t, d).Thumbprint; got != second {
		t.Errorf("got %s, want that of the new content", got)
	}
	found, err := d.Find(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	putCertificate(t, d, "a.pfx", testTime, 10*day)
	if _, err := found.Encode(0, farm.KeyProvider, []byte("x")); err == nil || !strings.Contains(err.Error(), "is no longer there") {
		t.Errorf("the key of another certificate was taken: %v", err)
	}
	d.Password = secretFile(t, "another")
	if _, err := d.Newest(t.Context()); !errors.Is(err, cert.ErrPassword) {
		t.Errorf("with another password: %v", err)
	}
}

func TestDirectory_Replacement(t *testing.T) {
	t.Parallel()
	d := newDirectory(t, testTime)
	leaked := putCertificate(t, d, "a.pfx", testTime.Add(-day), 10*day)
	// One that is older is no replacement: it was replaced itself.
	putCertificate(t, d, "old.pfx", testTime.Add(-2*day), 10*day)
	if got, err := d.Replacement(t.Context(), leaked); !errors.Is(err, source.ErrNone) || !strings.Contains(err.Error(), "provide another") {
		t.Errorf("got %v, %v", got, err)
	}
	if gone, err := d.Forget(t.Context(), leaked); err != nil || gone {
		t.Errorf("destroyed a file of somebody else: %v, %v", gone, err)
	}
	want := putCertificate(t, d, "b.pfx", testTime, 10*day)
	if got, err := d.Replacement(t.Context(), leaked); err != nil || got.Certificate.Thumbprint != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}

func TestDirectory_Find(t *testing.T) {
	t.Parallel()
	t.Run("a certificate is found whether valid or not", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t, testTime)
		expired := putCertificate(t, d, "expired.pfx", testTime.Add(-10*day), day)
		putCertificate(t, d, "valid.pfx", testTime.Add(-day), 10*day)
		got, err := d.Find(t.Context(), expired)
		if err != nil || got.Certificate.Thumbprint != expired {
			t.Errorf("got %v, %v", got, err)
		}
		gone := farm.Thumbprint(strings.Repeat("AB", 20))
		_, err = d.Find(t.Context(), gone)
		if want := "certificate not found: no PFX file of " + d.Path + " holds " + string(gone) + ": put it back"; !errors.Is(err, source.ErrNotFound) || err.Error() != want {
			t.Errorf("got %v; want %s", err, want)
		}
	})
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	t.Run("keeps its certificate until the lead time", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		first := newestOf(t, s)
		if first.Subject != "CN=OOS S2S 20260901-120000" || !first.SelfSigned {
			t.Errorf("made %+v", first)
		}
		if !first.NotBefore.Before(testTime) || !first.NotAfter.Equal(testTime.Add(s.ValidFor)) {
			t.Errorf("valid from %s to %s", first.NotBefore, first.NotAfter)
		}
		s.Now = fixedClock(testTime.Add(s.ValidFor - s.LeadTime - time.Second))
		if again := newestOf(t, s); again.Thumbprint != first.Thumbprint {
			t.Errorf("made %s before it was needed", again.Subject)
		}
		s.Now = fixedClock(testTime.Add(s.ValidFor - s.LeadTime))
		second := newestOf(t, s)
		if second.Thumbprint == first.Thumbprint || second.Subject == first.Subject {
			t.Errorf("did not replace %s", first.Subject)
		}
		if old, err := s.Find(t.Context(), first.Thumbprint); err != nil || old.Certificate.Thumbprint != first.Thumbprint {
			t.Errorf("the certificate before is gone: %v", err)
		}
	})

	t.Run("its files are for the user alone", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		newestOf(t, s)
		files, err := filepath.Glob(filepath.Join(s.Path, "*"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{filepath.Join(s.Path, "first.pfx")}, files); diff != "" {
			t.Fatal(diff)
		}
		for _, path := range []string{s.Path, filepath.Join(s.Path, "first.pfx")} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
			}
		}
	})

	t.Run("its files are as hard to guess as openssl says", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		newestOf(t, s)
		assertStrong(t, filepath.Join(s.Path, "first.pfx"))
	})

	t.Run("a weak file of an earlier version is encrypted again when it is read", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		s.Path = t.TempDir()
		before := putCertificate(t, s.Directory, "first.pfx", testTime, s.ValidFor)
		path := filepath.Join(s.Path, "first.pfx")
		if weak := readFile(t, path); cert.IsStrong(weak) {
			t.Fatal("the file is not weak")
		}
		if after := newestOf(t, s); after.Thumbprint != before {
			t.Errorf("got %s, want %s", after.Thumbprint, before)
		}
		assertStrong(t, path)
		if found, err := s.Find(t.Context(), before); err != nil {
			t.Error(err)
		} else if _, err := found.Encode(0, farm.KeyProvider, []byte("another")); err != nil {
			t.Errorf("its key: %v", err)
		}
	})

	t.Run("a compromised certificate is replaced at once, and once", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		leaked := newestOf(t, s).Thumbprint
		s.Now = fixedClock(testTime.Add(time.Second))
		first, err := s.Replacement(t.Context(), leaked)
		if err != nil || first.Certificate.Thumbprint == leaked {
			t.Fatalf("got %v, %v", first, err)
		}
		again, err := s.Replacement(t.Context(), leaked)
		if err != nil || again.Certificate.Thumbprint != first.Certificate.Thumbprint {
			t.Errorf("asked again: %v, %v; want %v", again, err, first)
		}
		if newest := newestOf(t, s); newest.Thumbprint != first.Certificate.Thumbprint {
			t.Errorf("the newest is %s, want %v", newest.Thumbprint, first)
		}
	})

	t.Run("an old key is destroyed, the newest never", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		old := newestOf(t, s).Thumbprint
		if gone, err := s.Forget(t.Context(), old); err == nil || gone || !strings.Contains(err.Error(), "it is the newest certificate of the farm") {
			t.Errorf("the newest: %v, %v", gone, err)
		}
		s.Now = fixedClock(testTime.Add(s.ValidFor - time.Hour))
		newest := newestOf(t, s).Thumbprint
		for _, want := range []bool{true, false} {
			if gone, err := s.Forget(t.Context(), old); err != nil || gone != want {
				t.Errorf("got %v, %v; want %v", gone, err, want)
			}
		}
		if _, err := s.Find(t.Context(), old); !errors.Is(err, source.ErrNotFound) {
			t.Errorf("the old one: %v", err)
		}
		if _, err := s.Find(t.Context(), newest); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(s.Path)
		if err != nil || len(entries) != 1 {
			t.Errorf("the folder holds %v, %v", entries, err)
		}
	})

	t.Run("several workers agree on one certificate", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		for _, now := range []time.Time{testTime, testTime.Add(s.ValidFor - time.Hour)} {
			s.Now = fixedClock(now)
			made := make([]farm.Thumbprint, 4)
			var workers sync.WaitGroup
			for i := range made {
				workers.Go(func() { made[i] = newestOf(t, s).Thumbprint })
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
	})

	t.Run("makes nothing beside a file that it cannot use", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		newestOf(t, s)
		writeFile(t, s.Directory, "damaged.pfx", []byte("no PFX"))
		s.Now = fixedClock(testTime.Add(s.ValidFor))
		if made, err := s.Newest(t.Context()); !errors.Is(err, cert.ErrUnreadable) {
			t.Errorf("got %v, %v", made, err)
		}
	})

	t.Run("a folder that cannot be made is named", func(t *testing.T) {
		t.Parallel()
		s := newSelfSigned(t)
		if err := os.WriteFile(s.Path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Newest(t.Context()); err == nil || !strings.Contains(err.Error(), s.Path) {
			t.Errorf("got %v", err)
		}
	})
}

// newDirectory is an empty folder looked at at that time.
func newDirectory(t *testing.T, now time.Time) source.Directory {
	t.Helper()
	return source.Directory{Path: t.TempDir(), Password: secretFile(t, password), Now: fixedClock(now)}
}

// newSelfSigned is a source whose folder is yet to be made.
func newSelfSigned(t *testing.T) source.SelfSigned {
	t.Helper()
	s := source.SelfSigned{Directory: newDirectory(t, testTime), Subject: "OOS S2S", ValidFor: 90 * day, LeadTime: 30 * day}
	s.Opened = &source.Opened{}
	s.Path = filepath.Join(s.Path, "pfx")
	return s
}

func newestOf(t *testing.T, s source.Source) farm.Certificate {
	t.Helper()
	bundle, err := s.Newest(t.Context())
	if err != nil {
		t.Error(err)
		return farm.Certificate{}
	}
	return bundle.Certificate
}

// putCertificate adds a certificate with that validity to the folder.
func putCertificate(t *testing.T, d source.Directory, name string, from time.Time, validFor time.Duration) farm.Thumbprint {
	t.Helper()
	bundle, err := cert.SelfSigned("test", from, validFor, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := bundle.Encode(0, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, d, name, pfx)
	return bundle.Certificate.Thumbprint
}

func writeFile(t *testing.T, d source.Directory, name string, content []byte) {
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

// assertNotExist checks that something does not exist, and is named.
func assertNotExist(t *testing.T, err error, names ...string) {
	t.Helper()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func fixedClock(now time.Time) func() time.Time { return func() time.Time { return now } }

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// assertStrong checks how a PFX is encrypted, as OpenSSL reads it, where there is one.
func assertStrong(t *testing.T, path string) {
	t.Helper()
	if !cert.IsStrong(readFile(t, path)) {
		t.Errorf("%s is weak", path)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	out, _ := exec.CommandContext(t.Context(), openssl, "pkcs12", "-in", path, "-info", "-noout", "-nomacver", "-passin", "pass:"+password).CombinedOutput()
	for _, want := range []string{"PBES2, PBKDF2, AES-256-CBC, Iteration 600000, PRF hmacWithSHA256"} {
		if strings.Count(string(out), want) != 2 {
			t.Errorf("openssl says\n%s\nwant twice %s", out, want)
		}
	}
}
