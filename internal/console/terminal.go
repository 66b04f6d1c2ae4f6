package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal returns a function that says how large the terminal behind w is
// now, or false if w is none that can be repainted.
func terminal(w io.Writer) func() (screen, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" || !repaintable(file) {
		return func() (screen, bool) { return screen{}, false }
	}
	return func() (screen, bool) {
		width, height, err := term.GetSize(int(file.Fd()))
		return screen{width, height}, err == nil && width > 0 && height > 0
	}
}
