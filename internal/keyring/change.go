package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// Create makes a file with one random key. A file that exists is an error that wraps
// [fs.ErrExist], and stays as it is.
func Create(path string) error {
	f := &file{lines: []line{{text: head}, writeKey(newKey(time.Now()))}}
	return secret.Create(path, f.text())
}

// Add adds a random key to a file, behind the others, and returns its ID.
func Add(path string) (string, error) {
	added := newKey(time.Now())
	return added.ID, change(path, func(f *file) error {
		if len(f.keys()) == maxKeys {
			return fmt.Errorf("%s holds %d keys already: remove those that nothing needs any more", path, maxKeys)
		}
		f.lines = append(f.lines, writeKey(added))
		return nil
	})
}

// Use makes the key with an ID the first one.
func Use(path, id string) error {
	return change(path, func(f *file) error {
		at := f.find(id)
		if at < 0 {
			return fmt.Errorf("%s: %w: %s", path, ErrUnknownKey, id)
		}
		used := f.lines[at]
		f.lines = slices.Insert(slices.Delete(f.lines, at, at+1), min(at, f.first()), used)
		return nil
	})
}

// Remove removes the key with an ID, which is not the first one. What it sealed or
// encrypted cannot be read any more.
func Remove(path, id string) error {
	return change(path, func(f *file) error {
		switch at := f.find(id); at {
		case -1:
			return fmt.Errorf("%s: %w: %s", path, ErrUnknownKey, id)
		case f.first():
			return fmt.Errorf("%s: %s is the key for what is new: let another one be that first", path, id)
		default:
			f.lines = slices.Delete(f.lines, at, at+1)
			return nil
		}
	})
}

// change replaces a file by what edit makes of it: anybody who reads it sees the old or the
// new one whole. Two changes at a time are refused.
func change(path string, edit func(*file) error) error {
	next := path + ".new"
	f, err := readFile(path)
	if err != nil {
		return err
	}
	if err := edit(f); err != nil {
		return err
	}
	err = secret.Create(next, f.text())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is being changed, or a change of it was cut off; if it was, remove %s and try again: %w", path, next, err)
	}
	if err != nil {
		return err
	}
	if err := keepAccess(path, next); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, path)
}
