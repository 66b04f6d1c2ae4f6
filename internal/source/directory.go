package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
// probably the new certificate, and without it the old one would seem newest.
type Directory struct {
	Path string
	// Password opens every file; it is re-read on every use.
	Password secret.Ref
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
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
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w: make that folder readable for the worker, or correct the path of the farm's certificate source", err)
	}
	password, err := d.Password.Resolve()
	if err != nil {
		return nil, fmt.Errorf("open the PFX files of %s: %w", d.Path, err)
	}
	var all []*cert.Bundle
	var problems []error
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read certificates of %s: %w", d.Path, err)
		}
		if !isPFX(entry.Name()) {
			continue
		}
		path := filepath.Join(d.Path, entry.Name())
		bundle, err := loadFile(path, password)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all = append(all, bundle)
	}
	return all, errors.Join(problems...)
}

func isPFX(name string) bool {
	extension := strings.ToLower(filepath.Ext(name))
	return !strings.HasPrefix(name, ".") && (extension == ".pfx" || extension == ".p12")
}

func loadFile(path string, password secret.Value) (*cert.Bundle, error) {
	content, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	bundle, err := cert.Load(content, password.Bytes())
	if err != nil {
		if errors.Is(err, cert.ErrPassword) {
			err = fmt.Errorf("%w; or, if it is an old one with another password, move it away", err)
		}
		return nil, fmt.Errorf("read certificate %s: %w", path, err)
	}
	bundle.Origin = filepath.Base(path)
	return bundle, nil
}

// readFile reads a regular file of at most [maxFile] bytes; opening a named pipe
// could block indefinitely.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: move it away", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB: it is not a PFX with a certificate", path)
	}
	return content, nil
}
