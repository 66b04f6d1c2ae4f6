package keyring

import (
	"fmt"
	"os"
)

// checkPrivate refuses what is not a regular file.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	return err
}

// keepOwner does nothing: a file on Windows takes its access control list from its folder.
func keepOwner(string, string) error { return nil }
