package secret

import (
	"errors"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder, and those above it that are missing, for the current user
// alone. A folder that is there stays as it is; see [CheckPrivate].
func MakeFolder(path string) error {
	switch _, err := os.Stat(path); {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return closeAccess(path)
}

// Create makes a file for the current user alone, which readers see whole or not at
// all. It never replaces another: its error wraps [os.ErrExist] if there is one.
func Create(path string, content []byte) error {
	// A hard link fails where a rename would replace.
	return write(path, content, os.Link)
}

// Replace is [Create], but replaces a file that is there.
func Replace(path string, content []byte) error {
	return write(path, content, os.Rename)
}

// write writes a file beside path and then lets appear make it that path.
func write(path string, content []byte, appear func(from, to string) error) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(temporary.Name()); !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	if err := closeAccess(temporary.Name()); err != nil {
		return errors.Join(err, temporary.Close())
	}
	_, writeErr := temporary.Write(content)
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return appear(temporary.Name(), path)
}
