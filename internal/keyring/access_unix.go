//go:build !windows

package keyring

import (
	"os"
	"syscall"
)

// keepAccess gives a file the owner and the mode of another: an administrator changes
// what a service reads.
func keepAccess(of, path string) error {
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
