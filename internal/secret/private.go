package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrExposed means that others than the worker and the machine's administrators can
// read or change what must be kept from them.
var ErrExposed = errors.New("open to others")

// CheckPrivate reports whether a file, or a folder of such files, is kept from others,
// as ssh does for its keys. Its error wraps [ErrExposed] and ends with the command that
// closes it, or is the file system's; what is neither a regular file nor a folder, such
// as a named pipe, whose opening could block, is refused too.
//
// Unix: it belongs to root or to the user who runs; nobody else has access to a file,
// or may write to a folder. What root owns, root may have shared with one group, as is
// usual for services and for volumes of Kubernetes. Nobody else may exchange one of the
// folders above it either, except where the sticky bit protects what is in them.
//
// Windows: its access list gives nothing to others than the user who runs, SYSTEM,
// Administrators and TrustedInstaller: no access to a file, no writing to a folder.
// This is what ssh for Windows asks of a key (PowerShell/openssh-portable,
// w32-sshfileperm.c).
func CheckPrivate(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return err
	}
	info, err := os.Stat(resolved)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular() && !info.IsDir():
		return fmt.Errorf("%s is neither a regular file nor a folder", path)
	}
	if err := checkAccess(resolved, info); err != nil {
		return err
	}
	return errors.Join(checkAbove(absolute), checkAbove(resolved))
}

// ReadPrivate reads a file that is kept from others, see [CheckPrivate]; one that is
// larger than limit bytes is cut after one byte more.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if err := CheckPrivate(path); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit+1))
}

// exposed says what is wrong with a path, and how to mend it.
func exposed(path, what, command string) error {
	return fmt.Errorf("%w: %s %s: %s", ErrExposed, path, what, command)
}

// quoteForShell makes a path one argument of a command, for a person to paste.
func quoteForShell(path string) string {
	if !strings.ContainsFunc(path, isSpecial) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func isSpecial(r rune) bool {
	isPlain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@,=", r)
	return !isPlain
}
