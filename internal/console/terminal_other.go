//go:build !windows

package console

import "os"

// enableSequences reports whether a terminal understands control sequences:
// all do that are not dumb.
func enableSequences(*os.File) bool { return true }
