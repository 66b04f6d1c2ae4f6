package console

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableSequences turns on control sequences, which a Windows console does not
// understand until it is asked to, and reports whether it does then.
//
// Source: Microsoft, "Console Virtual Terminal Sequences".
func enableSequences(file *os.File) bool {
	var mode uint32
	handle := windows.Handle(file.Fd())
	if err := windows.GetConsoleMode(handle, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(handle, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
