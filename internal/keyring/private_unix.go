//go:build !windows

package keyring

import (
	"fmt"
	"os"
	"syscall"
)

// checkPrivate refuses a file that others than its owner may read or write, as ssh does
// with keys.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// keepOwner gives a file the owner and the mode of another: an administrator changes
// what a service reads.
func keepOwner(of, path string) error {
	info, err := os.Stat(of)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, info.Mode().Perm()); err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Chown(path, int(stat.Uid), int(stat.Gid))
	}
	return nil
}
