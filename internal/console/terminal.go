package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// screen is the size of a terminal in characters; zero where there is none.
type screen struct{ width, height int }

func (s screen) isTerminal() bool { return s.width > 0 && s.height > 0 }

// terminal is what is behind a writer.
type terminal struct {
	// size returns how large it is, as of now.
	size func() screen
	// paints reports whether it understands control sequences.
	paints bool
}

// findTerminal finds out what is behind w.
func findTerminal(w io.Writer) terminal {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return terminal{size: func() screen { return screen{} }}
	}
	return terminal{
		size: func() screen {
			width, height, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return screen{}
			}
			return screen{width, height}
		},
		paints: os.Getenv("TERM") != "dumb" && enableSequences(file),
	}
}
