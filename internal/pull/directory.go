package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

const (
	// lookInterval is how often a folder is looked at. A file is read when it was the same
	// in two looks: who writes it directly may not be done at the first.
	lookInterval = 2 * time.Second

	doneFolder, refusedFolder = "done", "refused"
)

// directory is a folder into which events are dropped as files.
type directory struct {
	root *os.Root

	mu sync.Mutex
	// seen is how each file was at the last look, held the files that are being taken.
	seen map[string]fileState
	held map[string]bool
}

// fileState is what changes when a file is written to.
type fileState struct {
	size     int64
	modified time.Time
}

func directoryPlace(c config.EventDirectory) place {
	return place{name: c.Path, idle: lookInterval, open: func(context.Context) (queue, error) { return openDirectory(c.Path) }}
}

// openDirectory opens a folder and makes those for what was taken from it. Nothing outside
// is ever read or moved, whatever a symbolic link there says.
func openDirectory(path string) (*directory, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder of events: %w: make the folder, and let farmtrust read and write it", err)
	}
	for _, folder := range []string{doneFolder, refusedFolder} {
		if err := root.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("make %s: %w: let farmtrust write %s", filepath.Join(path, folder), err, path), root.Close())
		}
	}
	return &directory{root: root, seen: map[string]fileState{}, held: map[string]bool{}}, nil
}

// receive returns the files that were the same at the last look.
func (d *directory) receive(_ context.Context, max int) (all []*message, err error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("read the folder of events: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := map[string]fileState{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !isEventFile(info) || d.held[info.Name()] {
			continue // a file that is gone was taken by another process
		}
		name, state := info.Name(), fileState{info.Size(), info.ModTime()}
		now[name] = state
		if d.seen[name] != state || len(all) == max {
			continue
		}
		body, err := d.readFile(name)
		if err != nil {
			continue // somebody writes it, or has taken it: the next look shows
		}
		d.held[name] = true
		all = append(all, &message{id: name, handle: name, received: 1, body: body})
	}
	d.seen = now
	return all, nil
}

// isEventFile reports whether a file is one to be read, and not one that is still being
// written, by the usual signs.
func isEventFile(info fs.FileInfo) bool {
	name := info.Name()
	isDraft := strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".part")
	return info.Mode().IsRegular() && !isDraft
}

// readFile reads no more than shows that a file is too large.
func (d *directory) readFile(name string) ([]byte, error) {
	// What became a pipe since it was looked at would otherwise be waited for.
	file, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, event.MaxBody+1))
}

// hold does nothing: two processes that take the same file both deliver it, which does no
// harm.
func (d *directory) hold(context.Context, *message) error { return nil }

func (d *directory) finish(_ context.Context, m *message) error {
	_, err := d.move(m, doneFolder)
	return err
}

func (d *directory) release(_ context.Context, m *message) error {
	d.forget(m)
	return nil
}

// refuse moves a file aside, with a file beside it that says why. Moved back, it is read
// again.
func (d *directory) refuse(_ context.Context, m *message, why error) (string, error) {
	moved, err := d.move(m, refusedFolder)
	if err != nil {
		return "", err
	}
	if err := d.root.WriteFile(moved+".reason.txt", []byte(why.Error()+"\n"), 0o640); err != nil {
		return "moved to " + moved + ", without the reason beside it: " + err.Error(), nil
	}
	return "moved to " + moved, nil
}

// move moves a file into one of the folders, beside those of the same name.
func (d *directory) move(m *message, folder string) (string, error) {
	to := path.Join(folder, m.handle)
	if _, err := d.root.Lstat(to); err == nil {
		to = path.Join(folder, time.Now().UTC().Format("20060102T150405.000000000Z")+"-"+m.handle)
	}
	err := d.root.Rename(m.handle, to)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	if err == nil || errors.Is(err, errGone) {
		d.forget(m)
	}
	return to, err
}

func (d *directory) forget(m *message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, m.handle)
}
