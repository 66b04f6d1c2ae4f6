//go:build !windows

package secret

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkAccess judges a file or a folder by its owner and its mode.
func checkAccess(path string, info fs.FileInfo) error {
	if info.IsDir() {
		return checkFolder(path, info)
	}
	owner := ownerOf(info)
	if err := checkOwner(path, owner); err != nil {
		return err
	}
	mode, allowed, command := info.Mode().Perm(), fs.FileMode(0o700), "chmod go= "
	if owner.Uid == 0 {
		allowed, command = 0o750, "chmod g-w,o= "
	}
	if mode&^allowed == 0 {
		return nil
	}
	return exposed(path, fmt.Sprintf("has mode %04o, and others have access", mode), command+quoteForShell(path))
}

// checkAbove judges the folders above a path: who may exchange one of them chooses what
// is read.
func checkAbove(path string) error {
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSticky != 0 { // only its owner can exchange a file there
			err = checkOwner(folder, ownerOf(info))
		} else {
			err = checkFolder(folder, info)
		}
		if err != nil {
			return err
		}
		if folder == filepath.Dir(folder) {
			return nil
		}
	}
}

// checkFolder judges who can add to a folder, and exchange what is in it.
func checkFolder(path string, info fs.FileInfo) error {
	owner := ownerOf(info)
	if err := checkOwner(path, owner); err != nil {
		return err
	}
	mode, allowed := info.Mode().Perm(), fs.FileMode(0o755)
	// A user's own group, which has the user's number, has no other members; what root
	// owns, root has shared.
	if owner.Uid == 0 || owner.Gid == owner.Uid {
		allowed |= 0o020
	}
	if mode&^allowed == 0 {
		return nil
	}
	return exposed(path, fmt.Sprintf("has mode %04o, and others can change what is in it", mode), "chmod go-w "+quoteForShell(path))
}

// checkOwner refuses what belongs to another user, except for root, who reads for
// others: in a container, a mounted file belongs to a user of the host.
func checkOwner(path string, owner *syscall.Stat_t) error {
	me := uint32(os.Geteuid()) //nolint:gosec // a user's number is never negative here
	if me == 0 || owner.Uid == 0 || owner.Uid == me {
		return nil
	}
	return exposed(path, fmt.Sprintf("belongs to user %d", owner.Uid), fmt.Sprintf("chown %d %s", me, quoteForShell(path)))
}

func ownerOf(info fs.FileInfo) *syscall.Stat_t {
	return info.Sys().(*syscall.Stat_t) // what os.Stat always fills in here
}

// closeAccess does nothing: what is made here is made with the right mode.
func closeAccess(string) error { return nil }
