//go:build !windows

package console

import "os"

// repaintable is true of every terminal that is not dumb.
func repaintable(*os.File) bool { return true }
