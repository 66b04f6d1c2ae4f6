package source

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// maxFile is the largest PFX that is read, in bytes; one with a long chain has
// about 10,000.
const maxFile = 1 << 20

// Directory reads certificates from the *.pfx and *.p12 files of a folder. A file
// that cannot be used is an error that names it, and is never skipped: it is
// probably the new certificate, and without it the old one would seem newest. The
// folder and its files must be kept from others, see [secret.CheckPrivate]: who can
// write there chooses the farm's certificate.
type Directory struct {
	Path string
	// Password opens every file; it is re-read on every use.
	Password secret.Ref
	// Opened remembers what was read, apart from keys; nil reads all files each time.
	Opened *Opened
	// Now is the clock; nil means [time.Now].
	Now func() time.Time

	// strengthen replaces files that are easier to guess than those that are made here.
	strengthen bool
}

// Newest implements [Source].
func (d Directory) Newest(ctx context.Context) (*cert.Bundle, error) {
	all, err := d.readAll(ctx)
	if err != nil {
		return nil, err
	}
	newest, ok := newestAt(all, d.currentTime())
	if !ok {
		return nil, fmt.Errorf("%w in %s: %s: put a new PFX there", ErrNone, d.Path, whyNone(all, d.currentTime()))
	}
	return newest, nil
}

// Replacement implements [Source].
func (d Directory) Replacement(ctx context.Context, compromised farm.Thumbprint) (*cert.Bundle, error) {
	newest, err := d.Newest(ctx)
	if err == nil && newest.Certificate.Thumbprint == compromised {
		return nil, fmt.Errorf("%w in %s but %s, which is the one in use, and compromised: provide another", ErrNone, d.Path, newest)
	}
	return newest, err
}

// Forget implements [Source]: the files are of anybody who put them there.
func (d Directory) Forget(context.Context, farm.Thumbprint) (bool, error) { return false, nil }

// Find implements [Source]. A file that cannot be used is an error only if the
// certificate is in no other file.
func (d Directory) Find(ctx context.Context, thumbprint farm.Thumbprint) (*cert.Bundle, error) {
	all, err := d.readAll(ctx)
	for _, b := range all {
		if b.Certificate.Thumbprint == thumbprint {
			return b, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: no PFX file of %s holds %s: put it back", ErrNotFound, d.Path, thumbprint)
}

func (d Directory) currentTime() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// newestAt picks the certificate valid at now that became valid last; of several
// that did so together, the one that expires last, then by thumbprint.
func newestAt(all []*cert.Bundle, now time.Time) (*cert.Bundle, bool) {
	valid := slices.DeleteFunc(slices.Clone(all), func(b *cert.Bundle) bool {
		c := b.Certificate
		return now.Before(c.NotBefore) || now.After(c.NotAfter)
	})
	if len(valid) == 0 {
		return nil, false
	}
	return slices.MaxFunc(valid, byStart), true
}

// whyNone explains why none of all is valid at now, by the newest.
func whyNone(all []*cert.Bundle, now time.Time) string {
	if len(all) == 0 {
		return "it holds no *.pfx or *.p12 file"
	}
	last := slices.MaxFunc(all, byStart)
	if from := last.Certificate.NotBefore; now.Before(from) {
		return fmt.Sprintf("%s is not valid before %s", last, farm.FormatTime(from))
	}
	return fmt.Sprintf("%s expired on %s", last, farm.FormatTime(last.Certificate.NotAfter))
}

func byStart(a, b *cert.Bundle) int {
	x, y := a.Certificate, b.Certificate
	return cmp.Or(
		x.NotBefore.Compare(y.NotBefore),
		x.NotAfter.Compare(y.NotAfter),
		cmp.Compare(x.Thumbprint, y.Thumbprint),
	)
}

// readAll loads every PFX file of the folder. It returns those that it could read,
// with one error that names those that it could not.
func (d Directory) readAll(ctx context.Context) ([]*cert.Bundle, error) {
	entries, err := os.ReadDir(d.Path)
	if err == nil {
		err = secret.CheckPrivate(d.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w: make that folder readable for the worker alone, or correct the path of the farm's certificate source", err)
	}
	password, err := d.Password.Resolve()
	if err != nil {
		return nil, fmt.Errorf("open the PFX files of %s: %w", d.Path, err)
	}
	var all []*cert.Bundle
	var problems []error
	seen := map[[sha256.Size]byte]bool{}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read certificates of %s: %w", d.Path, err)
		}
		if !isPFX(entry.Name()) {
			continue
		}
		path := filepath.Join(d.Path, entry.Name())
		content, err := readFile(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("read certificate: %w", err))
			continue
		}
		digest := digestOf(content, password)
		seen[digest] = true
		bundle, ok := d.Opened.find(digest)
		if !ok {
			if bundle, err = d.load(ctx, path, content, password); err != nil {
				problems = append(problems, err)
				continue
			}
			d.Opened.keep(digest, bundle)
		}
		all = append(all, bundle)
	}
	d.Opened.forgetOthers(seen)
	return all, errors.Join(problems...)
}

func isPFX(name string) bool {
	extension := strings.ToLower(filepath.Ext(name))
	return !strings.HasPrefix(name, ".") && (extension == ".pfx" || extension == ".p12")
}

// digestOf tells whether a file is the one that was opened before, with the same
// password. The length keeps the two parts apart.
func digestOf(content []byte, password secret.Value) [sha256.Size]byte {
	secretBytes := password.Bytes()
	all := binary.BigEndian.AppendUint64(nil, uint64(len(secretBytes)))
	return sha256.Sum256(slices.Concat(all, secretBytes, content))
}

// load opens a PFX. Its key is read again when it is needed.
func (d Directory) load(ctx context.Context, path string, content []byte, password secret.Value) (*cert.Bundle, error) {
	bundle, err := cert.Load(ctx, content, password.Bytes())
	if err != nil {
		if errors.Is(err, cert.ErrPassword) {
			err = fmt.Errorf("%w; or, if it is an old one with another password, move it away", err)
		}
		return nil, fmt.Errorf("read certificate %s: %w", path, err)
	}
	if d.strengthen && !cert.IsStrong(content) {
		if err := replaceWeak(path, bundle, password); err != nil {
			return nil, err
		}
	}
	bundle.Origin = filepath.Base(path)
	return bundle.Deferred(func() (*cert.Bundle, error) { return d.reload(path) }), nil //nolint:contextcheck // the key is read later, when this context has ended
}

// reload reads a file again, for its key.
func (d Directory) reload(path string) (*cert.Bundle, error) {
	password, err := d.Password.Resolve()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return cert.Load(context.Background(), content, password.Bytes())
}

// readFile reads a file of at most [maxFile] bytes that is kept from others.
func readFile(path string) ([]byte, error) {
	content, err := secret.ReadPrivate(path, maxFile)
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB: it is not a PFX with a certificate", path)
	}
	return content, nil
}
