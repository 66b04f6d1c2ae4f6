package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile waits until no other process has the lock of a file, which is made if need be.
func lockFile(path string) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	handle, all := windows.Handle(file.Fd()), new(windows.Overlapped)
	if err := windows.LockFileEx(handle, windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, all); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		// Windows releases the lock of a closed file in its own time.
		return errors.Join(windows.UnlockFileEx(handle, 0, 1, 0, all), file.Close())
	}, nil
}
