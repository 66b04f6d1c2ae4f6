package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// screen is the size of a terminal in characters.
type screen struct{ width, height int }

// findTerminal returns a function that returns the size of the terminal behind
// w, as of now; false if there is none, or none that understands control
// sequences.
func findTerminal(w io.Writer) func() (screen, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" || !enableSequences(file) {
		return func() (screen, bool) { return screen{}, false }
	}
	return func() (screen, bool) {
		width, height, err := term.GetSize(int(file.Fd()))
		return screen{width, height}, err == nil && width > 0 && height > 0
	}
}
